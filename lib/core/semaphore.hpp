// SPDX-License-Identifier: MIT
#pragma once

// The slow path of a semaphore; its word and its orders are in shoal/detail/semaphore_word.hpp.
//
// Killed after it has changed the count, a process has taken its permit with it, or given what it
// gave, even one that it would have been refused; a wake that it owed is found out when the sleepers'
// slices end.

#include "core/wait.hpp"
#include "shoal/detail/semaphore_word.hpp"

namespace shoal::core {

template <class World>
using SemaphoreWordOf = detail::BasicSemaphoreWord<typename World::Atomics>;

// False at the deadline.
template <class World>
bool acquire(World& world, SemaphoreWordOf<World>& word, Deadline deadline) {
  const bool acquired = core::wait(world, word.sleepers, deadline, [&](Glance) {
    return detail::take_permit(word) ? Look::done : Look::wait;
  });
  // One wake may stand for two releases, of which the second found the flag already down; or it
  // was spent on a waiter that gave up. Where permits are left, it is passed on.
  pass_on(world, word.sleepers, word.count.load(std::memory_order_relaxed) > 0);
  return acquired;
}

}  // namespace shoal::core
