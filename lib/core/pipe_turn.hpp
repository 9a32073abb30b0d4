// SPDX-License-Identifier: MIT
#pragma once

// Whose turn it is at one side of a pipe's lane; the words are in shoal/detail/pipe_word.hpp.
//
// A lock that its last holder keeps, as long as nobody else wants it (Kawachiya, Koseki, Onodera:
// "Lock Reservation", OOPSLA 2002): the favourite enters by a plain store. Whoever else comes takes
// the lock, takes the favourite's privilege away, and waits until it has left. After that has
// happened a few times there is no favourite any more, and all use the lock.
//
//   favourite:  busy = me;  is it still mine?  ...  busy = 0;  wake whoever waits
//   another:    lock;  favourite = none;  barrier;  wait while busy  ...  unlock
//
// What each step leaves behind when its process is killed right after it:
//
//   busy = me            a dead process is inside: it counts for nothing, and who comes clears it
//   lock                 its next holder inherits it
//   favourite = none     all use the lock, until one of them is the favourite again
//   owner, favourite     a favourite that is dead: who comes next takes its place
//
// Memory-order pairs.
//   B1 -> B2   the favourite stores busy, then loads favourite; another one stores favourite, then
//              loads busy. At least one sees the other's store: as M1 -> M2 in lib/core/wait.hpp,
//              the other one pays for the barrier.
//   L1 -> L2   the favourite stores busy = 0 (release); another one loads that (acquire): what the
//              favourite did inside is there.
//   M1 -> M2   likewise, then sleepers: lib/core/wait.hpp.

#include <atomic>
#include <cstdint>

#include "core/lock.hpp"
#include "core/wait.hpp"
#include "core/world.hpp"
#include "shoal/detail/pipe_word.hpp"

namespace shoal::core {

template <class World>
using PipeTurnOf = detail::BasicPipeTurn<typename World::Atomics>;

// Whether a live process has the turn.
template <class World>
bool has_turn(World& world, PipeTurnOf<World>& turn, LockWordOf<World>& lock) {
  for (const OwnerValue who : {turn.busy.load(std::memory_order_acquire),    // L2
                               lock.owner.load(std::memory_order_acquire)})  // L2
    if (who != detail::kNobody && !detail::is_abandoned(who) && world.alive(detail::owner_of(who)))
      return true;
  return false;
}

// One thread's turn. enter() or enter_at_once(), and then leave(), by the same thread.
template <class World>
class PipeTurn {
 public:
  // `tid` is the thread's, and not 0.
  PipeTurn(World& world, PipeTurnOf<World>& turn, LockWordOf<World>& lock, OwnerValue me,
           std::uint32_t tid)
      : world_(world), turn_(turn), lock_(lock), me_(me), note_(detail::holder_note(tid, me)) {}

  // False: not in time.
  bool enter(Deadline deadline) { return enter_at_once() || enter_by_lock(deadline); }
  // False: not the favourite.
  bool enter_at_once() {
    if (turn_.favourite.load(std::memory_order_relaxed) != note_) return false;
    turn_.busy.store(me_, std::memory_order_relaxed);     // B1
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the compiler keeps B1's order too
    if (turn_.favourite.load(std::memory_order_relaxed) == note_) return true;
    leave_as_favourite();
    return false;
  }

  // Whether the last to enter and leave was this thread.
  bool is_favourite() const { return !has_lock_; }

  void leave() {
    if (has_lock_)
      core::unlock(world_, lock_);
    else
      leave_as_favourite();
  }

 private:
  // A favourite that has changed so often is none.
  static constexpr std::uint32_t kMostChanges = 8;

  void leave_as_favourite() {
    turn_.busy.store(detail::kNobody, std::memory_order_release);  // L1, M1
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if ((turn_.sleepers.load(std::memory_order_relaxed) & detail::kSomebodySleeps) != 0)  // M1
      core::wake(world_, turn_.sleepers, kEverybody);
  }

  bool enter_by_lock(Deadline deadline) {
    if (!detail::take_if_free(lock_, world_.is_reached() ? me_ : detail::kNobody)) {
      const LockResult result = core::lock(world_, lock_, me_, deadline, Abandoned::is_taken);
      if (result.outcome == LockOutcome::timed_out) return false;
    }
    detail::note_holder(lock_, static_cast<std::uint32_t>(note_ >> 32), me_);
    has_lock_ = true;
    const bool in_turn = displace_favourite();
    if (!await_favourite(deadline)) {
      core::unlock(world_, lock_);
      has_lock_ = false;
      return false;
    }
    // Who is not reached by barrier() may not be one. The owner first: who sees the note sees it.
    if (in_turn && world_.is_reached()) {
      turn_.owner.store(me_, std::memory_order_relaxed);
      turn_.favourite.store(note_, std::memory_order_release);
    }
    return true;
  }

  // Whether there may be a new one.
  bool displace_favourite() {
    const std::uint64_t seen = turn_.favourite.load(std::memory_order_acquire);
    if (seen == 0) return true;
    const std::uint32_t changes = turn_.changes.load(std::memory_order_relaxed);
    if (seen != detail::kNoFavourite) {
      if (!world_.alive(turn_.owner.load(std::memory_order_relaxed))) return true;
      turn_.favourite.store(detail::kNoFavourite, std::memory_order_relaxed);  // B2
      turn_.changes.store(changes + 1, std::memory_order_relaxed);
      if (World::kMutant != Mutant::no_membarrier && !world_.barrier())
        world_.sleep(turn_.sleepers, turn_.sleepers.load(std::memory_order_relaxed),
                     kSliceWithoutBarrier);  // by then its store has long been seen
    }
    return changes < kMostChanges;
  }

  bool await_favourite(Deadline deadline) {
    if (turn_.busy.load(std::memory_order_acquire) == detail::kNobody) return true;  // L2
    return core::wait(world_, turn_.sleepers, deadline, [this](Glance glance) {
      const OwnerValue busy = turn_.busy.load(std::memory_order_acquire);  // L2
      if (busy == detail::kNobody) return Look::done;
      if (glance == Glance::quick || world_.alive(busy)) return Look::wait;
      turn_.busy.store(detail::kNobody, std::memory_order_relaxed);
      return Look::done;
    });
  }

  World& world_;
  PipeTurnOf<World>& turn_;
  LockWordOf<World>& lock_;
  const OwnerValue me_;
  const std::uint64_t note_;
  bool has_lock_ = false;
};

}  // namespace shoal::core
