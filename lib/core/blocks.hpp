// SPDX-License-Identifier: MIT
#pragma once

// The blocks of a queue. States and who may change them stand above BasicBlockWord, in
// shoal/detail/block_word.hpp.
//
// What each step leaves behind when its process is killed right after it:
//
//   claim      CAS of the first one    a dead process's item, which sweep() frees
//              serial + 1              the same
//              CAS of each part        the same: they are free once the first one is
//   queue      state = queued, p       the item, if its slot gets filled; else sweep() finds that
//                                      the slot holds p no more
//   take       CAS queued -> owner     a dead process's item
//   give back  state = free            free

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "core/world.hpp"
#include "shoal/detail/block_word.hpp"

namespace shoal::core {

template <class World>
class Blocks {
 public:
  using Atomics = typename World::Atomics;
  using Block = detail::BasicBlockWord<Atomics>;
  using Cursor = typename World::template Atomic<std::uint32_t>;

  Blocks(World& world, std::span<Block> blocks, Cursor& cursor, OwnerValue me)
      : world_(world), blocks_(blocks), cursor_(cursor), me_(me) {}

  // Claims as many blocks as that, linked one behind the other. The first, or nothing: there are
  // not as many free. Then none has been claimed.
  std::optional<std::uint32_t> claim(std::uint64_t count) {
    const auto first = claim_one(me_);
    if (!first) return std::nullopt;
    Block& head = blocks_[*first];
    constexpr std::uint32_t by = World::kMutant == Mutant::serial_not_bumped ? 0 : 1;
    const std::uint32_t serial = head.serial.load(std::memory_order_relaxed) + by;
    head.serial.store(serial, std::memory_order_release);
    Block* last = &head;
    for (std::uint64_t i = 1; i < count; ++i) {
      const auto part = claim_one(detail::part_state(*first, serial));
      if (!part) {
        give_back(*first);
        return std::nullopt;
      }
      last->next.store(*part, std::memory_order_relaxed);
      last = &blocks_[*part];
    }
    return first;
  }

  // Hands an item over to the ring. Requires: claimed, or taken, by this process.
  void queue(std::uint32_t first, std::uint64_t position) {
    blocks_[first].state.store(detail::queued_state(position), std::memory_order_release);
  }
  // Takes the item that was popped at that position. False where the blocks say otherwise: they
  // have been written over.
  bool take(std::uint32_t first, std::uint64_t position) {
    if (first >= blocks_.size()) return false;
    std::uint64_t queued = detail::queued_state(position);
    return blocks_[first].state.compare_exchange_strong(queued, me_, std::memory_order_acq_rel,
                                                        std::memory_order_relaxed);
  }
  // False, and nothing has changed, where `me` is not who has it.
  bool give_back(std::uint32_t first) {
    std::uint64_t mine = me_;
    return blocks_[first].state.compare_exchange_strong(mine, detail::kFreeBlock,  // B1
                                                        std::memory_order_release,
                                                        std::memory_order_relaxed);
  }
  // The block behind that one in its item.
  std::optional<std::uint32_t> after(std::uint32_t block) const {
    const std::uint32_t next = blocks_[block].next.load(std::memory_order_relaxed);
    if (next >= blocks_.size()) return std::nullopt;
    return next;
  }

  // Frees what the dead had, and what fell out of the ring: is_current(position) tells whether the
  // ring still has the item of that position. True: there was some.
  template <class IsCurrent>
  bool sweep(IsCurrent is_current) {
    bool any = false;
    for (Block& block : blocks_) {
      std::uint64_t state = block.state.load(std::memory_order_acquire);
      if (state == detail::kFreeBlock || detail::is_part(state) || state == me_) continue;
      const bool used =
          detail::is_queued(state) ? is_current(detail::position_in(state)) : world_.alive(state);
      if (!used &&
          block.state.compare_exchange_strong(state, detail::kFreeBlock, std::memory_order_acq_rel,
                                              std::memory_order_relaxed))
        any = true;
    }
    return any;
  }

  // How many items are being written or read by the living.
  std::uint32_t count_lent() {
    std::uint32_t count = 0;
    for (const Block& block : blocks_) {
      const std::uint64_t state = block.state.load(std::memory_order_acquire);
      if (state != detail::kFreeBlock && !detail::is_part(state) && !detail::is_queued(state) &&
          (state == me_ || world_.alive(state)))
        ++count;
    }
    return count;
  }

 private:
  std::optional<std::uint32_t> claim_one(std::uint64_t state) {
    const auto size = static_cast<std::uint32_t>(blocks_.size());
    std::uint32_t at = cursor_.load(std::memory_order_relaxed);  // a hint
    for (std::uint32_t looked = 0; looked < size; ++looked, ++at) {
      if (at >= size) at = 0;
      std::uint64_t seen = blocks_[at].state.load(std::memory_order_acquire);
      if (!is_free(seen) ||
          !blocks_[at].state.compare_exchange_strong(seen, state, std::memory_order_acq_rel,  // B2
                                                     std::memory_order_relaxed))
        continue;
      cursor_.store(at + 1, std::memory_order_relaxed);
      return at;
    }
    return std::nullopt;
  }

  bool is_free(std::uint64_t state) const {
    if (!detail::is_part(state)) return state == detail::kFreeBlock;
    const std::uint32_t first = detail::first_in(state);
    if (first >= blocks_.size()) return true;  // written over
    const std::uint64_t of = blocks_[first].state.load(std::memory_order_acquire);
    return of == detail::kFreeBlock || detail::is_part(of) ||
           blocks_[first].serial.load(std::memory_order_acquire) != detail::serial_in(state);
  }

  World& world_;
  const std::span<Block> blocks_;
  Cursor& cursor_;
  const OwnerValue me_;
};

}  // namespace shoal::core
