// SPDX-License-Identifier: MIT
#pragma once

// A condition. Each waiter has a record with a ticket (waiter.hpp); a notify gives itself to the
// waiters with the lowest tickets by a CAS on their turn, and wakes just those.
//
// What each step leaves behind when its process is killed right after it:
//
//   wait    turn = waiting       a dead waiter: notifiers pass it by
//           turn = notified      a dead waiter with a notify: another waiter takes it over when its
//                                slice ends, or who buries the dead one passes it on
//   take    its = passing to me  as if its taker were the dead one: another waiter takes it over
//   over    mine = notified      the same: one waiter more than was asked for may wake, never one less
//           its = idle           taken over
//   notify  turn = notified      given; the waiter finds out when its slice ends
//   bury    claims given back    as if the buried one had never begun to take them over
//           turn = idle, waited  who was dead and has no notify waits no more
//           a notify passed on   the next to bury passes it on again, so one more may wake
//           turn = idle          buried
//
// Who buries passes on also what a living waiter has claimed and may not have made its own yet: the
// record is somebody else's next, and where that one died, nobody would know any more. So one more
// may wake where a waiter takes a notify over at the very moment of the burial.
//
// Memory-order pairs.
//   C1 -> C2  a notifier's CAS to notified (release) is read by the waiter (acquire). What counts
//             is the user's lock; this is for who notifies without it.

#include <atomic>
#include <cstdint>

#include "core/wait.hpp"
#include "core/waiter.hpp"
#include "core/world.hpp"
#include "shoal/detail/condition_word.hpp"

namespace shoal::core {

template <class World>
using ConditionWordOf = detail::BasicConditionWord<typename World::Atomics>;
template <class World>
using WaiterOf = BasicWaiter<typename World::Atomics>;

template <class World>
class Condition {
 public:
  // `index`: the object's; `waiters`: all thread records of the segment.
  Condition(World& world, ConditionWordOf<World>& word, std::uint32_t index,
            typename WaitersIn<World>::Type waiters)
      : world_(world), word_(word), condition_(index + 1), waiters_(waiters) {}

  // From now on, a notify may be this waiter's. Before the user's lock is given up.
  void enter(WaiterOf<World>& mine) {
    mine.condition.store(condition_, std::memory_order_relaxed);  // released by turn
    const std::uint64_t ticket = word_.next.fetch_add(1, std::memory_order_relaxed);
    mine.turn.store(turn_word(ticket, Turn::waiting), std::memory_order_release);
  }

  // Waits for a notify. False at the deadline.
  bool await(WaiterOf<World>& mine, Deadline deadline) {
    const bool notified = core::wait(world_, mine.sleepers, deadline, [&](Glance glance) {
      if (is_notified(mine) || (glance != Glance::quick && take_over_from_the_dead(mine)))
        return Look::done;
      return Look::wait;
    });
    if (notified) return true;
    std::uint64_t turn = mine.turn.load(std::memory_order_relaxed);
    const std::uint64_t idle = turn_word(ticket_of(turn), Turn::idle);
    // Lost to a notify at the last moment: then it is this waiter's.
    return turn_of(turn) != Turn::waiting ||
           !mine.turn.compare_exchange_strong(turn, idle, std::memory_order_acq_rel,
                                              std::memory_order_acquire);
  }

  // The user's lock is held again: a notify has done its work.
  void leave(WaiterOf<World>& mine) {
    mine.turn.store(turn_word(0, Turn::idle), std::memory_order_release);
    mine.condition.store(0, std::memory_order_release);
  }

  // Gives a notify to each of the n waiters that have waited longest; to none that begins to wait
  // meanwhile: who has been woken by this one might do so, again and again.
  void notify(int n) {
    // Relaxed: whose wait happened before this call had his ticket before it.
    const std::uint64_t end = word_.next.load(std::memory_order_relaxed);
    while (n > 0) {
      WaiterOf<World>* const oldest = find_oldest(end);
      if (oldest == nullptr) return;
      if (give(*oldest)) --n;
    }
  }

  // What burial does with a dead waiter's record: its notify is passed on.
  void sweep(WaiterOf<World>& dead) {
    give_claims_back(dead);
    std::uint64_t turn = dead.turn.load(std::memory_order_acquire);
    // By CAS: who has seen it alive may still be giving it a notify. From then on it gets none, and
    // what somebody takes over from it meanwhile is the one that is passed on here.
    if (turn_of(turn) == Turn::waiting)
      dead.turn.compare_exchange_strong(turn, turn_word(ticket_of(turn), Turn::idle),
                                        std::memory_order_acq_rel, std::memory_order_acquire);
    if (turn_of(turn) == Turn::notified || turn_of(turn) == Turn::passing) notify(1);
    leave(dead);
  }

  int waiting() {
    int count = 0;
    for (auto& waiter : waiters_)
      if (is_waiting(waiter) && is_alive(waiter)) ++count;
    return count;
  }

 private:
  bool is_of_this(const WaiterOf<World>& waiter, Turn turn) const {
    return turn_of(waiter.turn.load(std::memory_order_acquire)) == turn &&
           waiter.condition.load(std::memory_order_relaxed) == condition_;
  }
  bool is_waiting(const WaiterOf<World>& waiter) const { return is_of_this(waiter, Turn::waiting); }
  bool is_notified(const WaiterOf<World>& waiter) const {
    return turn_of(waiter.turn.load(std::memory_order_acquire)) == Turn::notified;  // C2
  }
  bool is_alive(const WaiterOf<World>& waiter) {
    return world_.alive(waiter.owner.load(std::memory_order_acquire));
  }

  // Of those with a ticket below `end`.
  WaiterOf<World>* find_oldest(std::uint64_t end) {
    WaiterOf<World>* oldest = nullptr;
    std::uint64_t least = turn_word(end, Turn::waiting);
    for (auto& waiter : waiters_) {
      if (!is_waiting(waiter)) continue;
      const std::uint64_t turn = waiter.turn.load(std::memory_order_relaxed);  // give() checks it
      if (turn >= least) continue;
      least = turn;
      oldest = &waiter;
    }
    return oldest;
  }

  // Gives a notify to a waiter; false where it waits no longer, or is dead.
  bool give(WaiterOf<World>& waiter) {
    std::uint64_t turn = waiter.turn.load(std::memory_order_relaxed);  // the CAS checks it
    if (turn_of(turn) != Turn::waiting) return false;
    const bool alive = is_alive(waiter);
    const std::uint64_t given = turn_word(ticket_of(turn), alive ? Turn::notified : Turn::idle);
    if (!waiter.turn.compare_exchange_strong(turn, given, std::memory_order_seq_cst,  // C1
                                             std::memory_order_relaxed))
      return false;
    if (alive && (waiter.sleepers.load(std::memory_order_seq_cst) & detail::kSomebodySleeps) != 0)
      core::wake(world_, waiter.sleepers, 1);
    return alive;
  }

  // What a dead waiter was taking over from others is theirs again: its record will be somebody
  // else's, who lives, and by whom nobody would take it over.
  void give_claims_back(const WaiterOf<World>& dead) {
    const std::uint64_t claimed = turn_word(index_of(dead), Turn::passing);
    for (auto& waiter : waiters_) {
      std::uint64_t its = claimed;
      if (waiter.turn.load(std::memory_order_acquire) == claimed &&
          waiter.condition.load(std::memory_order_relaxed) == condition_)
        waiter.turn.compare_exchange_strong(its, turn_word(0, Turn::notified),
                                            std::memory_order_acq_rel, std::memory_order_relaxed);
    }
  }
  std::uint64_t index_of(const WaiterOf<World>& waiter) const {
    return static_cast<std::uint64_t>(&waiter - waiters_.data());
  }

  // Whether the turn of a dead waiter says that a notify is still nobody's.
  bool is_left_by_the_dead(std::uint64_t turn) {
    if (turn_of(turn) == Turn::notified) return true;
    return turn_of(turn) == Turn::passing && ticket_of(turn) < waiters_.size() &&
           !is_alive(waiters_[ticket_of(turn)]);
  }

  // Makes a notify this waiter's that a dead one was given. The claim comes first and names its
  // claimant, so that at no step is the notify nobody's.
  bool take_over_from_the_dead(WaiterOf<World>& mine) {
    const std::uint64_t me = index_of(mine);
    for (auto& waiter : waiters_) {
      // The turn first: the record may be another waiter's since, of another condition.
      std::uint64_t its = waiter.turn.load(std::memory_order_acquire);
      if (turn_of(its) != Turn::notified && turn_of(its) != Turn::passing) continue;
      if (&waiter == &mine || waiter.condition.load(std::memory_order_relaxed) != condition_)
        continue;
      if (is_alive(waiter) || !is_left_by_the_dead(its)) continue;
      std::uint64_t passing = turn_word(me, Turn::passing);
      if (!waiter.turn.compare_exchange_strong(its, passing, std::memory_order_acq_rel,
                                               std::memory_order_relaxed))
        continue;                  // somebody else was quicker
      if (!give(mine)) notify(1);  // this waiter has been given one of its own meanwhile
      waiter.turn.compare_exchange_strong(passing, turn_word(0, Turn::idle),
                                          std::memory_order_acq_rel, std::memory_order_relaxed);
      return true;
    }
    return false;
  }

  World& world_;
  ConditionWordOf<World>& word_;
  const std::uint32_t condition_;
  const typename WaitersIn<World>::Type waiters_;
};

}  // namespace shoal::core
