// SPDX-License-Identifier: MIT
//
// A condition under every schedule.

#include <doctest/doctest.h>

#include <array>

#include "core/condition.hpp"
#include "core/schedules.hpp"

using namespace shoal_test;
using shoal::detail::kForever;
using shoal::detail::OwnerValue;

namespace {

// Waiters, and one that notifies once all of them wait. `Chain`: one notify, which each waiter that
// got it passes on: it must reach all, whoever dies. Else a notify for each.
template <int Waiters, bool Chain>
struct Waiting {
  using World = SimWorld<>;
  using Condition = shoal::core::Condition<World>;
  static constexpr int kParticipants = Waiters + 1;
  static constexpr std::uint32_t kIndex = 4;

  void participant(World& world, int number) {
    Condition condition(world, word, kIndex, waiters);
    if (number == Waiters) return notify(world, condition);
    auto& mine = waiters[static_cast<std::size_t>(number)];
    {
      const World::Unkillable until_entered;
      mine.owner.store(process(number));
      condition.enter(mine);
      entered.fetch_add(1);
    }
    if (!condition.await(mine, kForever)) world.fail("gave up waiting for ever");
    if (Chain) condition.notify(1);
    condition.leave(mine);
    woken.fetch_add(1);
  }
  void notify(World& world, Condition& condition) {
    const World::Unkillable whole;  // what nobody notifies is waited for
    while (entered.load() < Waiters) world.pause();
    condition.notify(Chain ? 1 : Waiters);
  }
  static OwnerValue owner(int participant) { return process(participant); }
  std::string check(const Outcome& outcome) const {
    return woken.load() >= Waiters - outcome.kills ? "" : "a waiter was forgotten";
  }

  shoal::detail::BasicConditionWord<World::Atomics> word;
  std::array<shoal::core::BasicWaiter<typename World::Atomics>, Waiters> waiters;
  SimAtomic<int> entered{};
  SimAtomic<int> woken{};
};

// As with a chain, while who dies is buried, by one who may die, too, and then by another one, where
// there is. A record is buried, and then a living process's: the notify must have left it. `OfTheDead`:
// the notify is one of a waiter that was dead before, and is not buried yet.
template <int Waiters, int Buriers, bool OfTheDead = false>
struct Buried {
  using World = SimWorld<>;
  using Condition = shoal::core::Condition<World>;
  static constexpr int kNotifier = Waiters;
  static constexpr int kFirst = Waiters + 1;
  static constexpr int kParticipants = kFirst + Buriers;
  static constexpr int kRecords = Waiters + (OfTheDead ? 1 : 0);

  Buried() {
    if (!OfTheDead) return;
    waiters.back().owner.store(process(kParticipants));
    waiters.back().condition.store(1);
    waiters.back().turn.store(turn_word(word.next.fetch_add(1), shoal::core::Turn::notified));
  }

  void participant(World& world, int number) {
    Condition condition(world, word, 0, waiters);
    if (number < kNotifier) return wait(world, condition, number);
    if (number > kNotifier) return bury(world, condition, number);
    if (OfTheDead) return;
    const World::Unkillable whole;  // what nobody notifies is waited for
    while (entered.load() < Waiters) world.pause();
    condition.notify(1);
  }
  void wait(World& world, Condition& condition, int number) {
    auto& mine = waiters[static_cast<std::size_t>(number)];
    {
      const World::Unkillable until_entered;
      mine.owner.store(process(number));
      condition.enter(mine);
      entered.fetch_add(1);
    }
    while (OfTheDead && entered.load() < Waiters) world.pause();
    if (!condition.await(mine, kForever)) world.fail("gave up waiting for ever");
    condition.notify(1);
    condition.leave(mine);
    woken.fetch_add(1);
  }
  void bury(World& world, Condition& condition, int number) {
    if (number != kFirst)  // one at a time, as the directory lock has it
      while (over.load() == 0 && world.alive(process(kFirst))) world.pause();
    while (entered.load() < Waiters) world.pause();
    for (; over.load() == 0; world.pause()) {
      int left = kRecords - woken.load();
      for (auto& waiter : waiters) left -= is_buried(world, condition, waiter);
      if (left <= 0) over.store(1);
    }
  }
  static int is_buried(World& world, Condition& condition,
                       shoal::core::BasicWaiter<typename World::Atomics>& waiter) {
    if (waiter.owner.load() == process(kNotifier)) return 1;
    if (world.alive(waiter.owner.load())) return 0;
    condition.sweep(waiter);
    waiter.owner.store(process(kNotifier));
    return 1;
  }
  static OwnerValue owner(int participant) { return process(participant); }
  std::string check(const Outcome& outcome) const {
    int living = Waiters;
    for (int i = 0; i < Waiters; ++i) living -= outcome.killed[static_cast<std::size_t>(i)];
    return woken.load() >= living ? "" : "a waiter was forgotten";
  }

  shoal::detail::BasicConditionWord<World::Atomics> word;
  std::array<shoal::core::BasicWaiter<typename World::Atomics>, kRecords> waiters;
  SimAtomic<int> entered{};
  SimAtomic<int> woken{};
  SimAtomic<int> over{};
};

// Two wait, one notify: exactly one is woken. The other gives up once the first has been.
struct ExactlyOne {
  using World = SimWorld<>;
  using Condition = shoal::core::Condition<World>;
  static constexpr int kParticipants = 3;

  void participant(World& world, int number) {
    Condition condition(world, word, 0, waiters);
    if (number == 2) {
      while (entered.load() < 2) world.pause();
      return condition.notify(1);
    }
    auto& mine = waiters[static_cast<std::size_t>(number)];
    mine.owner.store(process(number));
    condition.enter(mine);
    entered.fetch_add(1);
    const bool notified = condition.await(mine, world.now() + shoal::core::kMillisecond);
    condition.leave(mine);
    if (notified) woken.fetch_add(1);
  }
  static OwnerValue owner(int participant) { return process(participant); }
  std::string check(const Outcome&) const {
    return woken.load() <= 1 ? "" : "two were woken by one notify";
  }

  shoal::detail::BasicConditionWord<World::Atomics> word;
  std::array<shoal::core::BasicWaiter<typename World::Atomics>, 2> waiters;
  SimAtomic<int> entered{};
  SimAtomic<int> woken{};
};

// One waits, and once more when it has been woken; one notify for as many as there are. Who begins to
// wait while it is going on is not meant.
struct NotTwice {
  using World = SimWorld<>;
  using Condition = shoal::core::Condition<World>;
  static constexpr int kParticipants = 2;

  void participant(World& world, int number) {
    Condition condition(world, word, 0, waiters);
    if (number == 1) {
      while (entered.load() == 0) world.pause();
      return condition.notify(shoal::core::kEverybody);
    }
    waiters[0].owner.store(process(number));
    condition.enter(waiters[0]);
    entered.store(1);
    if (!condition.await(waiters[0], kForever)) world.fail("gave up waiting for ever");
    condition.leave(waiters[0]);
    condition.enter(waiters[0]);
    if (condition.await(waiters[0], world.now() + shoal::core::kMillisecond))
      world.fail("woken by a notify from before it waited");
    condition.leave(waiters[0]);
  }
  static OwnerValue owner(int participant) { return process(participant); }
  std::string check(const Outcome&) const { return ""; }

  shoal::detail::BasicConditionWord<World::Atomics> word;
  std::array<shoal::core::BasicWaiter<typename World::Atomics>, 1> waiters;
  SimAtomic<int> entered{};
};

}  // namespace

TEST_SUITE_BEGIN("Condition under every schedule");

TEST_CASE("a notify for each waiter wakes each") {
  Options options = kExhaustive;
  options.preemptions = 1;
  options.stale_reads = 1;
  passes<Waiting<2, false>>("condition.all", options, 1'000);
  options.stale_reads = 0;
  passes<Waiting<2, false>>("condition.all.kill", with_kills(options, 1), 1'000);
  passes<Waiting<3, false>>("condition.all.random", random_choice(1), 20'000);
}

TEST_CASE("a notify that a killed waiter was given reaches another one") {
  Options options = with_kills(kExhaustive, 1);
  options.preemptions = 1;
  options.stale_reads = 0;
  passes<Waiting<2, true>>("condition.chain.kill", options, 1'000);
  passes<Waiting<4, true>>("condition.chain.kills", random_choice(2), 20'000);
}

TEST_CASE("a notify that a buried waiter was given reaches another one, whoever else dies") {
  passes<Buried<2, 1>>("condition.buried.kill", random_choice(1), 20'000);
  passes<Buried<3, 2>>("condition.buried.kills", random_choice(3), 20'000);
}

TEST_CASE("a notify that is taken over at the burial reaches another one, whoever dies then") {
  Options options = random_choice(2);
  options.timeouts_expected = true;
  passes<Buried<2, 1, true>>("condition.buried.taken", options, 20'000);
  passes<Buried<3, 2, true>>("condition.buried.taken.more", options, 20'000);
}

TEST_CASE("one notify wakes one") {
  Options options = kExhaustive;
  options.preemptions = 1;
  options.stale_reads = 1;
  options.timeouts_expected = true;
  passes<ExactlyOne>("condition.one", options, 1'000);
}

TEST_CASE("a notify for all is not for who begins to wait after it") {
  Options options = kExhaustive;
  options.preemptions = 2;
  options.stale_reads = 1;
  options.timeouts_expected = true;
  passes<NotTwice>("condition.not_twice", options, 100);
}

TEST_SUITE_END();
