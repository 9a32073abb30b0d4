// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "shoal/detail/job.hpp"

namespace shoal::detail {

// What is kept of a call that returns R: of void, that it has returned.
struct Nothing {};
template <class R>
using Kept = std::conditional_t<std::is_void_v<R>, Nothing, R>;

// A call whose caller waits for all that comes of it.
class CallJob : public Job {
 public:
  [[nodiscard]] virtual bool has_failed() const = 0;
};

// Of so many items, in their order.
template <class R>
class AllResults final : public CallJob {
 public:
  using OnProgress = std::function<void(std::size_t, std::size_t)>;

  explicit AllResults(std::size_t items, OnProgress on_progress = {})
      : values_(items), first_failed_(items), on_progress_(std::move(on_progress)) {}

  void came(std::size_t item, Reader& value) override {
    values_[item].emplace(value.read<Kept<R>>());
    ++done_;
  }
  void failed(std::size_t item, std::exception_ptr why) override {
    if (item < first_failed_) {
      first_failed_ = item;
      why_ = std::move(why);
    }
    ++done_;
  }
  [[nodiscard]] bool is_ready() const override { return done_ == values_.size(); }
  [[nodiscard]] bool has_failed() const override { return first_failed_ < values_.size(); }
  void show_progress() override {
    const std::size_t done = done_;
    if (on_progress_ && shown_.exchange(done) != done) on_progress_(done, values_.size());
  }

  // Requires: is ready. Throws what the first failed by.
  std::vector<std::optional<Kept<R>>>& values() {
    if (why_) std::rethrow_exception(why_);
    return values_;
  }

 private:
  std::vector<std::optional<Kept<R>>> values_;
  std::size_t first_failed_;
  std::exception_ptr why_;
  std::atomic<std::size_t> done_{0};
  std::atomic<std::size_t> shown_{0};
  OnProgress on_progress_;
};

// A copy where there may be copies, for the value may be asked for again.
template <class T>
T value_of(std::optional<T>& kept) {
  if constexpr (std::is_copy_constructible_v<T>)
    return *kept;
  else
    return std::move(*kept);
}

template <class R>
R collect_one(CallJob& job) {
  auto& values = static_cast<AllResults<R>&>(job).values();
  if constexpr (!std::is_void_v<R>) return value_of(values[0]);
}

template <class R>
using All = std::conditional_t<std::is_void_v<R>, void, std::vector<Kept<R>>>;

template <class R>
All<R> collect_all(CallJob& job) {
  auto& values = static_cast<AllResults<R>&>(job).values();
  if constexpr (!std::is_void_v<R>) {
    std::vector<R> all;
    all.reserve(values.size());
    for (auto& value : values) all.push_back(value_of(value));
    return all;
  }
}

// In which order results are taken: of the items, or as they come.
enum class Order { kept, as_it_comes };

// Of items that are taken one by one, while others are still being handed in.
template <class R>
class ResultsInTurn final : public Job {
 public:
  struct Result {
    std::optional<Kept<R>> value;
    std::exception_ptr why;
  };

  explicit ResultsInTurn(Order order) : order_(order) {}

  void came(std::size_t item, Reader& value) override {
    place_of(item).value.emplace(value.read<Kept<R>>());
  }
  void failed(std::size_t item, std::exception_ptr why) override {
    place_of(item).why = std::move(why);
  }
  [[nodiscard]] bool wants_each() const override { return true; }
  [[nodiscard]] bool is_ready() const override {
    return !results_.empty() && (results_.front().value || results_.front().why);
  }
  // Requires: is ready.
  Result take() {
    Result result = std::move(results_.front());
    results_.pop_front();
    ++taken_;
    return result;
  }

 private:
  // What has been read badly fails the item a second time.
  Result& place_of(std::size_t item) {
    const std::size_t place = order_ == Order::kept ? item - taken_ : results_.size();
    if (place >= results_.size()) results_.resize(place + 1);
    return results_[place];
  }

  const Order order_;
  std::deque<Result> results_;  // from the first that has not been taken
  std::size_t taken_ = 0;
};

}  // namespace shoal::detail
