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
