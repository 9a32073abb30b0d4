// SPDX-License-Identifier: MIT
#pragma once

// The slow path of an event; its word and its orders are in shoal/detail/event_word.hpp.
//
// Killed after it changed the state, a setter has set it; those asleep find out when their slices end.

#include "core/wait.hpp"
#include "shoal/detail/event_word.hpp"

namespace shoal::core {

template <class World>
using EventWordOf = detail::BasicEventWord<typename World::Atomics>;

// Until the state is another than `before`, which was not set. False at the deadline.
template <class World>
bool wait_for_change(World& world, EventWordOf<World>& word, std::uint32_t before,
                     Deadline deadline) {
  return core::wait(world, word.sleepers, deadline, [&](Glance) {
    return word.state.load(std::memory_order_acquire) != before ? Look::done : Look::wait;  // A1
  });
}

// Until it is set, or has been since the call. False at the deadline.
template <class World>
bool wait_for_event(World& world, EventWordOf<World>& word, Deadline deadline) {
  const std::uint32_t before = word.state.load(std::memory_order_acquire);  // A1
  return detail::is_set(before) || wait_for_change(world, word, before, deadline);
}

}  // namespace shoal::core
