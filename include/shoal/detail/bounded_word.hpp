// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "shoal/detail/lock_word.hpp"

namespace shoal::detail {

// A semaphore whose permits belong to processes; the algorithm is in
// lib/core/bounded_semaphore.hpp.
//
//   lock       guards count and what is held: an inner lock, of the inherit kind
//   count      permits that anyone may take: bound less all that is held. A cache of that sum: who
//              inherits the lock works it out anew
//   sleepers   the wait's: lib/core/wait.hpp
//   bound      the creator's
//
// Behind it, for each process record, what it holds: the process's value, and how many. What a
// dead process holds is nobody's: it is taken back by whoever finds count at 0.
template <class World>
struct alignas(64) BasicBoundedWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  BasicLockWord<World> lock;
  Atomic<std::int32_t> count;
  Atomic<std::uint32_t> sleepers;
  Atomic<std::int32_t> bound;
};
template <class World>
struct BasicHeldPermits {
  typename World::template Atomic<OwnerValue> owner;
  typename World::template Atomic<std::int32_t> permits;
  std::uint32_t reserved;
};
using BoundedWord = BasicBoundedWord<MachineAtomics>;
using HeldPermits = BasicHeldPermits<MachineAtomics>;
static_assert(std::is_standard_layout_v<BoundedWord> && sizeof(BoundedWord) == 192);
static_assert(std::is_standard_layout_v<HeldPermits> && sizeof(HeldPermits) == 16);

}  // namespace shoal::detail
