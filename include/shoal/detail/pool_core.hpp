// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>

#include "shoal/detail/deadline.hpp"
#include "shoal/detail/job.hpp"

namespace shoal::detail {

// A Pool, but for the types of what it calls. Of the process that made it; any of its threads may
// call anything.
class PoolCore {
 public:
  PoolCore(unsigned processes, std::size_t max_tasks_per_child, std::function<void()> initializer);
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;
  ~PoolCore();

  [[nodiscard]] unsigned size() const;
  // Throws Closed, unless it takes tasks.
  void check_open() const;
  // Whether something in there may be an address of this process's memory, which the workers do not
  // have as it is now.
  static bool may_hold_address(std::span<const std::byte> bytes);
  // From now on, tasks are done by workers that have this process's memory as it is now.
  void renew_workers();

  // Hands in a task: so many items, from that one on. Waits where millions of them wait.
  void submit(const std::shared_ptr<Job>& job, RunTask run, std::span<const std::byte> arguments,
              std::size_t first, std::size_t items);
  // A job that hands in tasks as its results are taken, until it has been ended: also after close().
  // Throws Closed.
  void begin_stream(Job& job);
  void end_stream(Job& job);
  // Waits until the job is ready. False at the deadline.
  bool wait(Job& job, Deadline deadline);
  // A look at what has come.
  void look();
  // Calls it while no other thread gives anything to a Job.
  void locked(const std::function<void()>& call);
  // Nobody wants to know what comes of it any more.
  void abandon(Job& job);

  void close();
  void terminate();
  void join();
  // As terminate(), in the process that made it; in others nothing.
  void finish() noexcept;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace shoal::detail
