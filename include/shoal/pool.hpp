// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "shoal/detail/deadline.hpp"
#include "shoal/detail/pool_call.hpp"
#include "shoal/detail/pool_core.hpp"
#include "shoal/detail/pool_stream.hpp"
#include "shoal/detail/results.hpp"
#include "shoal/error.hpp"
#include "shoal/process.hpp"

namespace shoal {

struct PoolOptions {
  unsigned processes = 0;                  // 1 to 1000; 0: cpu_count()
  std::size_t max_tasks_per_child = 0;     // a worker that has done so many is replaced; 0: never
  std::function<void()> initializer = {};  // called by each worker before its first task
  // Called by the process that made the pool, in the thread that waits for a map or starmap, as its
  // items get done.
  std::function<void(std::size_t done, std::size_t total)> on_progress = {};
};

// What will come of a call: a value, nothing, or an exception. May be copied; may outlive its Pool.
template <class R>
class AsyncResult {
 public:
  // Waits; returns, or throws, the same each time. A value that cannot be copied is there once.
  R get() {
    wait();
    return collect_(*job_);
  }
  // Nothing, of void false, when the time is over. Zero, negative and NaN: do not wait.
  template <class Rep, class Period>
  [[nodiscard]] auto get_for(std::chrono::duration<Rep, Period> time) {
    if constexpr (std::is_void_v<R>) {
      if (!wait_for(time)) return false;
      collect_(*job_);
      return true;
    } else {
      return wait_for(time) ? std::optional<R>(collect_(*job_)) : std::nullopt;
    }
  }
  // Throws nothing of what was called.
  void wait() { static_cast<void>(core_->wait(*job_, detail::kForever)); }
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> time) {
    return core_->wait(*job_, detail::deadline_after(time));
  }
  [[nodiscard]] bool ready() const {
    bool is_ready = false;
    core_->look();
    core_->locked([&] { is_ready = job_->is_ready(); });
    return is_ready;
  }
  // Ready, and not by an exception. Throws std::logic_error where it is not ready.
  [[nodiscard]] bool successful() const {
    if (!ready())
      throw std::logic_error("shoal: result: successful: it is not ready; call wait() first");
    return !job_->has_failed();
  }

 private:
  friend class Pool;
  using Collect = R (*)(detail::CallJob&);

  AsyncResult(std::shared_ptr<detail::PoolCore> core, std::shared_ptr<detail::CallJob> job,
              Collect collect)
      : core_(std::move(core)), job_(std::move(job)), collect_(collect) {}

  std::shared_ptr<detail::PoolCore> core_;
  std::shared_ptr<detail::CallJob> job_;
  Collect collect_;
};

// A Pool calls functions in worker processes, which it forks once and keeps.
//
//   double work(int n);
//
//   shoal::Pool pool;                                    // a worker for each CPU
//   std::vector<double> all = pool.map(work, std::views::iota(0, 1000));
//   auto later = pool.apply_async(work, 7);              // ... later.get()
//   for (double one : pool.imap(work, numbers)) use(one);
//
// What is called: a function, or a lambda whose captures may be copied. Arguments are passed by
// value: a range's elements, tuples for starmap, what apply is given; these, and results, are what a
// Queue can carry. Strings may be given as literals.
//
// Workers have the memory of this process as it was when the Pool was made; a call whose captures
// hold handles, or what may be an address, has workers forked anew, at a millisecond or so for each:
// they have it as it is at the call.
//
// An exception comes back as RemoteError. The calls for the other items go on: the first exception,
// in the order of the items, is thrown when all have been made. `chunk` items make a task, that one
// worker does at a time; 0 makes four tasks for each worker.
//
// Death: a worker that is killed, or leaves by exit(), fails the items of the task that it was doing
// with WorkerDied, and no other; another takes its place, also while this process is busy or asleep.
// If this process is killed, so are the workers.
//
// Ctrl-C goes to this process, not to the workers.
//
// The initializer throws: every call does, a RemoteError. So it is where 20 workers, one after the
// other, end in it.
//
// Only the process that made it may use a Pool, else std::logic_error; any of its threads may. After
// close() and terminate() new calls throw Closed.
class Pool {
 public:
  // Throws std::invalid_argument for 0 processes and for more than 1000.
  explicit Pool(unsigned processes = cpu_count()) : core_(make(processes, {})) {}
  explicit Pool(PoolOptions options)
      : core_(make(options.processes != 0 ? options.processes : cpu_count(), options)),
        on_progress_(std::move(options.on_progress)) {}
  Pool(Pool&&) noexcept = default;
  Pool& operator=(Pool&&) = delete;
  // Terminates: results that have not come will not.
  ~Pool() {
    if (core_) core_->finish();
  }

  // f(item) for each, in order. Nothing of a function that returns nothing.
  template <class F, std::ranges::input_range Range>
  auto map(F&& f, Range&& range, std::size_t chunk = 0) {
    return map_async(std::forward<F>(f), std::forward<Range>(range), chunk).get();
  }
  template <class F, class T>
  auto map(F&& f, std::initializer_list<T> list, std::size_t chunk = 0) {
    return map_async(std::forward<F>(f), list, chunk).get();
  }
  template <class F, std::ranges::input_range Range>
  auto map_async(F&& f, Range&& range, std::size_t chunk = 0) {
    return start<detail::CallWithItem>(std::forward<F>(f), std::forward<Range>(range), chunk);
  }
  template <class F, class T>
  auto map_async(F&& f, std::initializer_list<T> list, std::size_t chunk = 0) {
    return start<detail::CallWithItem>(std::forward<F>(f), list, chunk);
  }

  // f(a, b, ...) for each tuple, pair or array.
  template <class F, std::ranges::input_range Range>
  auto starmap(F&& f, Range&& range, std::size_t chunk = 0) {
    return starmap_async(std::forward<F>(f), std::forward<Range>(range), chunk).get();
  }
  template <class F, class T>
  auto starmap(F&& f, std::initializer_list<T> list, std::size_t chunk = 0) {
    return starmap_async(std::forward<F>(f), list, chunk).get();
  }
  template <class F, std::ranges::input_range Range>
  auto starmap_async(F&& f, Range&& range, std::size_t chunk = 0) {
    return start<detail::CallWithTuple>(std::forward<F>(f), std::forward<Range>(range), chunk);
  }
  template <class F, class T>
  auto starmap_async(F&& f, std::initializer_list<T> list, std::size_t chunk = 0) {
    return start<detail::CallWithTuple>(std::forward<F>(f), list, chunk);
  }

  // f(arguments...), once.
  template <class F, class... A>
  auto apply(F&& f, A&&... arguments) {
    return apply_async(std::forward<F>(f), std::forward<A>(arguments)...).get();
  }
  template <class F, class... A>
  auto apply_async(F&& f, A&&... arguments);

  // What comes of f(item), one by one, to be gone through once: in order, or as it comes. Of the range
  // no more is read than the workers need for a while, so that it may be endless. To go on throws
  // where a call did; after that it may be gone on. chunk: 1 or more.
  template <class F, std::ranges::input_range Range>
  auto imap(F&& f, Range&& range, std::size_t chunk = 1) {
    return stream(std::forward<F>(f), std::forward<Range>(range), chunk, detail::Order::kept);
  }
  template <class F, class T>
  auto imap(F&& f, std::initializer_list<T> list, std::size_t chunk = 1) {
    return imap(std::forward<F>(f), std::vector<T>(list), chunk);
  }
  template <class F, std::ranges::input_range Range>
  auto imap_unordered(F&& f, Range&& range, std::size_t chunk = 1) {
    return stream(std::forward<F>(f), std::forward<Range>(range), chunk,
                  detail::Order::as_it_comes);
  }
  template <class F, class T>
  auto imap_unordered(F&& f, std::initializer_list<T> list, std::size_t chunk = 1) {
    return imap_unordered(std::forward<F>(f), std::vector<T>(list), chunk);
  }

  // Takes no more tasks; those that it has are done, and then the workers leave. An imap that has
  // been begun may be gone through to its end.
  void close() { core_->close(); }
  // Kills the workers. What has come can still be had; what has not throws Closed.
  void terminate() { core_->terminate(); }
  // Waits until the workers have left: for what they have been given, not for an imap's end. Who goes
  // on with one has others forked. Throws std::logic_error before close() or terminate().
  void join() { core_->join(); }
  [[nodiscard]] unsigned size() const { return core_->size(); }

 private:
  static std::shared_ptr<detail::PoolCore> make(unsigned processes, const PoolOptions& options) {
    return std::make_shared<detail::PoolCore>(processes, options.max_tasks_per_child,
                                              options.initializer);
  }

  template <template <class, class> class Call, class F, class Range>
  auto start(F&& f, Range&& range, std::size_t chunk);
  template <class F, class Range>
  auto stream(F&& f, Range&& range, std::size_t chunk, detail::Order order);

  std::shared_ptr<detail::PoolCore> core_;
  std::function<void(std::size_t, std::size_t)> on_progress_;
};

template <class F, class... A>
auto Pool::apply_async(F&& f, A&&... arguments) {
  using Function = std::decay_t<F>;
  using Arguments = std::tuple<detail::Nothing, detail::Argument<A>...>;
  using Call = detail::CallWithArguments<Function, Arguments>;
  using R = typename Call::Result;
  core_->check_open();
  const detail::Carried<Function> function(*core_, std::forward<F>(f));
  auto job = std::make_shared<detail::AllResults<R>>(1);
  job->function = function.function();
  detail::TaskWriter<Call, Function, Arguments> task(*core_, function);
  task.begin();
  task.add(Arguments(detail::Nothing(), detail::Argument<A>(std::forward<A>(arguments))...));
  task.submit(job, 0);
  return AsyncResult<R>(core_, std::move(job), detail::collect_one<R>);
}

template <template <class, class> class Call, class F, class Range>
auto Pool::start(F&& f, Range&& range, std::size_t chunk) {
  using Function = std::decay_t<F>;
  using T = detail::Argument<std::ranges::range_value_t<Range>>;
  using CallEach = Call<Function, T>;
  using R = typename CallEach::Result;
  if constexpr (!std::ranges::forward_range<Range> && !std::ranges::sized_range<Range>) {
    std::vector<T> items;  // they have to be counted
    for (auto&& item : range) items.emplace_back(std::forward<decltype(item)>(item));
    return start<Call>(std::forward<F>(f), items, chunk);
  } else {
    core_->check_open();
    const auto total = static_cast<std::size_t>(std::ranges::distance(range));
    const std::size_t shares = std::size_t{4} * size();
    if (chunk == 0) chunk = std::max<std::size_t>((total + shares - 1) / shares, 1);
    const detail::Carried<Function> function(*core_, std::forward<F>(f));
    auto job = std::make_shared<detail::AllResults<R>>(total, on_progress_);
    job->function = function.function();
    detail::TaskWriter<CallEach, Function, T> task(*core_, function);
    try {
      std::size_t first = 0;
      task.begin();
      for (auto&& item : range) {
        task.add(T(std::forward<decltype(item)>(item)));
        if (task.items() < chunk) continue;
        task.submit(job, first);
        first += task.items();
        task.begin();
      }
      if (task.items() > 0) task.submit(job, first);
    } catch (...) {
      core_->abandon(*job);
      throw;
    }
    return AsyncResult<detail::All<R>>(core_, std::move(job), detail::collect_all<R>);
  }
}

template <class F, class Range>
auto Pool::stream(F&& f, Range&& range, std::size_t chunk, detail::Order order) {
  using Function = std::decay_t<F>;
  using T = detail::Argument<std::ranges::range_value_t<Range>>;
  using Call = detail::CallWithItem<Function, T>;
  if (chunk == 0) throw std::invalid_argument("shoal: pool: imap: a chunk is 1 item, or more");
  core_->check_open();
  return detail::Stream<Call, Function, T, Range>(core_, Function(std::forward<F>(f)),
                                                  std::forward<Range>(range), chunk, order);
}

}  // namespace shoal
