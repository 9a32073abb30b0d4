// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <utility>

#include "shoal/detail/pool_call.hpp"
#include "shoal/detail/pool_core.hpp"
#include "shoal/detail/results.hpp"

namespace shoal::detail {

// A range that is gone through later: where it is, if somebody has it; else it is kept here. As
// std::views::all, which clang has not before 16.
template <class Range>
class Later {
 public:
  explicit Later(Range&& range) : range_(std::forward<Range>(range)) {}
  auto begin() { return std::ranges::begin(range_); }
  auto end() { return std::ranges::end(range_); }

 private:
  Range range_;  // of one that somebody has: a reference
};

// What comes of the items of a range, one by one: to be gone through once, by a loop or by next().
template <class Call, class F, class T, class Range>
class Stream {
 public:
  using R = typename Call::Result;
  using Value = Kept<R>;

  Stream(std::shared_ptr<PoolCore> core, F function, Range&& range, std::size_t chunk, Order order)
      : state_(std::make_unique<State>(std::move(core), std::move(function),
                                       std::forward<Range>(range), chunk, order)) {
    state_->core->begin_stream(*state_->job);
    state_->fill();
  }

  // The next result: waits for it. Nothing: there are no more. Throws what the call threw, or the
  // range, or handing in; of one call, that is, and not again.
  std::optional<Value> next() { return state_->next(); }

  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = Value;

    Iterator() = default;
    explicit Iterator(Stream& stream) : stream_(&stream), value_(stream.next()) {}
    Value& operator*() const { return *value_; }
    Iterator& operator++() {
      value_ = stream_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& at, std::default_sentinel_t) { return !at.value_; }

   private:
    Stream* stream_ = nullptr;
    mutable std::optional<Value> value_;
  };
  Iterator begin() { return Iterator(*this); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  struct State {
    State(std::shared_ptr<PoolCore> of, F f, Range&& items, std::size_t in_a_task, Order order)
        : core(std::move(of)),
          function(*core, std::move(f)),
          job(std::make_shared<ResultsInTurn<R>>(order)),
          range(std::forward<Range>(items)),
          at(range.begin()),
          task(*core, function),
          chunk(in_a_task) {
      job->function = function.function();
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() { core->abandon(*job); }

    // Hands in what the workers need to be busy until the next call.
    void fill() {
      constexpr std::size_t kTasksEach = 16;
      while (!at_end && (handed_in - taken) / chunk < kTasksEach * core->size()) {
        task.begin();
        read();
        if (task.items() > 0) hand_in();
        if (at_end) core->end_stream(*job);
      }
    }
    void read() {
      try {
        for (; task.items() < chunk; ++at) {
          if (at == range.end()) {
            at_end = true;
            return;
          }
          task.add(T(*at));
        }
      } catch (...) {
        stop();
      }
    }
    // The pool may have been terminated, with results that have come and can still be had.
    void hand_in() {
      try {
        task.submit(job, handed_in);
        handed_in += task.items();
      } catch (...) {
        stop();
      }
    }
    void stop() {
      at_end = true;
      why = std::current_exception();
    }

    std::optional<Value> next() {
      fill();
      if (handed_in == taken) {
        if (why) std::rethrow_exception(std::exchange(why, nullptr));
        return std::nullopt;
      }
      static_cast<void>(core->wait(*job, kForever));
      typename ResultsInTurn<R>::Result result;
      core->locked([&] { result = job->take(); });
      ++taken;
      if (result.why) std::rethrow_exception(result.why);
      return std::move(result.value);
    }

    std::shared_ptr<PoolCore> core;
    Carried<F> function;
    std::shared_ptr<ResultsInTurn<R>> job;
    Later<Range> range;
    decltype(range.begin()) at;
    TaskWriter<Call, F, T> task;
    std::size_t chunk;
    std::size_t handed_in = 0;
    std::size_t taken = 0;
    bool at_end = false;
    std::exception_ptr why;  // told when what was handed in has been taken
  };

  std::unique_ptr<State> state_;
};

}  // namespace shoal::detail
