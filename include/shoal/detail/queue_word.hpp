// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "shoal/detail/intent.hpp"
#include "shoal/detail/machine.hpp"

namespace shoal::detail {

// A queue in shared memory, and the fast paths on it: a ring of slots after Dmitry Vyukov's bounded
// queue ("Bounded MPMC queue", 2010), in which whoever comes next can tell what the dead have left.
// The slow paths are in lib/core/ring.hpp.
//
// A position counts slots: its low bits are the index of one, the rest says which time around. The
// slot before the next round's first is the last one in use, not the last that the bits could name,
// so any capacity will do. 2^61 positions do not come round again.
//
//   tail         position of the next push, | kClosed        by CAS: whoever pushes there; kClosed:
//                                                            anyone, for good
//   head         position of the next pop                    by CAS: whoever pops there
//
//   slot's word  meaning                                     who may change it
//   empty, p     to be filled at position p; p may be        who claimed tail = p, to full; anyone,
//                claimed already                             where that is dead, to skip
//   full, p      holds the item of position p, which may     who claimed head = p, to empty, p + one
//                be claimed already                          round; anyone, where that is dead
//   skip, p      its pusher died; there is no item           as full
//
//   push   intent;  CAS tail: p -> next;  write the item;  word = full, p;   intent = 0
//   pop    intent;  CAS head: p -> next;  read the item;   word = empty, p + one round;  intent = 0
//
// A claimed place that nobody living has an intent for was its claimant's who died: an intent is
// written before the claim, and cleared after the word has changed (intent.hpp).
//
//   pushers      sleepers word of those who wait for room          the wait's: lib/core/wait.hpp
//   poppers      sleepers word of those who wait for items         the wait's
//   loaned       how much room is lent out, see lib/core/blocks.hpp; too much where somebody died
//   cursor       where to look for a free block first; a hint
//   capacity ... the creator's; never change
//
// Q1 -> Q2  a slot's word (release) is stored after the item was written; who finds it full
//           (acquire) may read the item.
// Q3 -> Q4  a slot's word (release) is stored after the item was read; who finds it empty (acquire)
//           may overwrite it.
// M1 -> M2  after its word, push loads poppers, and pop loads pushers; no fence: lib/core/wait.hpp
template <class World>
struct BasicQueueWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  alignas(64) Atomic<std::uint64_t> tail;
  alignas(64) Atomic<std::uint64_t> head;
  alignas(64) Atomic<std::uint32_t> pushers;
  Atomic<std::uint32_t> poppers;
  Atomic<std::uint32_t> loaned;
  Atomic<std::uint32_t> cursor;
  std::uint64_t capacity;
  std::uint64_t slot_bytes;
  std::uint64_t blocks;
  std::uint64_t block_bytes;
};
using QueueWord = BasicQueueWord<MachineAtomics>;
static_assert(std::is_standard_layout_v<QueueWord> && sizeof(QueueWord) == 192, "docs/format.md");
static_assert(offsetof(QueueWord, head) == 64 && offsetof(QueueWord, pushers) == 128);

inline constexpr std::uint64_t kClosed = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kLargestQueue = std::uint64_t{1} << 31;  // items

enum class SlotState : std::uint64_t { empty = 0, full = 1, skip = 2 };
inline constexpr int kSlotStateBits = 2;
constexpr std::uint64_t slot_word(std::uint64_t position, SlotState state) {
  return position << kSlotStateBits | static_cast<std::uint64_t>(state);
}

// How a ring's positions count.
struct RingShape {
  constexpr explicit RingShape(std::uint64_t capacity)
      : last(capacity - 1), mask(std::bit_ceil(capacity) - 1) {}

  [[nodiscard]] constexpr std::uint64_t capacity() const { return last + 1; }
  [[nodiscard]] constexpr std::uint64_t index(std::uint64_t position) const {
    return position & mask;
  }
  // Whether it is one, and not closed, or written over.
  [[nodiscard]] constexpr bool is_position(std::uint64_t position) const {
    return position < kClosed && index(position) <= last;
  }
  [[nodiscard]] constexpr std::uint64_t next(std::uint64_t position) const {
    return index(position) == last ? (position | mask) + 1 : position + 1;
  }
  [[nodiscard]] constexpr std::uint64_t round_later(std::uint64_t position) const {
    return position + mask + 1;
  }
  [[nodiscard]] constexpr std::uint64_t round_before(std::uint64_t position) const {
    return position - mask - 1;
  }
  // n <= capacity()
  [[nodiscard]] constexpr std::uint64_t advance(std::uint64_t position, std::uint64_t n) const {
    const std::uint64_t index = this->index(position) + n;
    return index <= last ? position + n : (position | mask) + 1 + (index - last - 1);
  }
  // How many positions from one to the other; wrong by wrapping round where `to` is behind.
  [[nodiscard]] constexpr std::uint64_t distance(std::uint64_t from, std::uint64_t to) const {
    const std::uint64_t rounds = (to & ~mask) / (mask + 1) - (from & ~mask) / (mask + 1);
    return rounds * capacity() + index(to) - index(from);
  }

  std::uint64_t last;
  std::uint64_t mask;
};

// A ring as one process sees it: nothing that could be written over, but the words themselves.
// kSlotBytes: of a slot, where that is known beforehand.
template <class World, std::size_t kSlotBytes = 0>
struct BasicRing {
  using Word = BasicQueueWord<World>;
  using State = typename World::template Atomic<std::uint64_t>;

  [[nodiscard]] std::byte* slot(std::uint64_t position) const {
    const std::size_t bytes = kSlotBytes != 0 ? kSlotBytes : slot_bytes;
    return slots + shape.index(position) * bytes;
  }
  [[nodiscard]] State& state(std::uint64_t position) const {
    return *reinterpret_cast<State*>(slot(position));
  }
  [[nodiscard]] std::byte* item(std::uint64_t position) const {
    return slot(position) + sizeof(State);
  }

  Word* word;
  std::byte* slots;
  std::size_t slot_bytes;
  RingShape shape;
  std::uint64_t object;  // as in an intent
};
using Ring = BasicRing<MachineAtomics>;

// Claims up to `most` positions at `end`, the ring's tail or head, whose slots' words all have that
// state. How many: 0 where there is none, and `position` is the one it failed at. The intent is set
// where there are some.
template <class World, std::size_t kSlotBytes>
std::uint64_t claim(const BasicRing<World, kSlotBytes>& ring, BasicIntent<World>& intent,
                    typename BasicRing<World, kSlotBytes>::State& end, SlotState state,
                    Operation operation, std::uint64_t& position, std::uint64_t most = 1) {
  // Relaxed: the slot's word says whether this is still so.
  position = end.load(std::memory_order_relaxed);
  for (;;) {
    std::uint64_t count = 0;
    if (ring.shape.is_position(position)) [[likely]] {
      std::uint64_t next = position;
      while (count < most && ring.state(next).load(std::memory_order_acquire) ==
                                 slot_word(next, state)) {  // Q2, Q4
        next = ring.shape.next(next);
        ++count;
      }
      if (count > 0) [[likely]] {
        set_intent(intent, ring.object, operation, position, count);
        std::uint64_t seen = position;
        if (end.compare_exchange_strong(seen, next, std::memory_order_release,  // I1
                                        std::memory_order_relaxed))
          return count;
        position = seen;
        continue;
      }
    }
    const std::uint64_t now = end.load(std::memory_order_relaxed);
    if (now == position) {
      clear_intent(intent);
      return 0;
    }
    position = now;
  }
}

template <class World, std::size_t kSlotBytes>
std::uint64_t claim_push(const BasicRing<World, kSlotBytes>& ring, BasicIntent<World>& intent,
                         std::uint64_t& position, std::uint64_t most = 1) {
  return claim(ring, intent, ring.word->tail, SlotState::empty, Operation::push, position, most);
}
template <class World, std::size_t kSlotBytes>
std::uint64_t claim_pop(const BasicRing<World, kSlotBytes>& ring, BasicIntent<World>& intent,
                        std::uint64_t& position, std::uint64_t most = 1) {
  return claim(ring, intent, ring.word->head, SlotState::full, Operation::pop, position, most);
}

// The item at `position`, which the caller has claimed, is there; or has been read.
template <class World, std::size_t kSlotBytes>
void fill_slot(const BasicRing<World, kSlotBytes>& ring, std::uint64_t position) {
  ring.state(position).store(slot_word(position, SlotState::full),
                             std::memory_order_release);  // Q1, M1
}
template <class World, std::size_t kSlotBytes>
void empty_slot(const BasicRing<World, kSlotBytes>& ring, std::uint64_t position) {
  ring.state(position).store(slot_word(ring.shape.round_later(position), SlotState::empty),
                             std::memory_order_release);  // Q3, M1
}

// Ends an operation: whether somebody may be asleep, and is to be woken.
template <class World>
[[nodiscard]] bool finish(BasicIntent<World>& intent,
                          const typename World::template Atomic<std::uint32_t>& sleepers) {
  clear_intent(intent);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // the compiler keeps M1's order too
  return (sleepers.load(std::memory_order_relaxed) & kSomebodySleeps) != 0;  // M1
}

}  // namespace shoal::detail
