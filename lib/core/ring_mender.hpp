// SPDX-License-Identifier: MIT
#pragma once

// What stands in the way of the next push or pop of a ring, and how what the dead have left there is
// mended.
//
// What each step leaves behind when its process is killed right after it:
//
//   mend   CAS: a follower  one that nobody comes to has gone; the next to mend goes on
//          CAS of the word  mended
//
// Many may mend at once: each does so by a CAS from the very word it has judged, and no word comes
// back. A claimant that lives is never judged dead: who sees its claim sees its intent too (I1),
// and who sees another intent in its place sees what it did before (I3), so the CAS fails.

#include <atomic>
#include <cstdint>

#include "core/ring_slots.hpp"
#include "core/waiter.hpp"

namespace shoal::core {

// What stands in the way.
enum class Way {
  clear,      // nothing any more: try again
  blocked,    // there is no room, or no item
  occupied,   // somebody alive is at it, and about to go
  closed,     // and there will never be an item again
  corrupted,  // what should never stand there
};

template <class World>
class RingMender : RingSlots<World> {
 public:
  using Slots = RingSlots<World>;
  using typename Slots::Intent;
  using typename Slots::View;
  using Waiters = typename WaitersIn<World>::Type;

  // `waiters`: all thread records of the segment. `mine`: that of the caller.
  RingMender(World& world, const View& view, Waiters waiters, Intent& mine)
      : Slots(world, view, mine), waiters_(waiters) {}

  // In the slot that comes next stands the item of a round before, or who is at it.
  Way clear_for_push(std::uint64_t tail) {
    const std::uint64_t before = view_.shape.round_before(tail);
    const std::uint64_t seen = this->seen_at(tail);
    const std::uint64_t head = this->head();
    if (seen == Slots::empty(tail) || this->tail() != tail) return Way::clear;
    if (seen == Slots::empty(before)) return clear_of(before, detail::Operation::push);
    if (!is_left_to_pop(seen, before)) return Way::corrupted;
    if (head != before) return clear_of(before, detail::Operation::pop);
    if (seen != Slots::skip(before)) return Way::blocked;
    pass(before);
    return Way::clear;
  }

  Way clear_for_pop(std::uint64_t head) {
    // The tail first: where it says that somebody has pushed there, the slot is seen as it was then,
    // or later.
    const std::uint64_t tail = this->tail_and_closed();
    const std::uint64_t seen = this->seen_at(head);
    if (detail::holds_item(seen, head) || this->head() != head) return Way::clear;
    if (seen == Slots::skip(head)) {
      pass(head);
      return Way::clear;
    }
    if ((tail & ~detail::kClosed) == head) {
      // Nobody has pushed there; somebody may be at the item of a round before.
      const std::uint64_t before = view_.shape.round_before(head);
      if (seen != Slots::empty(head) && !is_left_to_pop(seen, before)) return Way::corrupted;
      const bool is_open = tail == head || World::kMutant == Mutant::closed_ignored;
      return is_open ? Way::blocked : Way::closed;
    }
    // A tail that has been written over: to mend all places before it might take for ever.
    if (seen != Slots::empty(head) ||
        view_.shape.distance(head, tail & ~detail::kClosed) > view_.shape.capacity())
      return Way::corrupted;
    return clear_of(head, detail::Operation::push);
  }

  // Where nobody living is at a claimed position, leaves it in their place: true. Requires to have
  // seen the claim.
  bool mend(std::uint64_t position, detail::Operation operation) {
    std::uint64_t seen = this->seen_at(position);
    const bool push = operation == detail::Operation::push;
    const std::uint64_t left =
        push ? left_by_pusher(position) : Slots::empty(view_.shape.round_later(position));
    const bool in_the_way = push ? seen == Slots::empty(position) : is_left_to_pop(seen, position);
    if (!in_the_way) return true;  // gone by now
    if (somebody_intends(position, operation)) return false;
    if (push) drop_followers(position);
    // Acquire: what the dead one did is passed on. Release: with the slot.
    view_.state(position).compare_exchange_strong(seen, left, std::memory_order_acq_rel,
                                                  std::memory_order_relaxed);
    this->end_operation(push ? view_.word->poppers : view_.word->pushers, 1);
    return true;
  }

 private:
  using Slots::mine_;
  using Slots::view_;
  using Slots::world_;

  static bool is_left_to_pop(std::uint64_t word, std::uint64_t position) {
    return detail::holds_item(word, position) || word == Slots::skip(position);
  }

  // Of a place that has been claimed, and not been left.
  Way clear_of(std::uint64_t position, detail::Operation operation) {
    return mend(position, operation) ? Way::clear : Way::occupied;
  }

  // Pops a skip from the head. Where somebody else is faster, nothing.
  void pass(std::uint64_t position) {
    constexpr auto release = World::kMutant == Mutant::skip_passed_relaxed
                                 ? std::memory_order_relaxed
                                 : std::memory_order_release;
    set_intent(mine_, view_.object, detail::Operation::pop, position);
    std::uint64_t seen = position;
    if (view_.word->head.compare_exchange_strong(seen, view_.shape.next(position),
                                                 release,  // I1, S1
                                                 std::memory_order_relaxed))
      this->released(position);
    else
      clear_intent(mine_);
  }

  // What was pushed together with an item that will never be there. Before that one is a skip: till
  // then nobody can come to these. Who else is mending may have dropped some.
  void drop_followers(std::uint64_t position) {
    if (World::kMutant == Mutant::followers_left) return;
    // It may have been filled before its pusher died. By a read-modify-write: the last word. Acquire:
    // what the dead one filled is seen below. Q1
    if (World::kMutant != Mutant::followers_dropped_unasked &&
        view_.state(position).fetch_or(0, std::memory_order_acquire) != Slots::empty(position))
      return;
    for (;;) {
      position = view_.shape.next(position);
      std::uint64_t seen = Slots::follows(position);
      // Acquire and release, as in mend(); and before head is moved past it. S1
      if (!view_.state(position).compare_exchange_strong(
              seen, Slots::skip(position), std::memory_order_acq_rel, std::memory_order_relaxed) &&
          seen != Slots::skip(position))
        return;
    }
  }

  static std::uint64_t left_by_pusher(std::uint64_t position) {
    return World::kMutant == Mutant::skip_is_an_item ? Slots::full(position)
                                                     : Slots::skip(position);
  }

  bool somebody_intends(std::uint64_t position, detail::Operation operation) {
    if (World::kMutant == Mutant::live_owner_robbed) return false;
    for (const BasicWaiter<typename World::Atomics>& waiter : waiters_) {
      const std::uint64_t what = waiter.intent.what.load(std::memory_order_acquire);  // I4
      const std::uint64_t more = waiter.intent.more.load(std::memory_order_acquire);  // I4
      if (detail::operation_of(what) == operation &&
          view_.shape.distance(detail::position_of(what), position) <= more &&
          waiter.intent.object.load(std::memory_order_acquire) == view_.object &&  // I4
          (World::kMutant == Mutant::owner_never_doubted ||
           world_.alive(waiter.owner.load(std::memory_order_acquire))))
        return true;
    }
    return false;
  }

  const Waiters waiters_;
};

}  // namespace shoal::core
