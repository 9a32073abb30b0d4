// SPDX-License-Identifier: MIT
//
// A queue's ring, its blocks and its accounts under every schedule.

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/blocks.hpp"
#include "core/joinable.hpp"
#include "core/ring.hpp"
#include "core/schedules.hpp"

using namespace shoal_test;
using shoal::core::Glance;
using shoal::core::Look;
using shoal::core::RingOutcome;
using shoal::detail::kForever;
using shoal::detail::Mutant;
using shoal::detail::Operation;
using shoal::detail::OwnerValue;
using shoal::detail::SlotState;

namespace {

// Where it waits for somebody who was killed, it gives up.
constexpr std::int64_t kLong = 500 * shoal::core::kMillisecond;

// A ring of numbers, and who uses it. The number in a slot is relaxed: what is not ordered by the
// slot's word shows. `Start`: so many have been pushed and popped before.
template <Mutant M, int Participants, std::uint64_t Capacity, std::uint64_t Start>
struct Ringed {
  struct World : SimWorld<M> {
    using Atomics = SimAtomics<M>;
  };
  using Atomics = SimAtomics<M>;
  using View = shoal::detail::BasicRing<Atomics>;
  using Ring = shoal::core::Ring<World>;
  struct Slot {
    SimAtomic<std::uint64_t> word;
    SimAtomic<std::uint64_t> item;
  };
  static constexpr std::uint64_t kObject = 1 << 16 | 1;

  Ringed() {
    std::uint64_t at = 0;
    for (std::uint64_t i = 0; i < Capacity; ++i)
      slots[i].word.store(shoal::detail::slot_word(i, SlotState::empty));
    for (std::uint64_t i = 0; i < Start; ++i, at = view.shape.next(at))
      view.state(at).store(shoal::detail::slot_word(view.shape.round_later(at), SlotState::empty));
    word.head.store(at);
    word.tail.store(at);
    for (int i = 0; i < Participants; ++i)
      waiters[static_cast<std::size_t>(i)].owner.store(process(i));
  }
  static OwnerValue owner(int participant) { return process(participant); }

  Ring ring_of(World& world, int number) {
    return Ring(world, view, waiters, waiters[static_cast<std::size_t>(number)].intent);
  }
  SimAtomic<std::uint64_t>& item(std::uint64_t position) {
    return slots[view.shape.index(position)].item;
  }
  // Before anybody runs.
  void put(std::uint64_t number, SlotState state = SlotState::full) {
    const std::uint64_t at = word.tail.load();
    item(at).store(number);
    view.state(at).store(shoal::detail::slot_word(at, state));
    word.tail.store(view.shape.next(at));
  }

  // As the handle does: the fast path, else the slow one.
  RingOutcome push(World& world, int number, std::uint64_t what, std::int64_t deadline) {
    Ring ring = ring_of(world, number);
    auto& intent = waiters[static_cast<std::size_t>(number)].intent;
    std::uint64_t position = 0;
    if (claim_at_once<Operation::push>(view, intent, position)) {
      item(position).store(what, std::memory_order_relaxed);
      if constexpr (M == Mutant::intent_cleared_early) clear_intent(intent);
      fill_slot(view, position);
      if (shoal::detail::somebody_sleeps_after_store(word.poppers))
        shoal::core::wake(world, word.poppers, 1);
      return RingOutcome::claimed;
    }
    const RingOutcome outcome = ring.claim_push(position, deadline);
    if (outcome != RingOutcome::claimed) return outcome;
    item(position).store(what, std::memory_order_relaxed);
    ring.published(position);
    return outcome;
  }
  RingOutcome pop(World& world, int number, std::uint64_t& what, std::int64_t deadline) {
    Ring ring = ring_of(world, number);
    auto& intent = waiters[static_cast<std::size_t>(number)].intent;
    std::uint64_t position = 0;
    if (claim_at_once<Operation::pop>(view, intent, position)) {
      what = item(position).load(std::memory_order_relaxed);
      if constexpr (M == Mutant::intent_cleared_early) clear_intent(intent);
      empty_slot(view, position);
      if (shoal::detail::somebody_sleeps_after_store(word.pushers))
        shoal::core::wake(world, word.pushers, 1);
      return RingOutcome::claimed;
    }
    const RingOutcome outcome = ring.claim_pop(position, deadline);
    if (outcome != RingOutcome::claimed) return outcome;
    what = item(position).load(std::memory_order_relaxed);
    ring.released(position);
    return outcome;
  }

  // Two at once, as the handle does; how many.
  template <class BeforeFill>
  std::uint64_t push_two(World& world, int number, std::uint64_t what, BeforeFill before_fill) {
    auto& intent = waiters[static_cast<std::size_t>(number)].intent;
    const auto claimed = claim_some<Operation::push, sizeof(Slot)>(view, intent, 2);
    if (claimed.count == 0) return 0;
    before_fill(claimed.count);
    fill_slots<sizeof(Slot)>(view, claimed, [&](std::uint64_t i, std::byte* item) {
      reinterpret_cast<SimAtomic<std::uint64_t>*>(item)->store(what + i, std::memory_order_relaxed);
    });
    if (shoal::detail::somebody_sleeps_after_store(word.poppers))
      shoal::core::wake(world, word.poppers, 2);
    return claimed.count;
  }
  std::uint64_t pop_two(World& world, int number, std::array<std::uint64_t, 2>& what) {
    auto& intent = waiters[static_cast<std::size_t>(number)].intent;
    const auto claimed = claim_some<Operation::pop, sizeof(Slot)>(view, intent, 2);
    if (claimed.count == 0) return 0;
    empty_slots<sizeof(Slot)>(view, claimed, [&](std::uint64_t i, const std::byte* item) {
      what[i] =
          reinterpret_cast<const SimAtomic<std::uint64_t>*>(item)->load(std::memory_order_relaxed);
    });
    if (shoal::detail::somebody_sleeps_after_store(word.pushers))
      shoal::core::wake(world, word.pushers, 2);
    return claimed.count;
  }

  // For the end: calls `each` with what is in the ring.
  template <class Each>
  void left(Each each) const {
    std::uint64_t at = word.head.load();
    bool is_there = true;  // what was before
    for (; at != (word.tail.load() & ~shoal::detail::kClosed); at = view.shape.next(at)) {
      const std::uint64_t seen = view.state(at).load();
      const bool follows = seen == shoal::detail::slot_word(at, SlotState::follows);
      is_there = shoal::detail::holds_item(seen, at) && (is_there || !follows);
      if (is_there) each(slots[view.shape.index(at)].item.load());
    }
  }
  // The place of a dead pusher, behind an item, takes room until that item has been popped.
  bool is_full() const {
    const std::uint64_t head = word.head.load();
    return view.shape.distance(head, word.tail.load()) == Capacity &&
           shoal::detail::holds_item(view.state(head).load(), head);
  }
  std::uint64_t count_left() const {
    std::uint64_t count = 0;
    left([&](std::uint64_t) { ++count; });
    return count;
  }

  shoal::detail::BasicQueueWord<Atomics> word;
  std::array<Slot, Capacity> slots;
  std::array<shoal::core::BasicWaiter<Atomics>, Participants> waiters;
  View view{&word, reinterpret_cast<std::byte*>(slots.data()), shoal::detail::RingShape(Capacity),
            kObject, sizeof(Slot)};
};

// Pushers push `Each` items each; poppers share them. Item n of pusher p is 10 p + n, n from 1.
template <Mutant M, int Pushers, int Poppers, std::uint64_t Capacity, int Each = 1,
          std::uint64_t Start = 0>
struct Traffic : Ringed<M, Pushers + Poppers, Capacity, Start> {
  using Base = Ringed<M, Pushers + Poppers, Capacity, Start>;
  using World = typename Base::World;
  static constexpr int kParticipants = Pushers + Poppers;
  static constexpr int kQuota = Pushers * Each / Poppers;
  static_assert(kQuota * Poppers == Pushers * Each);
  static constexpr std::size_t kMost = 10 * (Pushers + 1);

  void participant(World& world, int number) {
    const std::int64_t deadline = world.now() + kLong;
    if (number < Pushers) {
      for (int n = 1; n <= Each; ++n) {
        const auto what = static_cast<std::uint64_t>(10 * number + n);
        const RingOutcome outcome = this->push(world, number, what, deadline);
        if (outcome == RingOutcome::timed_out) return;
        if (outcome != RingOutcome::claimed) world.fail("not closed, and sound, and not so found");
        pushed[static_cast<std::size_t>(number)].store(n, std::memory_order_relaxed);
      }
      return;
    }
    std::array<std::uint64_t, Pushers> last{};
    for (int n = 1; n <= kQuota; ++n) {
      std::uint64_t what = 0;
      const RingOutcome outcome = this->pop(world, number, what, deadline);
      if (outcome == RingOutcome::timed_out) return;
      if (outcome != RingOutcome::claimed) world.fail("not closed, and sound, and not so found");
      if (what >= kMost || what % 10 == 0) world.fail("an item that nobody pushed");
      if (what <= last[what / 10]) world.fail("out of order");
      last[what / 10] = what;
      if (popped[what].exchange(1, std::memory_order_relaxed) != 0) world.fail("popped twice");
      quota[static_cast<std::size_t>(number - Pushers)].store(n, std::memory_order_relaxed);
    }
  }

  std::string check(const Outcome& outcome) const {
    std::array<int, kMost> seen{};
    for (std::size_t i = 0; i < kMost; ++i) seen[i] = popped[i].load();
    this->left([&](std::uint64_t what) { ++seen[what % kMost]; });
    int lost = 0;
    int killed_poppers = 0;
    for (int p = 0; p < Poppers; ++p)
      killed_poppers += outcome.killed[static_cast<std::size_t>(Pushers + p)];
    for (int p = 0; p < Pushers; ++p) {
      const bool dead = outcome.killed[static_cast<std::size_t>(p)];
      const int sure = pushed[static_cast<std::size_t>(p)].load();
      for (int n = 1; n <= Each; ++n) {
        const int times = seen[static_cast<std::size_t>(10 * p + n)];
        if (times > 1) return "an item is there twice";
        if (n <= sure && times == 0) ++lost;
        if (n > sure + (dead ? 1 : 0) && times > 0) return "an item that was not pushed";
      }
    }
    if (lost > killed_poppers) return "an item was lost";
    for (int p = 0; p < Poppers; ++p)
      if (!outcome.killed[static_cast<std::size_t>(Pushers + p)] &&
          quota[static_cast<std::size_t>(p)].load() < kQuota && this->count_left() > 0)
        return "an item was left, and a popper waited";
    for (int p = 0; p < Pushers; ++p)
      if (!outcome.killed[static_cast<std::size_t>(p)] &&
          pushed[static_cast<std::size_t>(p)].load() < Each && !this->is_full())
        return "there was room, and a pusher waited";
    if (outcome.kills == 0 && this->count_left() > 0)
      return "everybody has gone, and items are left";
    return "";
  }

  std::array<SimAtomic<int>, Pushers> pushed{};
  std::array<SimAtomic<int>, kMost> popped{};
  std::array<SimAtomic<int>, Poppers> quota{};
};

// Pushers push two at a time, `Each` times; poppers share them, up to two at a time. Items n and n + 1 of
// pusher p are 10 p + n and the next one, n odd.
template <Mutant M, int Pushers, int Poppers, std::uint64_t Capacity, int Each = 1,
          std::uint64_t Start = 0>
struct Pairs : Ringed<M, Pushers + Poppers, Capacity, Start> {
  using World = typename Ringed<M, Pushers + Poppers, Capacity, Start>::World;
  static constexpr int kParticipants = Pushers + Poppers;
  static constexpr std::uint64_t kQuota = 2 * Pushers * Each / Poppers;
  static constexpr std::size_t kMost = 10 * (Pushers + 1);

  void participant(World& world, int number) {
    const std::int64_t deadline = world.now() + kLong;
    if (number < Pushers) {
      for (std::uint64_t n = 1; n < 2 * Each; n += 2)
        if (!push_both(world, number, 10 * static_cast<std::uint64_t>(number) + n, deadline))
          return;
      return;
    }
    std::array<std::uint64_t, Pushers> last{};
    auto& count = quota[static_cast<std::size_t>(number - Pushers)];
    for (std::uint64_t n = 0; n < kQuota;) {
      std::array<std::uint64_t, 2> items{};
      std::uint64_t got = kQuota - n < 2 ? 0 : this->pop_two(world, number, items);
      if (got == 0) {
        const RingOutcome outcome = this->pop(world, number, items[0], deadline);
        if (outcome == RingOutcome::timed_out) return;
        if (outcome != RingOutcome::claimed) world.fail("not closed, and sound, and not so found");
        got = 1;
      }
      for (std::uint64_t i = 0; i < got; ++i) {
        const std::uint64_t what = items[i];
        if (what >= kMost || what % 10 == 0) world.fail("an item that nobody pushed");
        if (what <= last[what / 10]) world.fail("out of order");
        last[what / 10] = what;
        if (popped[what].exchange(1, std::memory_order_relaxed) != 0) world.fail("popped twice");
      }
      n += got;
      count.store(n, std::memory_order_relaxed);
    }
  }
  bool push_both(World& world, int number, std::uint64_t what, std::int64_t deadline) {
    for (std::uint64_t i = 0; i < 2;) {
      const std::uint64_t at_once =
          i == 1 ? 0 : this->push_two(world, number, what, [&](std::uint64_t count) {
            if (count == 2) whole[what].store(1, std::memory_order_relaxed);
          });
      i += at_once;
      if (at_once == 0) {
        const RingOutcome outcome = this->push(world, number, what + i, deadline);
        if (outcome == RingOutcome::timed_out) return false;
        if (outcome != RingOutcome::claimed) world.fail("not closed, and sound, and not so found");
        ++i;
      }
      pushed[static_cast<std::size_t>(number)].store(what % 10 - 1 + i, std::memory_order_relaxed);
    }
    return true;
  }

  std::string check(const Outcome& outcome) const {
    std::array<int, kMost> seen{};
    for (std::size_t i = 0; i < kMost; ++i) seen[i] = popped[i].load();
    this->left([&](std::uint64_t what) { ++seen[what % kMost]; });
    int killed_poppers = 0;
    for (int p = 0; p < Poppers; ++p)
      killed_poppers += outcome.killed[static_cast<std::size_t>(Pushers + p)];
    int lost = 0;
    for (std::size_t p = 0; p < Pushers; ++p)
      for (std::size_t n = 1; n <= 2 * Each; ++n) {
        const std::size_t what = 10 * p + n;
        if (seen[what] > 1) return "an item is there twice";
        if (n <= pushed[p].load() && seen[what] == 0) ++lost;
        if (whole[what].load() != 0 && killed_poppers == 0 && seen[what] != seen[what + 1])
          return "one of two that were pushed at once";
        if (!outcome.killed[p] && n > pushed[p].load() && seen[what] > 0)
          return "an item that was not pushed";
      }
    if (lost > 2 * killed_poppers) return "an item was lost";
    for (std::size_t p = 0; p < Poppers; ++p)
      if (!outcome.killed[Pushers + p] && quota[p].load() < kQuota && this->count_left() > 0)
        return "an item was left, and a popper waited";
    for (std::size_t p = 0; p < Pushers; ++p)
      if (!outcome.killed[p] && pushed[p].load() < 2 * Each && !this->is_full())
        return "there was room, and a pusher waited";
    return "";
  }

  std::array<SimAtomic<std::uint64_t>, Pushers> pushed{};
  std::array<SimAtomic<int>, kMost> popped{};
  std::array<SimAtomic<int>, kMost> whole{};
  std::array<SimAtomic<std::uint64_t>, Poppers> quota{};
};

// One pushes until it is told that the queue is closed, one pops likewise, one closes.
template <Mutant M, std::uint64_t Capacity>
struct Closing : Ringed<M, 3, Capacity, 0> {
  using World = typename Ringed<M, 3, Capacity, 0>::World;
  static constexpr int kParticipants = 3;
  static constexpr int kMost = 3;

  void participant(World& world, int number) {
    if (number == 0) {
      for (int n = 1; n <= kMost; ++n) {
        const RingOutcome outcome =
            this->push(world, 0, static_cast<std::uint64_t>(n), world.now() + kLong);
        if (outcome == RingOutcome::closed || outcome == RingOutcome::timed_out) return;
        if (outcome != RingOutcome::claimed) world.fail("sound, and not so found");
        pushed.store(n, std::memory_order_relaxed);
      }
      return;
    }
    if (number == 2) {
      const typename World::Unkillable whole;  // what nobody closes is waited for
      this->ring_of(world, 2).close();
      return;
    }
    for (std::uint64_t what = 0;;) {
      const RingOutcome outcome = this->pop(world, 1, what, kForever);
      if (outcome == RingOutcome::closed) {
        drained.store(1, std::memory_order_relaxed);
        return;
      }
      if (outcome != RingOutcome::claimed) world.fail("sound, and not so found");
      if (static_cast<int>(what) != popped.load(std::memory_order_relaxed) + 1)
        world.fail("out of order");
      popped.store(static_cast<int>(what), std::memory_order_relaxed);
    }
  }
  std::string check(const Outcome& outcome) const {
    if (outcome.killed[1]) return "";
    if (drained.load() == 0) return "a popper was not told";
    if (this->count_left() > 0) return "told that it is closed and empty, and it is not empty";
    const int in_flight = outcome.killed[0] ? 1 : 0;
    const int more = popped.load() - pushed.load();
    return more >= 0 && more <= in_flight
               ? ""
               : "a push that returned was lost, or one that did not is there";
  }

  SimAtomic<int> pushed{};
  SimAtomic<int> popped{};
  SimAtomic<int> drained{};
};

// As lib/queue.cpp waits for room, until claim(glance) has some.
template <class World, class Claim>
auto wait_for_blocks(World& world, SimAtomic<std::uint32_t>& pushers, std::int64_t deadline,
                     Claim claim) {
  decltype(claim(Glance::quick)) first;
  bool has_slept = false;
  shoal::core::wait(world, pushers, deadline, [&](Glance glance) {
    has_slept = glance != Glance::quick;
    first = claim(glance);
    return first ? Look::done : Look::wait;
  });
  if (has_slept) shoal::core::pass_on(world, pushers, true);
  return first;
}

// Items of two blocks each, of which there are three or more: pushed, popped, and their blocks come
// back.
template <Mutant M, int Rounds, int Pushers = 1, std::uint32_t kBlocks = 3>
struct Chains : Ringed<M, Pushers + 1, 2, 0> {
  using Base = Ringed<M, Pushers + 1, 2, 0>;
  using World = typename Base::World;
  using Blocks = shoal::core::Blocks<World>;
  static constexpr int kParticipants = Pushers + 1;

  void participant(World& world, int number) {
    auto ring = this->ring_of(world, number);
    Blocks of(world, blocks, this->word.cursor, process(number));
    const std::int64_t deadline = world.now() + kLong;
    if (number < Pushers)
      push_all(world, ring, of, deadline, static_cast<std::uint64_t>(number + 1));
    else
      pop_all(world, ring, of, deadline);
  }
  template <class Ring>
  void push_all(World& world, Ring& ring, Blocks& of, std::int64_t deadline, std::uint64_t id) {
    for (int n = 1; n <= Rounds; ++n) {
      const auto first = wait_for_blocks(world, this->word.pushers, deadline, [&](Glance glance) {
        auto claimed = of.claim(2);
        if (!claimed && glance != Glance::quick &&
            of.sweep([&](std::uint64_t position) { return ring.is_current(position); }))
          claimed = of.claim(2);
        return claimed;
      });
      if (!first) return;
      const std::uint64_t what = 10 * id + static_cast<std::uint64_t>(n);
      const std::uint32_t second = *of.after(*first);
      if (second == *first) world.fail("one block twice in an item");
      data[*first].store(what, std::memory_order_relaxed);
      data[second].store(what, std::memory_order_relaxed);
      std::uint64_t position = 0;
      const RingOutcome outcome = ring.claim_push(position, deadline);
      if (outcome == RingOutcome::timed_out) return;
      if (outcome != RingOutcome::claimed) world.fail("sound, and not so found");
      of.queue(*first, position);
      this->item(position).store(*first, std::memory_order_relaxed);
      ring.published(position);
      pushed.fetch_add(1, std::memory_order_relaxed);
    }
  }
  template <class Ring>
  void pop_all(World& world, Ring& ring, Blocks& of, std::int64_t deadline) {
    std::array<std::uint64_t, Pushers + 1> last{};
    for (int n = 1; n <= Rounds * Pushers; ++n) {
      std::uint64_t position = 0;
      const RingOutcome outcome = ring.claim_pop(position, deadline);
      if (outcome == RingOutcome::timed_out) return;
      if (outcome != RingOutcome::claimed) world.fail("sound, and not so found");
      const auto first =
          static_cast<std::uint32_t>(this->item(position).load(std::memory_order_relaxed));
      const bool taken = of.take(first, position);
      ring.released(position);
      if (!taken) world.fail("an item whose blocks are somebody else's");
      const std::uint64_t what = data[first].load(std::memory_order_relaxed);
      if (data[*of.after(first)].load(std::memory_order_relaxed) != what)
        world.fail("an item of two halves");
      if (what / 10 > Pushers || what % 10 <= last[what / 10]) world.fail("out of order");
      last[what / 10] = what % 10;
      if (!of.give_back(first)) world.fail("another has what was taken");
      ring.end_operation(this->word.pushers, 1);
      popped.fetch_add(1, std::memory_order_relaxed);
    }
  }

  std::string check(const Outcome& outcome) const {
    if (outcome.kills == 0)
      return popped.load() == Rounds * Pushers && pushed.load() == popped.load()
                 ? ""
                 : "items are missing";
    // A live popper has had all that there is; live pushers could push while it did.
    if (!outcome.killed[Pushers]) {
      if (this->count_left() > 0) return "an item was left, and the popper waited";
      for (int p = 0; p < Pushers; ++p)
        if (outcome.killed[static_cast<std::size_t>(p)]) return "";
      return pushed.load() == Rounds * Pushers ? "" : "room was lost";
    }
    return "";
  }

  std::array<shoal::detail::BasicBlockWord<typename Base::Atomics>, kBlocks> blocks;
  std::array<SimAtomic<std::uint64_t>, kBlocks> data;
  SimAtomic<int> pushed{};
  SimAtomic<int> popped{};
};

// One has two blocks and gives them back; two wait for one each, and keep it.
struct Lending : Ringed<Mutant::none, 3, 2, 0> {
  using Blocks = shoal::core::Blocks<World>;
  static constexpr int kParticipants = 3;

  Lending() {
    for (auto& block : blocks) block.state.store(process(2));
  }
  void participant(World& world, int number) {
    auto ring = ring_of(world, number);
    Blocks of(world, blocks, word.cursor, process(number));
    if (number == 2) {
      for (std::uint32_t block = 0; block < 2; ++block) {
        if (!of.give_back(block)) world.fail("another has what was taken");
        ring.end_operation(word.pushers, 1);
      }
      return;
    }
    if (!wait_for_blocks(world, word.pushers, kForever, [&](Glance) { return of.claim(1); }))
      world.fail("gave up waiting for ever");
  }

  std::array<shoal::detail::BasicBlockWord<Atomics>, 2> blocks;
};

// Two items, which two pop and are done with; one joins. The second popper is not killed, and goes
// on as long as there is anything.
template <Mutant M>
struct Joining : Ringed<M, 3, 2, 0> {
  using Base = Ringed<M, 3, 2, 0>;
  using World = typename Base::World;
  using Joinable = shoal::core::Joinable<World>;
  static constexpr int kParticipants = 3;

  Joining() {
    join.lock.inherits.store(1);
    this->put(1);
    this->put(2);
    this->word.tail.fetch_or(shoal::detail::kClosed);
  }
  void participant(World& world, int number) {
    auto ring = this->ring_of(world, number);
    Joinable joinable(world, join, accounts, ring, process(number));
    if (number == 2) {
      const typename World::Unkillable whole;
      if (!joinable.join(kForever)) world.fail("gave up joining for ever");
      lost.store(static_cast<int>(joinable.lost()), std::memory_order_relaxed);
      joined.store(1, std::memory_order_relaxed);
      return;
    }
    std::optional<typename World::Unkillable> whole;
    if (number == 1) whole.emplace();
    for (;;) {
      std::uint64_t position = 0;
      const RingOutcome outcome = joinable.claim_pop(position, kForever);
      if (outcome == RingOutcome::closed) return;
      if (outcome != RingOutcome::claimed) world.fail("sound, and not so found");
      ring.released(position);
      if (number == 0) saying.store(1, std::memory_order_relaxed);
      if (!joinable.task_done()) world.fail("popped, and has not");
      done.fetch_add(1, std::memory_order_relaxed);
      if (number == 0) saying.store(0, std::memory_order_relaxed);
    }
  }
  std::string check(const Outcome& outcome) const {
    if (joined.load() == 0) return "join() did not return";
    const int all = lost.load() + done.load();
    // Who was killed in task_done() may have been done, and not have said so here.
    const int unsaid = 2 - all;
    return unsaid >= 0 && unsaid <= saying.load() && (outcome.kills > 0 || lost.load() == 0)
               ? ""
               : std::to_string(done.load()) + " done, " + std::to_string(lost.load()) + " lost";
  }

  shoal::detail::BasicJoinWord<typename Base::Atomics> join;
  std::array<shoal::detail::BasicAccount<typename Base::Atomics>, 3> accounts;
  SimAtomic<int> done{};
  SimAtomic<int> lost{};
  SimAtomic<int> joined{};
  SimAtomic<int> saying{};
};

// Three were pushed at once; one of them is popped while they are counted.
struct Counted : Ringed<Mutant::none, 2, 3, 0> {
  static constexpr int kParticipants = 2;
  Counted() {
    put(1);
    put(2, SlotState::follows);
    put(3, SlotState::follows);
  }
  void participant(World& world, int number) {
    std::uint64_t what = 0;
    if (number == 0) pop(world, number, what, kForever);
    const std::uint64_t size = ring_of(world, number).size();
    if (size < 2 || size > 3) world.fail("counted wrongly");
  }
  std::string check(const Outcome& /*outcome*/) const { return ""; }
};

// Who waits for single items lets no more of them come: not at the end of a round either, where
// positions are skipped.
struct SingleItems : Ringed<Mutant::none, 1, 17, 0> {
  struct World : SimWorld<> {
    static constexpr int kRests = 1;
    void rest() { fail("kept waiting for more"); }
  };
  static constexpr int kParticipants = 1;

  void participant(World& world, int) {
    shoal::core::Ring<World> ring(world, view, waiters, waiters[0].intent);
    std::uint64_t position = 0;
    for (std::uint64_t i = 0; i < 20; ++i) {
      if (ring.claim_pop(position, world.now()) != RingOutcome::timed_out) world.fail("popped");
      if (ring.claim_push(position, kForever) != RingOutcome::claimed) world.fail("not pushed");
      ring.published(position);
      if (ring.claim_pop(position, kForever) != RingOutcome::claimed) world.fail("not popped");
      ring.released(position);
    }
  }
};

constexpr Mutant kSound = Mutant::none;

Options few(int preemptions, int stale_reads, int kills = 0) {
  Options options = with_kills(kExhaustive, kills);
  options.schedules = full_programme() ? 200'000 : 15'000;
  options.preemptions = preemptions;
  options.stale_reads = stale_reads;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("Queue under every schedule");

TEST_CASE("what one pushes another pops, in order, however small the queue") {
  passes<Traffic<kSound, 1, 1, 1, 2>>("queue.one.capacity1", few(3, 1), 1'000);
  passes<Traffic<kSound, 1, 1, 2, 3>>("queue.one.capacity2", few(2, 1), 1'000);
  passes<Traffic<kSound, 1, 1, 3, 4, 2>>("queue.one.capacity3", few(2, 1), 1'000);
}

TEST_CASE("two push and two pop: each item once") {
  passes<Traffic<kSound, 2, 2, 1, 1>>("queue.two.capacity1", few(2, 0), 5'000);
  passes<Traffic<kSound, 2, 2, 2, 1, 1>>("queue.two.capacity2", few(2, 0), 5'000);
  passes<Traffic<kSound, 2, 2, 1, 3>>("queue.two.random1", random_choice(0), 20'000);
  passes<Traffic<kSound, 2, 2, 3, 4, 2>>("queue.two.random3", random_choice(0), 20'000);
}

TEST_CASE(
    "one of them is killed at any step: the others go on, and lose no more than it had popped") {
  passes<Traffic<kSound, 1, 1, 1, 2>>("queue.one.kill", few(2, 1, 1), 1'000);
  passes<Traffic<kSound, 2, 1, 1, 1>>("queue.pushers.kill", few(2, 0, 1), 5'000);
  passes<Traffic<kSound, 2, 2, 2, 1, 1>>("queue.two.kill", few(1, 0, 1), 5'000);
  passes<Traffic<kSound, 2, 2, 1, 3>>("queue.two.kills.random1", random_choice(2), 20'000);
  passes<Traffic<kSound, 2, 2, 2, 3, 1>>("queue.two.kills.random2", random_choice(2), 20'000);
  passes<Traffic<kSound, 2, 2, 3, 4, 5>>("queue.two.kills.random3", random_choice(2), 20'000);
}

TEST_CASE("several are pushed and popped at once: all of them or none, whoever is killed") {
  passes<Pairs<kSound, 1, 1, 2, 2>>("queue.pairs", few(2, 1), 5'000);
  passes<Pairs<kSound, 1, 1, 3, 2, 2>>("queue.pairs.wrapped.kill", few(2, 1, 1), 5'000);
  passes<Pairs<kSound, 2, 1, 4, 1, 3>>("queue.pairs.pushers.kill", few(2, 0, 1), 5'000);
  passes<Pairs<kSound, 2, 2, 3, 2>>("queue.pairs.random", random_choice(0), 20'000);
  passes<Pairs<kSound, 2, 2, 4, 2, 5>>("queue.pairs.kills.random", random_choice(2), 20'000);
}

TEST_CASE("a close is before or after each push, and all who wait are told") {
  passes<Closing<kSound, 1>>("queue.close", few(2, 1), 5'000);
  passes<Closing<kSound, 1>>("queue.close.kill", few(2, 0, 1), 5'000);
  passes<Closing<kSound, 2>>("queue.close.random", random_choice(1), 20'000);
}

TEST_CASE("they are counted as well while one of them is popped") {
  passes<Counted>("queue.counted", few(3, 2), 10);
}

TEST_CASE("who waits for single items is not kept waiting for more") {
  passes<SingleItems>("queue.single", few(0, 0), 1);
}

TEST_CASE("blocks go from hand to hand, never two hands, and come back from the dead") {
  passes<Chains<kSound, 2>>("queue.blocks", few(2, 1), 1'000);
  passes<Chains<kSound, 2>>("queue.blocks.kill", few(2, 0, 1), 5'000);
  passes<Chains<kSound, 3, 2>>("queue.blocks.two", random_choice(0), 20'000);
  passes<Chains<kSound, 3, 2>>("queue.blocks.two.kills", random_choice(2), 20'000);
  passes<Chains<kSound, 2, 3, 5>>("queue.blocks.three", random_choice(0), 20'000);
}

TEST_CASE("two that wait for a block each go on when two are given back") {
  passes<Lending>("queue.lending", few(2, 1), 1'000);
  passes<Lending>("queue.lending.random", random_choice(0), 20'000);
}

TEST_CASE("who joins goes on when all is done or lost, and not before") {
  passes<Joining<kSound>>("queue.join", few(2, 0), 5'000);
  passes<Joining<kSound>>("queue.join.kill", few(2, 0, 1), 5'000);
  passes<Joining<kSound>>("queue.join.random", random_choice(1), 20'000);
}

TEST_CASE("every seeded bug of the queue is caught") {
  const Options kill = few(2, 1, 1);
  catches<Traffic<Mutant::intent_after_claim, 1, 1, 1, 2>>("mutant.intent_after_claim", few(3, 1));
  catches<Traffic<Mutant::intent_cleared_early, 1, 1, 1, 2>>("mutant.intent_cleared_early",
                                                             few(3, 1));
  catches<Traffic<Mutant::live_owner_robbed, 1, 1, 1, 2>>("mutant.queue.live_owner_robbed",
                                                          few(3, 1));
  catches<Traffic<Mutant::owner_never_doubted, 2, 1, 1, 1>>("mutant.queue.owner_never_doubted",
                                                            kill);
  catches<Traffic<Mutant::skip_is_an_item, 2, 1, 1, 1>>("mutant.skip_is_an_item", kill);
  catches<Pairs<Mutant::followers_left, 1, 1, 2>>("mutant.followers_left", kill);
  catches<Pairs<Mutant::followers_dropped_unasked, 2, 1, 4, 1, 3>>(
      "mutant.followers_dropped_unasked", few(2, 0, 1));
  catches<Pairs<Mutant::skip_passed_relaxed, 2, 2, 4, 2, 5>>("mutant.skip_passed_relaxed",
                                                             random_choice(2));
  catches<Closing<Mutant::closed_ignored, 1>>("mutant.closed_ignored", few(2, 0));
  catches<Chains<Mutant::serial_not_bumped, 3>>("mutant.serial_not_bumped", few(2, 1));
  catches<Joining<Mutant::pending_after_claim>>("mutant.pending_after_claim", random_choice(1));
}

TEST_SUITE_END();
