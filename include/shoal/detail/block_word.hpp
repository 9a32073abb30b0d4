// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shoal/detail/machine.hpp"
#include "shoal/detail/owner_value.hpp"

namespace shoal::detail {

// A block of a queue: room for an item, or for a part of one, beside the ring. The first block of
// an item names whoever has it; the others name the first. So to claim an item's room, to hand it
// on and to give it back is one CAS or store each, and no block is ever nobody's. There is no list
// of free blocks: who wants one looks for it, beginning where the last one was found.
//
//   state             meaning                                   who may change it
//   0                 free                                      anyone
//   an owner value    first block of an item being written or   its owner; anyone, once that is
//                     read by that process                      dead: to free
//   queued, p         first block of the item at position p     who popped p; anyone, once the
//                                                               ring's slot holds p no more: to free
//   part, h, s        belongs to the item whose first block is  nobody, while block h is the first
//                     h, in its serial s                        of an item and its serial is s; else
//                                                               anyone: it is free
//
//   serial            how often this block has been a first one; its owner's, + 1 as it begins
//   next              the block behind this one in the item, for as many as the item has bytes
//
// B1 -> B2   free is stored (release) after the bytes were read; who claims a block (acquire) may
//            overwrite them. Of a part: after it saw its first one freed, or its serial move on.
template <class World>
struct BasicBlockWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  Atomic<std::uint64_t> state;
  Atomic<std::uint32_t> serial;
  Atomic<std::uint32_t> next;
};
using BlockWord = BasicBlockWord<MachineAtomics>;
static_assert(sizeof(BlockWord) == 16);

inline constexpr std::uint64_t kFreeBlock = 0;
inline constexpr std::uint64_t kQueuedBlock = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kPartOfBlock = std::uint64_t{1} << 62;
inline constexpr std::uint64_t kMostBlocks = std::uint64_t{1} << 30;

constexpr bool is_queued(std::uint64_t state) { return (state & kQueuedBlock) != 0; }
constexpr bool is_part(std::uint64_t state) {
  return (state & (kQueuedBlock | kPartOfBlock)) == kPartOfBlock;
}
constexpr std::uint64_t queued_state(std::uint64_t position) { return kQueuedBlock | position; }
constexpr std::uint64_t position_in(std::uint64_t state) { return state & ~kQueuedBlock; }
constexpr std::uint64_t part_state(std::uint32_t first, std::uint32_t serial) {
  return kPartOfBlock | std::uint64_t{first} << 32 | serial;
}
constexpr std::uint32_t first_in(std::uint64_t state) {
  return static_cast<std::uint32_t>((state & ~kPartOfBlock) >> 32);
}
constexpr std::uint32_t serial_in(std::uint64_t state) { return static_cast<std::uint32_t>(state); }

}  // namespace shoal::detail
