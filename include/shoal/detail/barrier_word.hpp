// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "shoal/detail/machine.hpp"
#include "shoal/detail/owner_value.hpp"

namespace shoal::detail {

// A barrier in shared memory; the algorithm is in lib/core/barrier.hpp.
//
//   state      bit 0       broken: nobody waits, nobody may, until reset()
//              bit 1       the last to arrive runs its action
//              bits 2-15   how many have arrived in this round
//              bits 16-31  how the 16 rounds before this one ended, the latest lowest: 1, completed
//              bits 32-63  number of this round
//              Anyone, by CAS
//   sleepers   the wait's: lib/core/wait.hpp
//   parties    the creator's
//   began      when the first of a round arrived, or earlier: ticks of the processor's counter. Of a
//              barrier of two or more parties; the first's
//
// Behind it, for each process record, who is inside: a process writes its value and, by CAS, the
// round's number + 1 before it arrives. A round that has gone makes that stale; nobody need take it
// back but who buries the process, to 0: the numbers come again. Each on a line of its own: the CAS
// that arrives waits for what was stored before it.
template <class World>
struct alignas(64) BasicBarrierWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  Atomic<std::uint64_t> state;
  Atomic<std::uint32_t> sleepers;
  Atomic<std::uint32_t> parties;
  Atomic<std::uint64_t> began;
};
template <class World>
struct alignas(64) BasicBarrierMark {
  typename World::template Atomic<OwnerValue> owner;
  typename World::template Atomic<std::uint64_t> round;
};
using BarrierWord = BasicBarrierWord<MachineAtomics>;
using BarrierMark = BasicBarrierMark<MachineAtomics>;
static_assert(std::is_standard_layout_v<BarrierWord> && sizeof(BarrierWord) == 64);
static_assert(std::is_standard_layout_v<BarrierMark> && sizeof(BarrierMark) == 64);

inline constexpr int kMostParties = (1 << 14) - 1;

}  // namespace shoal::detail
