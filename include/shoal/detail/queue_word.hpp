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
#include "shoal/detail/mutant.hpp"

namespace shoal::detail {

// A queue in shared memory, and the fast paths on it: a ring of slots after Dmitry Vyukov's bounded
// queue ("Bounded MPMC queue", 2010), in which whoever comes next can tell what the dead have left.
// The slow paths are in lib/core/ring.hpp and ring_mender.hpp.
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
//   empty, p     to be filled at position p; p may be        who claimed tail = p, to full or follows;
//                claimed already                             anyone, where that is dead, to skip
//   full, p      holds the item of position p, which may     who claimed head = p, to empty, p + one
//                be claimed already                          round; anyone, where that is dead
//   follows, p   as full, pushed by the same call as the     as full; anyone, where its pusher died
//                one before it                               before it filled that one, to skip
//   skip, p      its pusher died; there is no item           as full
//
//   push   intent;  CAS tail: p -> next;  write the item;  word = full, p
//   pop    intent;  CAS head: p -> next;  read the item;   word = empty, p + one round
//
// Several are pushed by one CAS, and filled from the last to the first: all but the first follow. So
// they are there as a whole, for who pops and looks at the first one does not get in the way of who is
// at the others; and whoever makes the first a skip, its pusher being dead, makes all that follow it
// skips before. Several are popped, and their slots left, likewise.
//
// A claimed place that nobody living has an intent for was its claimant's who died: an intent is
// written before the claim, and stays at least until the word has changed (intent.hpp).
//
//   full_at      the tail when a push last found no room; a hint   whoever found none
//   empty_at     the head when a pop last found no item; a hint    whoever found none
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
// S1 -> S2  head (release) is moved past a skip after what follows it was made skips; who claims from
//           there (acquire) does not take one of these for what it was before.
// M1 -> M2  after its word, push loads poppers, and pop loads pushers; no fence: lib/core/wait.hpp
template <class World>
struct BasicQueueWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  alignas(64) Atomic<std::uint64_t> tail;
  Atomic<std::uint64_t> full_at;
  alignas(64) Atomic<std::uint64_t> head;
  Atomic<std::uint64_t> empty_at;
  alignas(64) Atomic<std::uint32_t> pushers;
  Atomic<std::uint32_t> poppers;
  Atomic<std::uint32_t> loaned;
  Atomic<std::uint32_t> cursor;
  std::uint64_t capacity;
  std::uint64_t slot_bytes;
  std::uint64_t blocks;
  std::uint64_t block_bytes;
  std::uint64_t bytes_asked;
};
using QueueWord = BasicQueueWord<MachineAtomics>;
static_assert(std::is_standard_layout_v<QueueWord> && sizeof(QueueWord) == 192, "docs/format.md");
static_assert(offsetof(QueueWord, head) == 64 && offsetof(QueueWord, pushers) == 128);

inline constexpr std::uint64_t kClosed = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kLargestQueue = std::uint64_t{1} << 31;  // items

enum class SlotState : std::uint64_t { empty = 0, full = 1, skip = 2, follows = 3 };
inline constexpr int kSlotStateBits = 2;
constexpr std::uint64_t slot_word(std::uint64_t position, SlotState state) {
  return (position << kSlotStateBits) + static_cast<std::uint64_t>(state);  // compilers fold a sum
}
// Full, or follows.
constexpr bool holds_item(std::uint64_t word, std::uint64_t position) {
  constexpr auto differs =
      static_cast<std::uint64_t>(SlotState::full) ^ static_cast<std::uint64_t>(SlotState::follows);
  return (word | differs) == slot_word(position, SlotState::follows);
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
    return (position & (kClosed | mask)) <= last;
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
// kBytes: of a slot, where that is known beforehand, so that to find one takes no multiplication.
template <class World>
struct BasicRing {
  using Word = BasicQueueWord<World>;
  using State = typename World::template Atomic<std::uint64_t>;

  template <std::size_t kBytes = 0>
  [[nodiscard]] std::byte* slot(std::uint64_t position) const {
    return slots + shape.index(position) * (kBytes != 0 ? kBytes : slot_bytes);
  }
  template <std::size_t kBytes = 0>
  [[nodiscard]] State& state(std::uint64_t position) const {
    return *reinterpret_cast<State*>(slot<kBytes>(position));
  }
  template <std::size_t kBytes = 0>
  [[nodiscard]] std::byte* item(std::uint64_t position) const {
    return slot<kBytes>(position) + sizeof(State);
  }

  Word* word;
  std::byte* slots;
  RingShape shape;
  std::uint64_t object;  // as in an intent
  std::size_t slot_bytes;
};
using Ring = BasicRing<MachineAtomics>;

// Which end of a ring an operation is at, and what its slot must be.
template <Operation operation, class Ring>
[[nodiscard]] auto& end_of(const Ring& ring) {
  if constexpr (operation == Operation::push)
    return ring.word->tail;
  else
    return ring.word->head;
}
// How to read an end's position before a claim. The slot's word says whether it is still so; but of what
// follows, to pop it, that word may be an old one. S2
template <Operation operation>
inline constexpr std::memory_order kReadEnd =
    operation == Operation::push ? std::memory_order_relaxed : std::memory_order_acquire;
template <Operation operation>
constexpr bool is_ready(std::uint64_t word, std::uint64_t position) {
  return operation == Operation::push ? word == slot_word(position, SlotState::empty)
                                      : holds_item(word, position);
}
// Calls each(i, position, state, item) of `most` slots from that position on, until one is false: of
// how many it was true. `most` is at most the capacity.
template <std::size_t kBytes, class World, class Each>
[[gnu::always_inline]] inline std::uint64_t walk(const BasicRing<World>& ring,
                                                 std::uint64_t position, std::uint64_t most,
                                                 Each each) {
  using State = typename BasicRing<World>::State;
  std::uint64_t i = 0;
  while (i < most) {
    std::byte* slot = ring.template slot<kBytes>(position);
    const std::uint64_t to_the_last = ring.shape.capacity() - ring.shape.index(position);
    const std::uint64_t end = std::min(most, i + to_the_last);
#pragma GCC unroll 4
    for (; i < end; ++i, ++position, slot += kBytes)
      if (!each(i, position, *reinterpret_cast<State*>(slot), slot + sizeof(State))) return i;
    position = ring.shape.next(position - 1);
  }
  return i;
}
// The same of all of them, from the last one to the first.
template <std::size_t kBytes, class World, class Each>
[[gnu::always_inline]] inline void walk_back(const BasicRing<World>& ring, std::uint64_t position,
                                             std::uint64_t count, Each each) {
  using State = typename BasicRing<World>::State;
  const std::uint64_t to_the_last = ring.shape.capacity() - ring.shape.index(position);
  std::uint64_t i = count;
  const auto walk_down_to = [&](std::uint64_t begin, std::uint64_t first) {
    std::byte* slot = ring.template slot<kBytes>(first) + (i - begin) * kBytes;
#pragma GCC unroll 4
    while (i > begin) {
      --i;
      slot -= kBytes;
      each(i, first + (i - begin), *reinterpret_cast<State*>(slot), slot + sizeof(State));
    }
  };
  if (count > to_the_last) walk_down_to(to_the_last, ring.shape.next(position + to_the_last - 1));
  walk_down_to(0, position);
}

// How many slots from that position on are ready, `most` at most.
template <Operation operation, std::size_t kBytes, class World>
[[nodiscard]] std::uint64_t count_ready(const BasicRing<World>& ring, std::uint64_t position,
                                        std::uint64_t most) {
  return walk<kBytes>(ring, position, std::min(most, ring.shape.capacity()),
                      [](std::uint64_t, std::uint64_t at, const auto& state, std::byte*) {
                        return is_ready<operation>(state.load(std::memory_order_acquire),  // Q2, Q4
                                                   at);
                      });
}

// Claims the position at that end, in one attempt. False: its slot is not ready, or somebody was
// faster. Inline, and nothing but what must be: every store, a register's to the stack too, is one
// more that the CAS waits for.
template <Operation operation, std::size_t kBytes = 0, class World>
[[gnu::always_inline]] inline bool claim_at_once(const BasicRing<World>& ring,
                                                 BasicIntent<World>& intent,
                                                 std::uint64_t& position) {
  position = end_of<operation>(ring).load(kReadEnd<operation>);
  if (!ring.shape.is_position(position)) return false;
  const std::uint64_t word =
      ring.template state<kBytes>(position).load(std::memory_order_acquire);  // Q2, Q4
  constexpr SlotState usual = operation == Operation::push ? SlotState::empty : SlotState::full;
  if (word != slot_word(position, usual) && !is_ready<operation>(word, position)) return false;
  constexpr bool late = World::kMutant == Mutant::intent_after_claim;
  if constexpr (!late) set_intent(intent, ring.object, operation, position);
  std::uint64_t seen = position;
  if (end_of<operation>(ring).compare_exchange_strong(seen, ring.shape.next(position),
                                                      std::memory_order_release,  // I1
                                                      std::memory_order_relaxed)) {
    if constexpr (late) set_intent(intent, ring.object, operation, position);
    return true;
  }
  clear_intent(intent);
  return false;
}

// The same, as often as somebody else is faster.
template <Operation operation, class World>
bool claim_one(const BasicRing<World>& ring, BasicIntent<World>& intent, std::uint64_t& position) {
  do {
    if (claim_at_once<operation>(ring, intent, position)) return true;
  } while (end_of<operation>(ring).load(std::memory_order_relaxed) != position);
  return false;
}

// Claims up to `most` positions from that end on.
struct Claimed {
  std::uint64_t first;
  std::uint64_t count;
};
template <Operation operation, std::size_t kBytes, class World>
Claimed claim_some(const BasicRing<World>& ring, BasicIntent<World>& intent, std::uint64_t most) {
  auto& end = end_of<operation>(ring);
  std::uint64_t at = end.load(kReadEnd<operation>);
  while (ring.shape.is_position(at)) {
    const std::uint64_t count = count_ready<operation, kBytes>(ring, at, most);
    if (count > 0) {
      set_intent(intent, ring.object, operation, at, count - 1);
      const std::uint64_t first = at;
      if (end.compare_exchange_strong(at, ring.shape.advance(at, count),
                                      std::memory_order_release,  // I1
                                      kReadEnd<operation>))
        return {first, count};
    } else {
      const std::uint64_t now = end.load(kReadEnd<operation>);
      if (now == at) break;
      at = now;
    }
  }
  clear_intent(intent);
  return {0, 0};
}

// Gives a claimed slot its next word, once all is done there.
template <class State>
[[gnu::always_inline]] inline void leave(State& state, std::uint64_t word) {
  state.store(word, std::memory_order_release);  // Q1, Q3, M1
}
// The item at `position`, which the caller has claimed, is there; or has been read.
template <std::size_t kBytes = 0, class World>
void fill_slot(const BasicRing<World>& ring, std::uint64_t position) {
  leave(ring.template state<kBytes>(position), slot_word(position, SlotState::full));
}
template <std::size_t kBytes = 0, class World>
void empty_slot(const BasicRing<World>& ring, std::uint64_t position) {
  leave(ring.template state<kBytes>(position),
        slot_word(ring.shape.round_later(position), SlotState::empty));
}
// The same of several. write(i, item), read(i, item): the i-th one, and where it is.
template <std::size_t kBytes, class World, class Write>
[[gnu::always_inline]] inline void fill_slots(const BasicRing<World>& ring, const Claimed& claimed,
                                              Write write) {
  walk_back<kBytes>(ring, ring.shape.next(claimed.first), claimed.count - 1,
                    [&](std::uint64_t i, std::uint64_t at, auto& state, std::byte* item) {
                      write(i + 1, item);
                      leave(state, slot_word(at, SlotState::follows));
                    });
  write(0, ring.template item<kBytes>(claimed.first));
  fill_slot<kBytes>(ring, claimed.first);
}
template <std::size_t kBytes, class World, class Read>
[[gnu::always_inline]] inline void empty_slots(const BasicRing<World>& ring, const Claimed& claimed,
                                               Read read) {
  const RingShape shape = ring.shape;  // which no store may be one to
  walk_back<kBytes>(ring, claimed.first, claimed.count,
                    [&](std::uint64_t i, std::uint64_t at, auto& state, std::byte* item) {
                      read(i, item);
                      leave(state, slot_word(shape.round_later(at), SlotState::empty));
                    });
}

// After an operation: whether somebody may be asleep, and is to be woken.
template <class Sleepers>
[[nodiscard]] bool somebody_sleeps_after_store(const Sleepers& sleepers) {
  std::atomic_signal_fence(std::memory_order_seq_cst);  // the compiler keeps M1's order too
  return (sleepers.load(std::memory_order_relaxed) & kSomebodySleeps) != 0;  // M1
}

}  // namespace shoal::detail
