// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "os/child.hpp"
#include "os/roll_call.hpp"
#include "pool_memory.hpp"

namespace shoal::detail {

struct CrewOptions {
  unsigned size = 1;
  std::size_t max_tasks_per_child = 0;
  std::function<void()> initializer;
};

// Numbers of workers: so many, from `first` on.
struct WorkerRange {
  std::uint32_t first;
  std::uint32_t count;
};

// The workers of a Pool, and their foreman: a process forked from the user's, with a single thread,
// that forks the workers, buries those that end, and forks others in their place. It needs nothing of
// the user's process, which may be busy; and ends, with all of them, when that does.
//
// They are a process group of their own, so that one signal ends them all, and Ctrl-C is the user's
// process's to handle.
class Crew {
 public:
  // Workers have the numbers from `first` on. They and the workers of `older` crews do options.size tasks
  // at once, no more. `memory` outlives it. Throws std::system_error.
  Crew(PoolMemory& memory, const CrewOptions& options, std::uint32_t first, std::uint64_t number,
       std::vector<WorkerRange> older);

  [[nodiscard]] WorkerRange workers() const { return workers_; }
  // The foreman has ended: all have left, or somebody has killed it.
  [[nodiscard]] bool has_ended();
  // Kills whoever is there, and waits until they are gone.
  void end();
  [[nodiscard]] bool ends_by(Deadline deadline);

 private:
  const WorkerRange workers_;
  os::Tether tether_;
  os::RollCall roll_call_;
  os::Child foreman_;
};

// Gives back what a worker held that has ended.
void bury_worker(PoolMemory& memory, std::uint32_t number, WorkerEnd end);

}  // namespace shoal::detail
