// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "shoal/detail/machine.hpp"

namespace shoal::detail {

// A counting semaphore in shared memory. The slow path is in lib/core/semaphore.hpp.
//
//   count      permits that anyone may take: 0 to INT_MAX. Anyone, by CAS
//   sleepers   the wait's: lib/core/wait.hpp
//
// R1 -> A1   release() adds by a CAS (release); the CAS that takes a permit reads it or a later one
//            of the same release sequence (acquire): who acquires sees what was done before the
//            release.
// M1 -> M2   release() changes count, then loads sleepers; a sleeper stores sleepers, then loads
//            count: see lib/core/wait.hpp. Sequentially consistent here: the CAS is a barrier
//            anyway.
template <class World>
struct alignas(64) BasicSemaphoreWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  Atomic<std::int32_t> count;
  Atomic<std::uint32_t> sleepers;
};
using SemaphoreWord = BasicSemaphoreWord<MachineAtomics>;
static_assert(std::is_standard_layout_v<SemaphoreWord> && sizeof(SemaphoreWord) == 64);

// Takes a permit, where there is one.
template <class World>
bool take_permit(BasicSemaphoreWord<World>& word) {
  std::int32_t count = word.count.load(std::memory_order_relaxed);  // the CAS checks it
  while (count > 0)
    if (word.count.compare_exchange_weak(count, count - 1, std::memory_order_acquire,  // A1
                                         std::memory_order_relaxed))
      return true;
  return false;
}

enum class Added { nobody_sleeps, somebody_sleeps, overflow };

// Adds n permits, where they fit. somebody_sleeps: they are to be woken.
template <class World>
[[nodiscard]] Added add_permits(BasicSemaphoreWord<World>& word, std::int32_t n) {
  std::int32_t count = word.count.load(std::memory_order_relaxed);  // the CAS checks it
  do {
    if (count > std::numeric_limits<std::int32_t>::max() - n) return Added::overflow;
  } while (!word.count.compare_exchange_weak(count, count + n, std::memory_order_seq_cst,  // R1, M1
                                             std::memory_order_relaxed));
  return (word.sleepers.load(std::memory_order_seq_cst) & kSomebodySleeps) != 0  // M1
             ? Added::somebody_sleeps
             : Added::nobody_sleeps;
}

}  // namespace shoal::detail
