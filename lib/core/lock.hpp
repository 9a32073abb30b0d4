// SPDX-License-Identifier: MIT
#pragma once

// The slow paths of a lock. States, owners and memory-order pairs stand above BasicLockWord, in
// shoal/detail/lock_word.hpp.
//
// What each step leaves behind when its process is killed right after it:
//
//   lock    CAS 0 -> me                 held by a dead process: the next to look closely tells
//           reserve: 0 -> me            everybody keeps off for 1 ms, then somebody clears it
//   unlock  owner = 0                   free; a sleeper finds out when its slice ends
//           flag = 0                    the same
//   bury    obituary words              held by a dead process, as before; the next writes the same
//           CAS dead -> abandoned       abandoned; sleepers find out when their slices end
//   recover CAS abandoned -> me         held by a dead process: abandoned again, by this one

#include <atomic>
#include <cstdint>

#include "core/cpu_notes.hpp"
#include "core/obituary.hpp"
#include "core/wait.hpp"
#include "core/world.hpp"
#include "shoal/detail/lock_word.hpp"
#include "shoal/detail/pace.hpp"

namespace shoal::core {

// The words of a world; named so that only the world is deduced.
template <class World>
using LockWordOf = detail::BasicLockWord<typename World::Atomics>;

enum class LockOutcome { taken, inherited, abandoned, timed_out };

// Whether a caller takes an abandoned lock, or is told of it.
enum class Abandoned { is_told, is_taken };

// A waiter that has waited for World::kPatience reserves the lock; the reservation lapses when the
// lock was free for so long and not taken by who reserved it.
inline constexpr std::int64_t kReservationLapses = 1 * kMillisecond;

// Declares a lock abandoned whose owner, in `seen`, is dead; tells all who sleep. Where it has
// changed hands meanwhile, nothing.
template <class World>
void abandon(World& world, LockWordOf<World>& word, OwnerValue seen) {
  const OwnerValue dead = detail::owner_of(seen);
  const auto write = [&] {
    Facts facts = world.facts(dead);
    facts.words[1] = detail::holder_tid(word.holder.load(std::memory_order_relaxed));
    write_obituary(word.obituary, facts, dead, [&] {
      return word.owner.load(std::memory_order_relaxed) == seen;  // after the acquire loads before
    });
  };
  if constexpr (World::kMutant != Mutant::obituary_after_verdict) write();
  const bool declared = word.owner.compare_exchange_strong(seen, dead | detail::kAbandoned,
                                                           std::memory_order_acq_rel,  // R2
                                                           std::memory_order_relaxed);
  if constexpr (World::kMutant == Mutant::obituary_after_verdict) write();
  if (declared) core::wake(world, word.sleepers, kEverybody);
}

// The state of one caller's attempt to take a lock, from its first look to its last.
template <class World>
class LockAttempt {
 public:
  LockAttempt(World& world, LockWordOf<World>& word, OwnerValue me, Abandoned abandoned)
      : world_(world), word_(word), me_(me), abandoned_(abandoned) {}

  // As a wait begins. True: it is over already.
  bool begin_wait(Deadline deadline) {
    if constexpr (World::kTakesTurns) {
      if (!note_.arrive(deadline)) return false;
      if (look(Glance::quick) == Look::done) return true;
      note_.make_way();
    }
    return false;
  }
  // Before it sleeps for so long.
  void begin_sleep(std::int64_t nanoseconds) {
    if constexpr (World::kTakesTurns) note_.sleeps(nanoseconds);
  }

  // One look at the lock, which takes it where it can.
  Look look(Glance glance) {
    for (;;) {
      OwnerValue seen = word_.owner.load(std::memory_order_acquire);  // A1, for what the dead left
      if (seen == detail::kNobody) {
        if (!may_take_free(glance)) return Look::wait_briefly;
        if (take(seen, me_)) return end(LockOutcome::taken, seen);
        continue;
      }
      free_since_ = 0;
      if (detail::is_abandoned(seen)) {
        if (!takes_abandoned()) return end(LockOutcome::abandoned, seen);
        if (take(seen, inherited_value())) return end(LockOutcome::inherited, seen);
        continue;
      }
      if (glance == Glance::quick) return Look::wait;
      if (comes_first()) continue;
      if (!is_dead(seen)) return Look::wait;
      abandon(world_, word_, seen);
    }
  }

  // To be called when the wait is over without the lock: leaves nothing behind.
  void give_up() {
    cancel_reservation();
    // A wake may have been spent on this waiter while others sleep.
    if (word_.owner.load(std::memory_order_relaxed) == detail::kNobody)
      core::wake(world_, word_.sleepers, 1);
  }

  LockOutcome outcome() const { return outcome_; }
  // The abandoned value that was found.
  OwnerValue found() const { return found_; }

 private:
  bool takes_abandoned() const {
    return abandoned_ == Abandoned::is_taken ||
           word_.inherits.load(std::memory_order_relaxed) != 0;  // never changes
  }

  OwnerValue inherited_value() const {
    return World::kMutant == Mutant::inherited_forgotten ? me_ : me_ | detail::kInherited;
  }

  Look end(LockOutcome outcome, OwnerValue found) {
    outcome_ = outcome;
    found_ = found;
    return Look::done;
  }

  bool take(OwnerValue expected, OwnerValue desired) {
    constexpr auto acquire = World::kMutant == Mutant::acquire_dropped ? std::memory_order_relaxed
                                                                       : std::memory_order_acquire;
    if (!word_.owner.compare_exchange_strong(expected, desired, acquire,  // A1
                                             std::memory_order_relaxed))
      return false;
    cancel_reservation();
    return true;
  }

  bool is_dead(OwnerValue seen) {
    if constexpr (World::kMutant == Mutant::owner_never_doubted) return false;
    if constexpr (World::kMutant == Mutant::live_owner_robbed) return true;
    return !world_.alive(detail::owner_of(seen));
  }

  // A free lock is for everybody; or, reserved, for who reserved it, while that lasts. Who is about
  // to give up does not wait for that: it might try again and again, and the reserver be dead.
  bool may_take_free(Glance glance) {
    const OwnerValue reserve = word_.reserve.load(std::memory_order_relaxed);  // a courtesy
    return reserve == detail::kNobody || reserve_is_mine_ || glance == Glance::last ||
           has_lapsed(reserve);
  }

  bool has_lapsed(OwnerValue reserve) {
    const std::int64_t now = world_.now();
    if (free_since_ == 0) free_since_ = now;
    if (now - free_since_ < kReservationLapses) return false;
    word_.reserve.compare_exchange_strong(reserve, detail::kNobody, std::memory_order_relaxed,
                                          std::memory_order_relaxed);
    return true;
  }

  // Begins to count when it is asked first, by a close look.
  bool has_lost_patience() {
    const std::uint64_t now = world_.ticks();
    if (began_ == 0) began_ = now;
    return now - began_ >= World::kPatience;
  }

  // Reserves the lock, once, for who has waited too long. True: it has become free since, and is for
  // nobody else. Its holder may have a core: who went to sleep now might find that the reservation
  // has lapsed before it has one again. Not inline: few looks come by here.
  // Relaxed: reserve is a courtesy, as in may_take_free(); and look() loads owner again, for A1.
  [[gnu::noinline]] bool comes_first() {
    if (reserve_is_mine_ || !has_lost_patience()) return false;
    OwnerValue nobody = detail::kNobody;
    reserve_is_mine_ = word_.reserve.compare_exchange_strong(nobody, me_, std::memory_order_relaxed,
                                                             std::memory_order_relaxed);
    for (int i = 0; reserve_is_mine_ && i < World::kLooks; ++i) {
      if (word_.owner.load(std::memory_order_relaxed) == detail::kNobody) return true;
      world_.pause();
    }
    return false;
  }

  void cancel_reservation() {
    if (!reserve_is_mine_) return;
    OwnerValue mine = me_;
    word_.reserve.compare_exchange_strong(mine, detail::kNobody, std::memory_order_relaxed,
                                          std::memory_order_relaxed);
    reserve_is_mine_ = false;
  }

  World& world_;
  LockWordOf<World>& word_;
  const OwnerValue me_;
  const Abandoned abandoned_;
  std::uint64_t began_ = 0;
  CpuNote<World> note_{world_, &word_};
  LockOutcome outcome_ = LockOutcome::timed_out;
  OwnerValue found_ = detail::kNobody;
  bool reserve_is_mine_ = false;
  std::int64_t free_since_ = 0;
};

// What became of an attempt, and the abandoned value it found: whose obituary to read.
struct LockResult {
  LockOutcome outcome;
  OwnerValue found;
};

// Between two looks of who came later than it could: in ticks, as Pace has them.
inline constexpr std::uint64_t kBetweenLooks = 50;

// Lets so many ticks pass, touching nothing that is shared. Without a pause, which may be longer.
template <class World>
void stay_away(World& world, std::uint64_t ticks) {
  for (const std::uint64_t begin = world.ticks(); world.ticks() - begin < ticks;) continue;
}

// As take_if_free(), after the wait that the handle has learned.
template <class World>
bool take_in_time(World& world, LockWordOf<World>& word, detail::Pace& pace, OwnerValue me,
                  Deadline deadline) {
  if (deadline != detail::kDoNotWait && pace.wait() > 0) stay_away(world, pace.wait());
  if (!detail::take_if_free(word, me)) return false;
  pace.found_free();
  return true;
}

// Looks seldom at first: each look takes the lock's cache line away from its holder, and a lock that
// is held for a moment only is taken and given back many times in the time of one hand-over. Who
// has waited for longer than that looks often; and who came later than it could, from the first, for
// as long.
template <class World>
bool rest_and_look(World& world, LockAttempt<World>& attempt, bool came_later) {
  constexpr int kLooksInARest = 3;
  for (int i = 0; i < (came_later ? kLooksInARest * World::kRests : World::kRests); ++i) {
    if (!came_later)
      world.rest();
    else if (i > 0)  // before, its note took as long
      stay_away(world, kBetweenLooks);
    if (attempt.look(Glance::quick) == Look::done) return true;
  }
  return false;
}

// Whether who waits takes turns with those who wait for the same lock on its CPU.
enum class Naps { some, none };

// Takes the lock, or says why not. `deadline`: kDoNotWait looks once, closely. `pace`: its handle's, to
// learn from that.
template <class World>
LockResult lock(World& world, LockWordOf<World>& word, detail::Pace& pace, OwnerValue me,
                Deadline deadline, Abandoned abandoned = Abandoned::is_told,
                Naps naps = Naps::some) {
  LockAttempt<World> attempt(world, word, me, abandoned);
  bool done = false;
  if (deadline != detail::kDoNotWait) {
    done = naps == Naps::some && attempt.begin_wait(deadline);
    if constexpr (World::kRests > 0) {
      pace.found_held();
      done = done || rest_and_look(world, attempt, pace.wait() > 0);
    }
  }
  // Its holder may have been taken off this CPU. Who yielded it would get it back when the holder has
  // had a time slice, and taken and given back the lock all the while.
  if (!done)
    done = core::wait<Yields::none>(
        world, word.sleepers, deadline, [&](Glance glance) { return attempt.look(glance); },
        [&](std::int64_t nanoseconds) {
          if (naps == Naps::some) attempt.begin_sleep(nanoseconds);
        });
  if (!done) attempt.give_up();
  return {attempt.outcome(), attempt.found()};
}

// The same, of a lock that is held for some instructions only: there is nothing to learn from it, and
// who waits for it may have been asked not to wait.
template <class World>
LockResult lock(World& world, LockWordOf<World>& word, OwnerValue me, Deadline deadline,
                Abandoned abandoned = Abandoned::is_told) {
  detail::Pace nothing_learned;
  return lock(world, word, nothing_learned, me, deadline, abandoned, Naps::none);
}

// Wakes after a release that asked for it: one sleeper; or all, where one of them has a
// reservation and must be among those who wake.
template <class World>
void wake_after_release(World& world, LockWordOf<World>& word) {
  const bool reserved = word.reserve.load(std::memory_order_relaxed) != detail::kNobody;
  core::wake(world, word.sleepers, reserved ? kEverybody : 1);
}

// Unlock. Where membarrier does not reach this process, it must order M1 itself.
template <class World>
void unlock(World& world, LockWordOf<World>& word) {
  if constexpr (World::kMutant == Mutant::wake_before_store)
    if ((word.sleepers.load(std::memory_order_relaxed) & detail::kSomebodySleeps) != 0)
      wake_after_release(world, word);
  bool somebody_sleeps = detail::release(word);
  if (!world.is_reached()) {
    world.fence();
    somebody_sleeps =
        (word.sleepers.load(std::memory_order_relaxed) & detail::kSomebodySleeps) != 0;
  }
  if (World::kMutant != Mutant::wake_before_store && somebody_sleeps)
    wake_after_release(world, word);
}

// What burial does with a lock: where the dead process holds it, nobody does any more.
template <class World>
void sweep(World& world, LockWordOf<World>& word, OwnerValue dead) {
  const OwnerValue seen = word.owner.load(std::memory_order_acquire);
  if (detail::owner_of(seen) == dead && !detail::is_abandoned(seen)) abandon(world, word, seen);
}

}  // namespace shoal::core
