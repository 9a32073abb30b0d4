// SPDX-License-Identifier: MIT
#pragma once

// A queue's ring as its slow paths see it: where its ends are, what stands in its slots, and how a
// place there is left. States, owners and memory-order pairs stand above BasicQueueWord, in
// shoal/detail/queue_word.hpp.

#include <atomic>
#include <cstdint>

#include "core/wait.hpp"
#include "core/world.hpp"
#include "shoal/detail/queue_word.hpp"

namespace shoal::core {

template <class World>
class RingSlots {
 public:
  using View = detail::BasicRing<typename World::Atomics>;
  using Intent = detail::BasicIntent<typename World::Atomics>;
  using Sleepers = typename World::template Atomic<std::uint32_t>;

  RingSlots(World& world, const View& view, Intent& mine)
      : world_(world), view_(view), mine_(mine) {}

  // Of a claimed place, which the item has been written to, or read from.
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
  void end_operation(Sleepers& sleepers, int count) {
    bool somebody_sleeps = detail::somebody_sleeps_after_store(sleepers);
    if (!world_.is_reached()) {
      world_.fence();
      somebody_sleeps = (sleepers.load(std::memory_order_relaxed) & detail::kSomebodySleeps) != 0;
    }
    if (somebody_sleeps) core::wake(world_, sleepers, count);
  }

 protected:
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

  // What stands in the slot of a position. Acquire: with what has been left there.
  std::uint64_t seen_at(std::uint64_t position) const {
    return view_.state(position).load(std::memory_order_acquire);
  }
  bool is_item(std::uint64_t position) const {
    return detail::holds_item(seen_at(position), position);
  }
  bool is_position(std::uint64_t position) const { return view_.shape.is_position(position); }

  // Acquire: who sees a claim sees the intent behind it, I2; and who pops, what has gone. S2
  std::uint64_t tail_and_closed() const { return view_.word->tail.load(std::memory_order_acquire); }
  std::uint64_t tail() const { return tail_and_closed() & ~detail::kClosed; }
  std::uint64_t head() const { return view_.word->head.load(std::memory_order_acquire); }

  World& world_;
  const View& view_;
  Intent& mine_;
};

}  // namespace shoal::core
