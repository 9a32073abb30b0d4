// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "shoal/detail/machine.hpp"
#include "shoal/detail/mutant.hpp"
#include "shoal/detail/obituary.hpp"
#include "shoal/detail/owner_value.hpp"

namespace shoal::detail {

// A lock in shared memory, and the fast paths on it. The slow ones are in lib/core/lock.hpp.
//
//   owner                   meaning                         who may change it
//   0                       free                            anyone, to its own owner value
//   owner                   held                            its owner, to 0; anyone, once its owner
//                                                           is dead: to the next, or to abandoned
//   owner | kInherited      held, taken over from a dead    the same
//   owner | kAbandoned      nobody's: its owner died        who recovers it, to its own | kInherited
//
//   reserve                 0, or the value of a process that has waited too long: everybody else
//                           keeps off the free lock, for as long as that takes it within 1 ms
//   sleepers                bit 0: somebody may be asleep, the next unlock wakes; who was woken sets
//                           it again, for there may be others. Legal to be 1 with nobody asleep. The
//                           other bits are the wait's, in lib/core/wait.hpp.
//   holder                  the owner's own note: its thread's id, and the low half of its value if
//                           it holds the lock plainly. Written after taking it, 0 before giving it
//                           back, so: this process's half stands there if and only if unlock may be
//                           a plain store. (To read `owner` itself so soon after the CAS costs more
//                           than all the rest of an unlock.)
//   depth                   of an RLock: how often its holder has locked it; its holder's alone
//   inherits                1: an abandoned lock goes to the next caller. The creator's choice.
//
// Memory-order pairs.
//   R1 -> A1   unlock stores 0 (release); the CAS that takes the lock reads it (acquire): the next
//              holder sees what the last one did.
//   R2 -> A1   the CAS to abandoned (release) passes on what the dead one did: it follows an
//              acquire load of the owner's value and the kernel's word that the owner has ended.
//   M1 -> M2   unlock stores 0, then loads sleepers; who goes to sleep stores sleepers, then loads
//              owner. One of the two must see the other. Unlock has no fence: the sleeper's
//              membarrier stands for both.
template <class World>
struct alignas(64) BasicLockWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  Atomic<OwnerValue> owner;
  Atomic<OwnerValue> reserve;
  Atomic<std::uint64_t> holder;
  Atomic<std::uint32_t> sleepers;
  Atomic<std::uint32_t> inherits;
  Atomic<std::uint32_t> depth;
  alignas(64) BasicObituary<World> obituary;
};
using LockWord = BasicLockWord<MachineAtomics>;

static_assert(std::is_standard_layout_v<LockWord>);
static_assert(sizeof(LockWord) == 128, "docs/format.md");
static_assert(offsetof(LockWord, sleepers) == 24 && offsetof(LockWord, obituary) == 64);
static_assert(std::atomic<OwnerValue>::is_always_lock_free);

// One CAS, where the lock is free and kept for nobody. `me` is 0 in a process that must take the
// slow path (it is not attached, or cannot be reached by membarrier): then false.
template <class World>
bool take_if_free(BasicLockWord<World>& word, OwnerValue me) {
  constexpr auto acquire = World::kMutant == Mutant::acquire_dropped ? std::memory_order_relaxed
                                                                     : std::memory_order_acquire;
  OwnerValue free = kNobody;
  // Relaxed: reserve is a courtesy. Who misses it takes the lock once more before somebody else.
  return me != 0 && word.reserve.load(std::memory_order_relaxed) == kNobody &&
         word.owner.compare_exchange_strong(free, me, acquire,  // A1
                                            std::memory_order_relaxed);
}

constexpr std::uint64_t holder_note(std::uint32_t tid, OwnerValue me) {
  return std::uint64_t{tid} << 32 | static_cast<std::uint32_t>(me);
}
constexpr std::uint32_t holder_tid(std::uint64_t note) {
  return static_cast<std::uint32_t>(note >> 32);
}

// To be called by who has just taken it. Relaxed: but for its own process, only people read it.
template <class World>
void note_holder(BasicLockWord<World>& word, std::uint32_t tid, OwnerValue me) {
  word.holder.store(holder_note(tid, me), std::memory_order_relaxed);
}

// Whether `me` holds the lock, so that release() may follow; false where `me` is 0.
template <class World>
bool is_held_by(const BasicLockWord<World>& word, OwnerValue me) {
  const std::uint64_t note = word.holder.load(std::memory_order_relaxed);
  return me != 0 && static_cast<std::uint32_t>(note) == static_cast<std::uint32_t>(me);
}

// Gives the lock back by a plain store: nobody takes a lock from a live process, so there is
// nothing to compare. True: somebody may be asleep, and is to be woken.
template <class World>
[[nodiscard]] bool release(BasicLockWord<World>& word) {
  constexpr auto release = World::kMutant == Mutant::release_relaxed ? std::memory_order_relaxed
                                                                     : std::memory_order_release;
  word.holder.store(0, std::memory_order_relaxed);
  word.owner.store(kNobody, release);                   // R1, M1
  std::atomic_signal_fence(std::memory_order_seq_cst);  // the compiler keeps M1's order too
  return (word.sleepers.load(std::memory_order_relaxed) & kSomebodySleeps) != 0;  // M1
}

}  // namespace shoal::detail
