// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "shoal/detail/machine.hpp"

namespace shoal::detail {

// An event in shared memory. The slow path is in lib/core/event.hpp.
//
//   state      odd: set. Each change of it adds one, so that a set() followed at once by a clear()
//              leaves another number than it found: all who waited see that. Anyone, by one atomic
//              operation
//   sleepers   the wait's: lib/core/wait.hpp
//
// R1 -> A1   set() writes state (release), also where it is set already; who sees it set (acquire)
//            sees what was done before set().
// M1 -> M2   set() changes state, then loads sleepers; a sleeper stores sleepers, then loads state.
//            Sequentially consistent here: an atomic or is a barrier anyway.
template <class World>
struct alignas(64) BasicEventWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  Atomic<std::uint32_t> state;
  Atomic<std::uint32_t> sleepers;
};
using EventWord = BasicEventWord<MachineAtomics>;
static_assert(std::is_standard_layout_v<EventWord> && sizeof(EventWord) == 64);

constexpr bool is_set(std::uint32_t state) { return state % 2 != 0; }

// True: somebody may be asleep, and is to be woken.
template <class World>
[[nodiscard]] bool set_event(BasicEventWord<World>& word) {
  word.state.fetch_or(1, std::memory_order_seq_cst);  // R1, M1: adds one, where it was even
  return (word.sleepers.load(std::memory_order_seq_cst) & kSomebodySleeps) != 0;  // M1
}

template <class World>
void clear_event(BasicEventWord<World>& word) {
  std::uint32_t state = word.state.load(std::memory_order_relaxed);  // the CAS checks it
  while (is_set(state) &&
         !word.state.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel,
                                           std::memory_order_relaxed)) {
  }
}

}  // namespace shoal::detail
