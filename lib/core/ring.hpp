// SPDX-License-Identifier: MIT
#pragma once

// The slow paths of a queue's ring: waiting, and closing. States, owners and memory-order pairs stand
// above BasicQueueWord, in shoal/detail/queue_word.hpp; what the dead have left is mended in
// ring_mender.hpp.
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

#include <atomic>
#include <cstdint>

#include "core/ring_mender.hpp"
#include "core/ring_slots.hpp"
#include "core/wait.hpp"

namespace shoal::core {

enum class RingOutcome { claimed, timed_out, closed, corrupted };

template <class World>
class Ring : public RingSlots<World> {
 public:
  using Slots = RingSlots<World>;
  using typename Slots::Intent;
  using typename Slots::View;
  using Waiters = typename RingMender<World>::Waiters;

  // `waiters`: all thread records of the segment. `mine`: that of the caller.
  Ring(World& world, const View& view, Waiters waiters, Intent& mine)
      : Slots(world, view, mine), mender_(world, view, waiters, mine) {}

  // Claims a place: to write an item to, then published(); to read one from, then released().
  RingOutcome claim_push(std::uint64_t& position, Deadline deadline) {
    wait_for(view_.word->pushers, {view_.word->tail, view_.word->full_at, Slots::empty}, deadline,
             [&](Glance glance) { return look_push(position, glance); });
    pass_on(view_.word->pushers, this->tail(), detail::is_ready<detail::Operation::push>);
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
    wait_for(view_.word->poppers, {view_.word->head, view_.word->empty_at, Slots::full}, deadline,
             [&](Glance glance) { return look_pop(position, glance, claim); });
    pass_on(view_.word->poppers, this->head(), detail::is_ready<detail::Operation::pop>);
    return outcome_;
  }

  // Who waits, waits for what does not come any more: all look once more.
  void close() {
    view_.word->tail.fetch_or(detail::kClosed, std::memory_order_acq_rel);
    core::wake(world_, view_.word->poppers, kEverybody);
    core::wake(world_, view_.word->pushers, kEverybody);
  }
  bool is_closed() const { return (this->tail_and_closed() & detail::kClosed) != 0; }
  // Items that have been pushed, and not been popped: counted one by one, for among them may be
  // places whose pushers died, with or without what follows them.
  std::uint64_t size() const {
    std::uint64_t position = this->head();
    const std::uint64_t tail = this->tail();
    if (!this->is_position(position)) return 0;
    std::uint64_t items = 0;
    bool is_there = true;  // the one before; or it was, and has been popped since
    // No more than there are: what stands in shared memory does not decide how long this takes.
    for (std::uint64_t i = 0; i < view_.shape.capacity() && position < tail; ++i) {
      const std::uint64_t seen = this->seen_at(position);
      if (seen == Slots::empty(position) || seen == Slots::skip(position)) is_there = false;
      if (seen == Slots::full(position)) is_there = true;
      if (is_there && detail::holds_item(seen, position)) ++items;
      position = view_.shape.next(position);
    }
    return items;
  }
  // Whether there is one to be popped. A look: somebody else may be quicker.
  bool has_item() const {
    const std::uint64_t head = this->head();
    return this->is_position(head) && this->is_item(head);
  }
  // One attempt to pop at the head, for who keeps all others from popping. False: there is no item.
  template <class BeforeClaim>
  bool pop_alone(std::uint64_t& position, BeforeClaim before_claim) {
    position = this->head();
    if (!this->is_position(position) || !this->is_item(position)) return false;
    before_claim(position);
    set_intent(mine_, view_.object, detail::Operation::pop, position);
    std::uint64_t seen = position;
    return view_.word->head.compare_exchange_strong(seen, view_.shape.next(position),
                                                    std::memory_order_acq_rel,  // I1
                                                    std::memory_order_relaxed);
  }
  bool has_been_popped(std::uint64_t position) const { return this->head() > position; }

  // Whether a pop would end at once; after having mended what is in the way.
  bool is_poppable() {
    for (;;) {
      const std::uint64_t head = this->head();
      if (!this->is_position(head)) return true;
      if (this->is_item(head)) return true;
      const Way way = mender_.clear_for_pop(head);
      if (way != Way::clear) return way == Way::closed || way == Way::corrupted;
    }
  }

  // Whether the slot of a position, claimed once, holds its item, or is about to: after having
  // mended what the dead have left there.
  bool is_current(std::uint64_t position) {
    if (!this->is_position(position) || position >= this->tail()) return false;
    mender_.mend(position, detail::Operation::push);
    if (position < this->head()) mender_.mend(position, detail::Operation::pop);
    const std::uint64_t seen = this->seen_at(position);
    return seen == Slots::empty(position) || detail::holds_item(seen, position);
  }

  // How often a call that may not wait looks at a place whose claimant is alive and about to go.
  static constexpr int kBriefLooks = 64;

 private:
  using Slots::mine_;
  using Slots::view_;
  using Slots::world_;
  using typename Slots::Sleepers;

  // One wake may have stood for several changes, or been spent on one who gave up: who may have been
  // woken wakes another, where there is something for it.
  void pass_on(Sleepers& sleepers, std::uint64_t next,
               bool (*is_ready)(std::uint64_t word, std::uint64_t position)) {
    if (!has_announced_ || !this->is_position(next) ||
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
    if (!this->is_position(now)) return true;
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
      const std::uint64_t tail = this->tail_and_closed();
      if ((tail & detail::kClosed) != 0) return end(RingOutcome::closed);
      if (!this->is_position(tail)) return end(RingOutcome::corrupted);
      const Way way = mender_.clear_for_push(tail);
      if (way != Way::clear) return found(way);
    }
  }

  template <class Claim>
  Look look_pop(std::uint64_t& position, Glance glance, Claim& claim) {
    for (;;) {
      if (claim(position)) return end(RingOutcome::claimed);
      if (glance == Glance::quick) return Look::wait;
      const std::uint64_t head = this->head();
      if (!this->is_position(head)) return end(RingOutcome::corrupted);
      const Way way = mender_.clear_for_pop(head);
      if (way != Way::clear) return found(way);
    }
  }

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

  RingMender<World> mender_;
  RingOutcome outcome_ = RingOutcome::timed_out;
  bool has_announced_ = false;  // that it sleeps, in the wait before
};

}  // namespace shoal::core
