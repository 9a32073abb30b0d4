// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "core/blocks.hpp"
#include "core/joinable.hpp"
#include "core/ring.hpp"
#include "kinds.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "object.hpp"
#include "shoal/detail/queue_handle.hpp"
#include "shoal/error.hpp"

namespace shoal::detail {

// This thread's record, for its intents; where the fast paths find it from now on. Throws
// TooManyParticipants.
format::ThreadRecord& record_for_intents(const Object& object);

// One call of a slow path.
class QueueHandle::Call {
 public:
  // What it may claim in the ring. Who claims nothing there needs no record of this thread's: there
  // may be none left for it.
  enum class Claims { places, nothing };

  explicit Call(const QueueHandle& queue, Claims claims = Claims::places)
      : queue_(queue),
        object_(*queue.handle_.object),
        intent_(my_intent(claims)),
        machine_(object_.mapping(), object_.index()),
        me_(object_.mapping().self()),
        ring_(machine_, queue.ring_, object_.mapping().tables().waiters(), intent_),
        blocks_(machine_, {reinterpret_cast<BlockWord*>(queue.blocks_), queue.block_count_},
                word().cursor, me_) {}

  [[nodiscard]] core::Ring<Machine>& ring() { return ring_; }
  [[nodiscard]] core::Blocks<Machine>& blocks() { return blocks_; }
  [[nodiscard]] OwnerValue me() const { return me_; }
  [[nodiscard]] std::byte* item(std::uint64_t position) const {
    return queue_.ring_.item(position);
  }

  [[nodiscard]] core::Joinable<Machine> joinable() {
    const std::uint32_t processes = object_.mapping().tables().header().max_processes;
    return {machine_, join_word(word()), accounts(word(), processes), ring_, me_};
  }
  [[nodiscard]] bool is_joinable() const { return object_.kind() == Kind::joinable_queue; }

  // False at the deadline. Throw Closed, Corrupted.
  bool claim_push(std::uint64_t& position, Deadline deadline) {
    return claimed(ring_.claim_push(position, deadline));
  }
  bool claim_pop(std::uint64_t& position, Deadline deadline) {
    return claimed(is_joinable() ? joinable().claim_pop(position, deadline)
                                 : ring_.claim_pop(position, deadline));
  }
  // Waits until there is an item, and leaves it there. False at the deadline. Throws Closed, Corrupted.
  bool wait_for_item(Deadline deadline) {
    std::uint64_t none = 0;
    return claimed(
        ring_.claim_pop(none, deadline, [this](std::uint64_t&) { return ring_.has_item(); }));
  }
  void published(std::uint64_t position) { ring_.published(position); }
  void released(std::uint64_t position) { ring_.released(position, queue_.wakes()); }

  // What a closed queue means to who waits for room.
  enum class Closing { ends_it, is_ignored };

  // Room that this call has, and gives back unless it is kept.
  class Borrowed {
   public:
    // `lent`: counted as such, before there was a block.
    Borrowed(Call& call, bool lent) : call_(call), lent_(lent) {
      if (lent_) call_.lend();
    }
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    ~Borrowed() {
      if (has_block_) call_.blocks_.give_back(block_);
      if (lent_) call_.unlend();
      if (has_block_ || lent_) call_.wake_pushers();
    }
    // False at the deadline. Throws Closed.
    bool claim(std::uint64_t count, Deadline deadline) {
      return keeps(call_.claim_blocks(count, deadline));
    }
    // The same, also of a closed queue: there may still be items to take.
    bool claim_in_any_case(Deadline deadline) {
      return keeps(call_.claim_blocks(1, deadline, Closing::is_ignored));
    }
    // That of an item which was popped. False where it is not there.
    bool take(std::uint32_t first, std::uint64_t position) {
      if (!call_.blocks_.take(first, position)) return false;
      return keeps(first);
    }
    [[nodiscard]] std::uint32_t block() const { return block_; }
    std::uint32_t keep() {
      lent_ = false;
      has_block_ = false;
      return block_;
    }

   private:
    bool keeps(std::optional<std::uint32_t> block) {
      has_block_ = block.has_value();
      if (has_block_) block_ = *block;
      return has_block_;
    }

    Call& call_;
    bool lent_;
    bool has_block_ =
        false;  // an optional, assigned by a call that throws, g++ 12 leaves undefined
    std::uint32_t block_ = 0;
  };

  // Blocks for an item. Nothing at the deadline. Throws Closed.
  std::optional<std::uint32_t> claim_blocks(std::uint64_t count, Deadline deadline,
                                            Closing closing = Closing::ends_it) {
    std::optional<std::uint32_t> first;
    wait_for_room(deadline, closing, [&](core::Glance glance) {
      first = blocks_.claim(count);
      if (!first && glance != core::Glance::quick && sweep()) first = blocks_.claim(count);
      return first.has_value();
    });
    return first;
  }
  // Room has become free elsewhere than in the ring.
  void wake_pushers() { ring_.end_operation(word().pushers, queue_.wakes()); }

  // Of a queue of small items: waits until there is room beside what is lent, `more` for the caller
  // included. False at the deadline. Throws Closed.
  bool wait_for_unlent(std::uint32_t more, Deadline deadline) {
    return wait_for_room(deadline, Closing::ends_it, [&](core::Glance glance) {
      if (is_room_unlent(more)) return true;
      if (glance == core::Glance::quick) return false;
      count_lent_anew();
      return is_room_unlent(more);
    });
  }
  void lend() { word().loaned.fetch_add(1, std::memory_order_relaxed); }
  void unlend() {
    std::uint32_t lent = word().loaned.load(std::memory_order_relaxed);
    while (lent != 0 &&
           !word().loaned.compare_exchange_weak(lent, lent - 1, std::memory_order_relaxed)) {
    }
  }
  [[nodiscard]] std::uint32_t lent() const { return word().loaned.load(std::memory_order_relaxed); }

  [[noreturn]] void throw_corrupted() const {
    throw Corrupted(described(object_) +
                    ": has been written over; erase it, or remove the segment");
  }

 private:
  [[nodiscard]] QueueWord& word() const { return *queue_.handle_.word; }

  Intent& my_intent(Claims claims) {
    if (claims == Claims::places) return record_for_intents(object_).intent;
    detail::join(object_);
    return none_;
  }

  bool claimed(core::RingOutcome outcome) const {
    if (outcome == core::RingOutcome::closed)
      throw Closed(described(object_) + ": is closed, for good; use another name for a new one");
    if (outcome == core::RingOutcome::corrupted) throw_corrupted();
    return outcome == core::RingOutcome::claimed;
  }

  template <class HasRoom>
  bool wait_for_room(Deadline deadline, Closing closing, HasRoom has_room) {
    bool found = false;
    bool closed = false;
    bool has_slept = false;
    core::wait(machine_, word().pushers, deadline, [&](core::Glance glance) {
      has_slept = deadline != kDoNotWait && glance != core::Glance::quick;
      closed = closing == Closing::ends_it && ring_.is_closed();
      found = !closed && has_room(glance);
      return found || closed ? core::Look::done : core::Look::wait;
    });
    // One wake may have stood for the room of several items, or been spent on one who gave up.
    if (has_slept) core::pass_on(machine_, word().pushers, true);
    if (closed) claimed(core::RingOutcome::closed);
    return found;
  }

  bool sweep() {
    return blocks_.sweep([this](std::uint64_t position) { return ring_.is_current(position); });
  }
  bool is_room_unlent(std::uint32_t more) const {
    return ring_.size() + lent() + more <= queue_.capacity();
  }
  // Who died between the two words left `loaned` too high.
  void count_lent_anew() {
    std::uint32_t lent = this->lent();
    word().loaned.compare_exchange_strong(lent, blocks_.count_lent(), std::memory_order_relaxed);
  }

  const QueueHandle& queue_;
  const Object& object_;
  Intent none_{};
  Intent& intent_;
  Machine machine_;
  const OwnerValue me_;
  core::Ring<Machine> ring_;
  core::Blocks<Machine> blocks_;
};

}  // namespace shoal::detail
