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
//   take    mine = notified      two notified by one notify, for the first is dead: one waiter more
//   over                         than was asked for wakes; never one less
//           its = idle           taken over
//   notify  turn = notified      given; the waiter finds out when its slice ends
//
// Memory-order pairs.
//   C1 -> C2  a notifier's CAS to notified (release) is read by the waiter (acquire). What counts
//   is
//             the user's lock; this is for who notifies without it.

#include <atomic>
#include <cstdint>
#include <limits>
#include <span>

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
            std::span<WaiterOf<World>> waiters)
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

  // Gives a notify to each of the n waiters that have waited longest.
  void notify(int n) {
    while (n > 0) {
      WaiterOf<World>* const oldest = find_oldest();
      if (oldest == nullptr) return;
      if (give(*oldest)) --n;
    }
  }

  // What burial does with a dead waiter's record: its notify is passed on.
  void sweep(WaiterOf<World>& dead) {
    if (turn_of(dead.turn.load(std::memory_order_acquire)) == Turn::notified) notify(1);
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

  WaiterOf<World>* find_oldest() {
    WaiterOf<World>* oldest = nullptr;
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
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

  // First this waiter is notified, then the dead one is not: never the other way round.
  bool take_over_from_the_dead(WaiterOf<World>& mine) {
    for (auto& waiter : waiters_) {
      if (&waiter == &mine || !is_of_this(waiter, Turn::notified)) continue;
      std::uint64_t its = waiter.turn.load(std::memory_order_acquire);
      if (turn_of(its) != Turn::notified || is_alive(waiter)) continue;
      std::uint64_t waiting = mine.turn.load(std::memory_order_relaxed);
      if (turn_of(waiting) == Turn::notified) return true;
      std::uint64_t notified = turn_word(ticket_of(waiting), Turn::notified);
      if (!mine.turn.compare_exchange_strong(waiting, notified, std::memory_order_acq_rel,
                                             std::memory_order_acquire))
        return true;  // by a notify of this waiter's own
      if (waiter.turn.compare_exchange_strong(its, turn_word(ticket_of(its), Turn::idle),
                                              std::memory_order_acq_rel, std::memory_order_relaxed))
        return true;
      // Somebody else has taken it over. Nobody changes a notified turn but its own thread.
      mine.turn.store(turn_word(ticket_of(notified), Turn::waiting), std::memory_order_release);
    }
    return false;
  }

  World& world_;
  ConditionWordOf<World>& word_;
  const std::uint32_t condition_;
  std::span<WaiterOf<World>> waiters_;
};

}  // namespace shoal::core
