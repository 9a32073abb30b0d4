// SPDX-License-Identifier: MIT
#pragma once

// Whose turn it is at one side of a pipe's lane; the words are in shoal/detail/pipe_word.hpp.
//
// A lock that its last holder keeps, as long as nobody else wants it (Kawachiya, Koseki, Onodera:
// "Lock Reservation", OOPSLA 2002): the favourite enters by a plain store. Whoever else comes takes
// the lock, takes the favourite's privilege away, and waits until it has left. After that has
// happened a few times there is no favourite any more, and all use the lock.
//
//   favourite:  busy[period] = 1;  is it still mine?  ...  busy[period] = 0;  wake whoever waits
//   another:    lock;  favourite = none, period + 1;  barrier;  wait while busy[period]  ...  unlock
//
// A favourite may be held up anywhere: before it marks that it is inside, too, or before it takes the
// mark away as it finds that it is the favourite no more. By then the next one may be inside, and
// with one mark for both, its own would be written over. So each period, from one such change to the
// next, has a mark of its own, and its number is in the word that says whose favour it is: marks that
// come late are where nobody looks. A favourite that is dead has no more stores to come, nor have
// those of its period before it, which were dead, too: the next one's period is the same.
//
// What each step leaves behind when its process is killed right after it:
//
//   busy = 1             a dead process is inside: it counts for nothing, and who comes clears it
//   lock                 its next holder inherits it
//   favourite = none     the same, and makes the barrier that may not have been made. All use the
//                        lock, until one of them is the favourite again
//   owner                a dead process, where there may be a mark of the favourite before: of one
//                        that is dead, too; or that comes late, and finds that its favour is gone
//   favourite            a favourite that is dead: who comes next takes its place
//
// Memory-order pairs.
//   B1 -> B2   the favourite stores busy, then loads favourite; another one stores favourite, then
//              loads busy. At least one sees the other's store: as M1 -> M2 in lib/core/wait.hpp,
//              the other one pays for the barrier.
//   L1 -> L2   the favourite stores busy = 0 (release); another one loads that (acquire): what the
//              favourite did inside is there. So it is for who does not see that, but what the other
//              one then stored (release): that it is the owner, or the favourite (acquire).
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
  const std::uint64_t favourite = turn.favourite.load(std::memory_order_acquire);        // L2
  if (turn.busy[detail::last_period(favourite)].load(std::memory_order_acquire) != 0 &&  // L2
      world.alive(turn.owner.load(std::memory_order_acquire)))                           // L2
    return true;
  const OwnerValue who = lock.owner.load(std::memory_order_acquire);  // L2
  return who != detail::kNobody && !detail::is_abandoned(who) && world.alive(detail::owner_of(who));
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
    const std::uint64_t seen = turn_.favourite.load(std::memory_order_relaxed);
    period_ = detail::period_of(seen, note_);
    if (period_ >= detail::kPeriods) return false;
    turn_.busy[period_].store(1, std::memory_order_relaxed);  // B1
    std::atomic_signal_fence(std::memory_order_seq_cst);      // the compiler keeps B1's order too
    if (turn_.favourite.load(std::memory_order_relaxed) == seen) return true;
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
  void leave_as_favourite() {
    turn_.busy[period_].store(0, std::memory_order_release);  // L1, M1
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if ((turn_.sleepers.load(std::memory_order_relaxed) & detail::kSomebodySleeps) != 0)  // M1
      core::wake(world_, turn_.sleepers, kEverybody);
  }

  bool enter_by_lock(Deadline deadline) {
    bool inherited = false;
    if (!detail::take_if_free(lock_, world_.is_reached() ? me_ : detail::kNobody)) {
      const LockResult result = core::lock(world_, lock_, me_, deadline, Abandoned::is_taken);
      if (result.outcome == LockOutcome::timed_out) return false;
      inherited = result.outcome == LockOutcome::inherited;
    }
    detail::note_holder(lock_, static_cast<std::uint32_t>(note_ >> 32), me_);
    has_lock_ = true;
    const std::uint64_t last = displace_favourite(inherited);
    if (!await_favourite(detail::last_period(last), deadline)) {
      core::unlock(world_, lock_);
      has_lock_ = false;
      return false;
    }
    become_favourite(detail::period_of(last));
    return true;
  }

  // Who is not reached by barrier() may not be one. The owner first: who sees the note sees it.
  void become_favourite(std::uint64_t period) {
    if (period >= detail::kPeriods || !world_.is_reached()) return;
    turn_.owner.store(me_, std::memory_order_release);                                         // L1
    turn_.favourite.store(detail::favourite_value(note_, period), std::memory_order_release);  // L1
  }

  // What favourite is then: nobody alive.
  std::uint64_t displace_favourite(bool inherited) {
    std::uint64_t favourite = turn_.favourite.load(std::memory_order_acquire);
    if (detail::has_favourite(favourite)) {
      if (!world_.alive(turn_.owner.load(std::memory_order_relaxed))) return favourite;
      favourite = detail::favourite_value(0, detail::period_of(favourite) + 1);
      turn_.favourite.store(favourite, std::memory_order_relaxed);  // B2
    } else if (!inherited || World::kMutant == Mutant::barrier_not_repeated) {
      return favourite;  // whoever displaced the last one has made the barrier before it unlocked
    }
    if (World::kMutant != Mutant::no_membarrier && !world_.barrier())
      world_.sleep(turn_.sleepers, turn_.sleepers.load(std::memory_order_relaxed),
                   kSliceWithoutBarrier);  // by then its store has long been seen
    return favourite;
  }

  bool await_favourite(std::uint64_t period, Deadline deadline) {
    auto& busy = turn_.busy[period];
    if (busy.load(std::memory_order_acquire) == 0) return true;  // L2
    return core::wait(world_, turn_.sleepers, deadline, [&](Glance glance) {
      if (busy.load(std::memory_order_acquire) == 0) return Look::done;  // L2
      if (glance == Glance::quick || world_.alive(turn_.owner.load(std::memory_order_relaxed)))
        return Look::wait;
      busy.store(0, std::memory_order_relaxed);
      return Look::done;
    });
  }

  World& world_;
  PipeTurnOf<World>& turn_;
  LockWordOf<World>& lock_;
  const OwnerValue me_;
  const std::uint64_t note_;
  std::uint64_t period_ = 0;
  bool has_lock_ = false;
};

}  // namespace shoal::core
