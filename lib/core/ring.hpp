// SPDX-License-Identifier: MIT
#pragma once

// The slow paths of a queue's ring: waiting, closing, and mending what the dead have left. States,
// owners and memory-order pairs stand above BasicQueueWord, in shoal/detail/queue_word.hpp.
//
// What each step leaves behind when its process is killed right after it:
//
//   push   intent           nothing: a dead process's intent means nothing
//          CAS tail         an empty slot that nobody is going to fill: whoever is held up by it
//                           makes it a skip, which is popped as an item would be, and is none
//          the item         the same
//          word = full      the item; a sleeping popper finds it when its slice ends
//          word = follows   what follows an empty slot, and becomes a skip before that does
//   pop    CAS head         a full slot that nobody is going to empty: whoever is held up by it
//                           does, and the item is lost
//          word = empty     room; a sleeping pusher finds it when its slice ends
//   mend   CAS: a follower  one that nobody comes to has gone; the next to mend goes on
//          CAS of the word  mended
//
// Many may mend at once: each does so by a CAS from the very word it has judged, and no word comes
// back. A claimant that lives is never judged dead: who sees its claim sees its intent too (I1),
// and who sees another intent in its place sees what it did before (I3), so the CAS fails.

#include <atomic>
#include <cstdint>

#include "core/wait.hpp"
#include "core/waiter.hpp"
#include "core/world.hpp"
#include "shoal/detail/queue_word.hpp"

namespace shoal::core {

enum class RingOutcome { claimed, timed_out, closed, corrupted };

template <class World>
class Ring {
 public:
  using Atomics = typename World::Atomics;
  using View = detail::BasicRing<Atomics>;
  using Waiter = BasicWaiter<Atomics>;
  using Waiters = typename WaitersIn<World>::Type;
  using Intent = detail::BasicIntent<Atomics>;

  // `waiters`: all thread records of the segment. `mine`: that of the caller.
  Ring(World& world, const View& view, Waiters waiters, Intent& mine)
      : world_(world), view_(view), waiters_(waiters), mine_(mine) {}

  // Claims a place: to write an item to, then published(); to read one from, then released().
  RingOutcome claim_push(std::uint64_t& position, Deadline deadline) {
    wait_for(view_.word->pushers, {view_.word->tail, view_.word->full_at, empty}, deadline,
             [&](Glance glance) { return look_push(position, glance); });
    pass_on(view_.word->pushers, tail_position(), detail::is_ready<detail::Operation::push>);
    return outcome_;
  }
  RingOutcome claim_pop(std::uint64_t& position, Deadline deadline) {
    return claim_pop(position, deadline, [&](std::uint64_t& claimed) {
      return detail::claim_one<detail::Operation::pop>(view_, mine_, claimed);
    });
  }
  // The same, by claim(position), which tries once.
  template <class Claim>
  RingOutcome claim_pop(std::uint64_t& position, Deadline deadline, Claim claim) {
    wait_for(view_.word->poppers, {view_.word->head, view_.word->empty_at, full}, deadline,
             [&](Glance glance) { return look_pop(position, glance, claim); });
    pass_on(view_.word->poppers, head_position(), detail::is_ready<detail::Operation::pop>);
    return outcome_;
  }

  void published(std::uint64_t position) {
    if constexpr (World::kMutant == Mutant::intent_cleared_early) clear_intent(mine_);
    fill_slot(view_, position);
    end_operation(view_.word->poppers, 1);
  }
  void released(std::uint64_t position, int wakes = 1) {
    if constexpr (World::kMutant == Mutant::intent_cleared_early) clear_intent(mine_);
    empty_slot(view_, position);
    end_operation(view_.word->pushers, wakes);
  }
  // A place has been left, or room has come from elsewhere: wakes so many.
  void end_operation(typename World::template Atomic<std::uint32_t>& sleepers, int count) {
    bool somebody_sleeps = detail::somebody_sleeps_after_store(sleepers);
    if (!world_.is_reached()) {
      world_.fence();
      somebody_sleeps = (sleepers.load(std::memory_order_relaxed) & detail::kSomebodySleeps) != 0;
    }
    if (somebody_sleeps) core::wake(world_, sleepers, count);
  }

  // Who waits, waits for what does not come any more: all look once more.
  void close() {
    view_.word->tail.fetch_or(detail::kClosed, std::memory_order_acq_rel);
    core::wake(world_, view_.word->poppers, kEverybody);
    core::wake(world_, view_.word->pushers, kEverybody);
  }
  bool is_closed() const {
    return (view_.word->tail.load(std::memory_order_acquire) & detail::kClosed) != 0;
  }
  // Items that have been pushed, and not been popped: counted one by one, for among them may be
  // places whose pushers died, with or without what follows them.
  std::uint64_t size() const {
    std::uint64_t position = head_position();
    const std::uint64_t tail = tail_position();
    if (!view_.shape.is_position(position)) return 0;
    std::uint64_t items = 0;
    bool is_there = true;  // the one before; or it was, and has been popped since
    // No more than there are: what stands in shared memory does not decide how long this takes.
    for (std::uint64_t i = 0; i < view_.shape.capacity() && position < tail; ++i) {
      const std::uint64_t seen = view_.state(position).load(std::memory_order_acquire);
      if (seen == empty(position) || seen == skip(position)) is_there = false;
      if (seen == full(position)) is_there = true;
      if (is_there && detail::holds_item(seen, position)) ++items;
      position = view_.shape.next(position);
    }
    return items;
  }
  // Whether there is one to be popped. A look: somebody else may be quicker.
  bool has_item() const {
    const std::uint64_t head = head_position();
    return view_.shape.is_position(head) && is_item(head);
  }
  // One attempt to pop at the head, for who keeps all others from popping. False: there is no item.
  template <class BeforeClaim>
  bool pop_alone(std::uint64_t& position, BeforeClaim before_claim) {
    position = head_position();
    if (!view_.shape.is_position(position) || !is_item(position)) return false;
    before_claim(position);
    set_intent(mine_, view_.object, detail::Operation::pop, position);
    std::uint64_t seen = position;
    return view_.word->head.compare_exchange_strong(seen, view_.shape.next(position),
                                                    std::memory_order_acq_rel,  // I1
                                                    std::memory_order_relaxed);
  }
  bool has_been_popped(std::uint64_t position) const { return head_position() > position; }

  // Whether a pop would end at once; after having mended what is in the way.
  bool is_poppable() {
    for (;;) {
      const std::uint64_t head = head_position();
      if (!view_.shape.is_position(head)) return true;
      if (is_item(head)) return true;
      const Way way = clear_for_pop(head);
      if (way != Way::clear) return way == Way::closed || way == Way::corrupted;
    }
  }

  // Whether the slot of a position, claimed once, holds its item, or is about to: after having
  // mended what the dead have left there.
  bool is_current(std::uint64_t position) {
    if (!view_.shape.is_position(position) || position >= tail_position()) return false;
    mend(position, detail::Operation::push);
    if (position < head_position()) mend(position, detail::Operation::pop);
    const std::uint64_t seen = view_.state(position).load(std::memory_order_acquire);
    return seen == empty(position) || detail::holds_item(seen, position);
  }

  // How often a call that may not wait looks at a place whose claimant is alive and about to go.
  static constexpr int kBriefLooks = 64;

 private:
  using Sleepers = typename World::template Atomic<std::uint32_t>;

  static std::uint64_t empty(std::uint64_t position) {
    return detail::slot_word(position, detail::SlotState::empty);
  }
  static std::uint64_t full(std::uint64_t position) {
    return detail::slot_word(position, detail::SlotState::full);
  }
  static std::uint64_t follows(std::uint64_t position) {
    return detail::slot_word(position, detail::SlotState::follows);
  }
  static std::uint64_t skip(std::uint64_t position) {
    return detail::slot_word(position, detail::SlotState::skip);
  }
  bool is_item(std::uint64_t position) const {
    return detail::holds_item(view_.state(position).load(std::memory_order_acquire), position);
  }
  // Acquire: who sees a claim sees the intent behind it, I2; and who pops, what has gone. S2
  std::uint64_t tail_position() const {
    return view_.word->tail.load(std::memory_order_acquire) & ~detail::kClosed;
  }
  std::uint64_t head_position() const { return view_.word->head.load(std::memory_order_acquire); }

  // One wake may have stood for several changes, or been spent on one who gave up: who may have been
  // woken wakes another, where there is something for it.
  void pass_on(Sleepers& sleepers, std::uint64_t next,
               bool (*is_ready)(std::uint64_t word, std::uint64_t position)) {
    if (!has_announced_ || !view_.shape.is_position(next) ||
        (sleepers.load(std::memory_order_relaxed) & detail::kSomebodySleeps) == 0)
      return;
    // Who was woken has raised the flag again, and then looked without a barrier: who changed the
    // next slot meanwhile may not have seen the flag, nor been seen here.
    world_.barrier();  // M1 -> M2
    if (is_ready(view_.state(next).load(std::memory_order_relaxed), next))
      core::wake(world_, sleepers, 1);
  }

  // An end of the ring, where it was when it last held somebody up, and the word of a slot there
  // that is ready.
  struct End {
    const typename World::template Atomic<std::uint64_t>& position;
    typename World::template Atomic<std::uint64_t>& halted_at;
    std::uint64_t (*ready)(std::uint64_t position);
  };
  // How far it has come since; in items, for a round's end skips positions.
  std::uint64_t advance(End end) const {
    const std::uint64_t now = end.position.load(std::memory_order_relaxed);
    const std::uint64_t before = end.halted_at.load(std::memory_order_relaxed);
    end.halted_at.store(now, std::memory_order_relaxed);
    return view_.shape.distance(before, now);
  }
  // Whether so many are ready that half of the ring is: a hint, so relaxed. Later words are larger:
  // the slot may be somebody else's already.
  bool has_grown(End end) const {
    const std::uint64_t now = end.position.load(std::memory_order_relaxed) & ~detail::kClosed;
    if (!view_.shape.is_position(now)) return true;
    const std::uint64_t ahead = view_.shape.advance(now, view_.shape.capacity() / 2);
    return view_.state(ahead).load(std::memory_order_relaxed) >= end.ready(ahead);
  }

  template <class Looker>
  void wait_for(Sleepers& sleepers, End end, Deadline deadline, Looker look) {
    outcome_ = RingOutcome::timed_out;
    has_announced_ = false;
    if (deadline == detail::kDoNotWait) {
      for (int i = 0; i < kBriefLooks && look(Glance::last) == Look::wait_briefly; ++i)
        world_.yield();
      return;
    }
    if (look(Glance::quick) == Look::done) return;  // somebody else had been faster, no more
    let_burst_grow(world_, advance(end), [&] { return has_grown(end); });
    core::wait(world_, sleepers, deadline, [&](Glance glance) {
      has_announced_ = glance != Glance::quick;
      return look(glance);
    });
  }

  Look end(RingOutcome outcome) {
    outcome_ = outcome;
    return Look::done;
  }

  Look look_push(std::uint64_t& position, Glance glance) {
    for (;;) {
      if (detail::claim_one<detail::Operation::push>(view_, mine_, position))
        return end(RingOutcome::claimed);
      // To look at the other end of the ring would slow down whoever is at work there.
      if (glance == Glance::quick) return Look::wait;
      const std::uint64_t tail = view_.word->tail.load(std::memory_order_acquire);
      if ((tail & detail::kClosed) != 0) return end(RingOutcome::closed);
      if (!view_.shape.is_position(tail)) return end(RingOutcome::corrupted);
      const Way way = clear_for_push(tail);
      if (way != Way::clear) return found(way);
    }
  }

  template <class Claim>
  Look look_pop(std::uint64_t& position, Glance glance, Claim& claim) {
    for (;;) {
      if (claim(position)) return end(RingOutcome::claimed);
      if (glance == Glance::quick) return Look::wait;
      const std::uint64_t head = head_position();
      if (!view_.shape.is_position(head)) return end(RingOutcome::corrupted);
      const Way way = clear_for_pop(head);
      if (way != Way::clear) return found(way);
    }
  }

  // What stands in the way of the next push, or pop.
  enum class Way {
    clear,      // nothing any more: try again
    blocked,    // there is no room, or no item
    occupied,   // somebody alive is at it, and about to go
    closed,     // and there will never be an item again
    corrupted,  // what should never stand there
  };

  Look found(Way way) {
    switch (way) {
      case Way::closed:
        return end(RingOutcome::closed);
      case Way::corrupted:
        return end(RingOutcome::corrupted);
      case Way::occupied:
        return Look::wait_briefly;
      default:
        return Look::wait;
    }
  }

  // In the slot that comes next stands the item of a round before, or who is at it.
  Way clear_for_push(std::uint64_t tail) {
    const std::uint64_t before = view_.shape.round_before(tail);
    const std::uint64_t seen = view_.state(tail).load(std::memory_order_acquire);
    const std::uint64_t head = head_position();
    if (seen == empty(tail) || tail_position() != tail) return Way::clear;
    if (seen == empty(before)) return clear_of(before, detail::Operation::push);
    if (!is_left_to_pop(seen, before)) return Way::corrupted;
    if (head != before) return clear_of(before, detail::Operation::pop);
    if (seen != skip(before)) return Way::blocked;
    pass(before);
    return Way::clear;
  }

  Way clear_for_pop(std::uint64_t head) {
    // The tail first: where it says that somebody has pushed there, the slot is seen as it was then,
    // or later.
    const std::uint64_t tail = view_.word->tail.load(std::memory_order_acquire);
    const std::uint64_t seen = view_.state(head).load(std::memory_order_acquire);
    if (detail::holds_item(seen, head) || head_position() != head) return Way::clear;
    if (seen == skip(head)) {
      pass(head);
      return Way::clear;
    }
    if ((tail & ~detail::kClosed) == head) {
      // Nobody has pushed there; somebody may be at the item of a round before.
      const std::uint64_t before = view_.shape.round_before(head);
      if (seen != empty(head) && !is_left_to_pop(seen, before)) return Way::corrupted;
      const bool is_open = tail == head || World::kMutant == Mutant::closed_ignored;
      return is_open ? Way::blocked : Way::closed;
    }
    // A tail that has been written over: to mend all places before it might take for ever.
    if (seen != empty(head) ||
        view_.shape.distance(head, tail & ~detail::kClosed) > view_.shape.capacity())
      return Way::corrupted;
    return clear_of(head, detail::Operation::push);
  }

  static bool is_left_to_pop(std::uint64_t word, std::uint64_t position) {
    return detail::holds_item(word, position) || word == skip(position);
  }

  // Of a place that has been claimed, and not been left.
  Way clear_of(std::uint64_t position, detail::Operation operation) {
    return mend(position, operation) ? Way::clear : Way::occupied;
  }

  // Pops a skip from the head. Where somebody else is faster, nothing.
  void pass(std::uint64_t position) {
    set_intent(mine_, view_.object, detail::Operation::pop, position);
    std::uint64_t seen = position;
    if (view_.word->head.compare_exchange_strong(seen, view_.shape.next(position),
                                                 std::memory_order_release,  // I1, S1
                                                 std::memory_order_relaxed))
      released(position);
    else
      clear_intent(mine_);
  }

  // Where nobody living is at a claimed position, leaves it in their place: true. Requires to have
  // seen the claim.
  bool mend(std::uint64_t position, detail::Operation operation) {
    std::uint64_t seen = view_.state(position).load(std::memory_order_acquire);
    const std::uint64_t left = operation == detail::Operation::push
                                   ? left_by_pusher(position)
                                   : empty(view_.shape.round_later(position));
    const bool in_the_way = operation == detail::Operation::push ? seen == empty(position)
                                                                 : is_left_to_pop(seen, position);
    if (!in_the_way) return true;  // gone by now
    if (somebody_intends(position, operation)) return false;
    if (operation == detail::Operation::push) drop_followers(position);
    // Acquire: what the dead one did is passed on. Release: with the slot.
    view_.state(position).compare_exchange_strong(seen, left, std::memory_order_acq_rel,
                                                  std::memory_order_relaxed);
    const bool push = operation == detail::Operation::push;
    end_operation(push ? view_.word->poppers : view_.word->pushers, 1);
    return true;
  }

  // What was pushed together with an item that will never be there. Before that one is a skip: till
  // then nobody can come to these. Who else is mending may have dropped some.
  void drop_followers(std::uint64_t position) {
    if (World::kMutant == Mutant::followers_left) return;
    // It may have been filled before its pusher died. By a read-modify-write: the last word. Acquire:
    // what the dead one filled is seen below. Q1
    if (World::kMutant != Mutant::followers_dropped_unasked &&
        view_.state(position).fetch_or(0, std::memory_order_acquire) != empty(position))
      return;
    for (;;) {
      position = view_.shape.next(position);
      std::uint64_t seen = follows(position);
      // Acquire and release, as in mend(); and before head is moved past it. S1
      if (!view_.state(position).compare_exchange_strong(
              seen, skip(position), std::memory_order_acq_rel, std::memory_order_relaxed) &&
          seen != skip(position))
        return;
    }
  }

  static std::uint64_t left_by_pusher(std::uint64_t position) {
    return World::kMutant == Mutant::skip_is_an_item ? full(position) : skip(position);
  }

  bool somebody_intends(std::uint64_t position, detail::Operation operation) {
    if (World::kMutant == Mutant::live_owner_robbed) return false;
    for (const Waiter& waiter : waiters_) {
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

  World& world_;
  const View& view_;
  const Waiters waiters_;
  Intent& mine_;
  RingOutcome outcome_ = RingOutcome::timed_out;
  bool has_announced_ = false;  // that it sleeps, in the wait before
};

}  // namespace shoal::core
