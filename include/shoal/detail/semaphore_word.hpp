// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "shoal/detail/machine.hpp"

namespace shoal::detail {

// A counting semaphore in shared memory. The slow path is in lib/core/semaphore.hpp.
//
//   count      permits that anyone may take: 0 to INT_MAX. Anyone, by an atomic read-modify-write.
//              Above INT_MAX: a release of one too many is about to be refused, and takes it back;
//              or was killed before it did, and it stays.
//   sleepers   the wait's: lib/core/wait.hpp
//
// R1 -> A1   release() adds (release); the CAS that takes a permit reads that sum or a later one of
//            the same release sequence (acquire): who acquires sees what was done before the
//            release.
// M1 -> M2   release() changes count, then loads sleepers; a sleeper stores sleepers, then loads
//            count: see lib/core/wait.hpp. Sequentially consistent here: the addition is a barrier
//            anyway.
template <class World>
struct alignas(64) BasicSemaphoreWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  Atomic<std::int64_t> count;
  Atomic<std::uint32_t> sleepers;
};
using SemaphoreWord = BasicSemaphoreWord<MachineAtomics>;
static_assert(std::is_standard_layout_v<SemaphoreWord> && sizeof(SemaphoreWord) == 64);
static_assert(offsetof(SemaphoreWord, sleepers) == 8 &&
              std::atomic<std::int64_t>::is_always_lock_free);

inline constexpr std::int64_t kMostPermits = std::numeric_limits<int>::max();

// Takes a permit, where there is one.
template <class World>
bool take_permit(BasicSemaphoreWord<World>& word) {
  std::int64_t count = word.count.load(std::memory_order_relaxed);  // the CAS checks it
  while (count > 0)
    if (word.count.compare_exchange_weak(count, count - 1, std::memory_order_acquire,  // A1
                                         std::memory_order_relaxed))
      return true;
  return false;
}

enum class Added { nobody_sleeps, somebody_sleeps, overflow };

// Takes back a permit that was too many. False where it is not any more: somebody took one.
template <class World>
[[nodiscard]] bool take_back_excess(BasicSemaphoreWord<World>& word) {
  std::int64_t count = word.count.load(std::memory_order_relaxed);  // the CAS checks it
  while (count > kMostPermits)
    if (word.count.compare_exchange_weak(count, count - 1, std::memory_order_relaxed)) return true;
  return false;
}

// Adds one first, and then looks whether it fits: a look before would have to wait for the caller's
// own CAS on the same word, a quarter of an acquire() and a release(). As long as it is one at a time,
// nobody can tell which of the permits was one too many.
template <class World>
[[nodiscard]] bool add_one(BasicSemaphoreWord<World>& word) {
  const std::int64_t count = word.count.fetch_add(1, std::memory_order_seq_cst);  // R1, M1
  return count < kMostPermits || !take_back_excess(word);
}

template <class World>
[[nodiscard]] bool add_several(BasicSemaphoreWord<World>& word, int n) {
  std::int64_t count = word.count.load(std::memory_order_relaxed);  // the CAS checks it
  do {
    if (count > kMostPermits - n) return false;
  } while (!word.count.compare_exchange_weak(count, count + n, std::memory_order_seq_cst,  // R1, M1
                                             std::memory_order_relaxed));
  return true;
}

// Adds n permits, where they fit. somebody_sleeps: they are to be woken.
template <class World>
[[nodiscard]] Added add_permits(BasicSemaphoreWord<World>& word, int n) {
  if (!(n == 1 ? add_one(word) : add_several(word, n))) return Added::overflow;
  return (word.sleepers.load(std::memory_order_seq_cst) & kSomebodySleeps) != 0  // M1
             ? Added::somebody_sleeps
             : Added::nobody_sleeps;
}

}  // namespace shoal::detail
