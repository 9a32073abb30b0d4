// SPDX-License-Identifier: MIT
//
// The lock and the wait under every schedule, and each bug that could be in them under enough to
// show it.

#include <doctest/doctest.h>

#include "core/lock_model.hpp"
#include "core/schedules.hpp"

using namespace shoal_test;

namespace {

// A sleeper that was killed has left its flag behind: that costs one wake, and no more.
template <Mutant M>
struct DeadSleeper : Guarded<M> {
  using World = typename Guarded<M>::World;
  static constexpr int kParticipants = 1;

  void participant(World& world, int number) {
    this->word.sleepers.store(1, std::memory_order_relaxed);
    for (int round = 0; round < 3; ++round) {
      this->take(world, this->owner(number));
      this->give_back(world, this->owner(number));
    }
  }
  std::string check(const Outcome& outcome) const {
    return outcome.wakes == 1 ? "" : std::to_string(outcome.wakes) + " wakes for one dead sleeper";
  }
};

// One holds the lock for long, one gives up after 3 ms, one wants it whatever it takes.
struct Impatient : Guarded<Mutant::none> {
  static constexpr int kParticipants = 3;

  void participant(World& world, int number) {
    constexpr std::int64_t kLong = 6 * shoal::core::kMillisecond;
    const OwnerValue me = owner(number);
    const Deadline deadline = number == 1 ? world.now() + kLong / 2 : kForever;
    LockOutcome outcome = take(world, me, deadline);
    if (outcome == LockOutcome::timed_out) return;
    if (outcome == LockOutcome::abandoned) outcome = take_over(world, me);
    section(world, outcome);
    if (number == 0) world.sleep(never_, 0, kLong);
    give_back(world, me);
  }
  std::string check(const Outcome& outcome) const {
    return outcome.kills > 0 || is_free() ? "" : "everybody has left, and it is held";
  }

 private:
  Atomic<std::uint32_t> never_{};
};

// Two take it, and one buries who dies: then it is not the dead one's any more, whoever tells first.
// Who buries may die, too.
struct BuriedHolder : Guarded<Mutant::none> {
  static constexpr int kTakers = 2;
  static constexpr int kParticipants = kTakers + 1;

  void participant(World& world, int number) {
    if (number == kTakers) return bury(world);
    section(world, take_over(world, owner(number)));
    give_back(world, owner(number));
    ended_.fetch_add(1);
  }
  void bury(World& world) {
    for (bool any = false; !any && ended_.load() < kTakers; world.pause())
      for (int i = 0; i < kTakers; ++i) any |= bury(world, owner(i));
  }
  bool bury(World& world, OwnerValue taker) {
    if (world.alive(taker)) return false;
    shoal::core::sweep(world, word, taker);
    const OwnerValue held = word.owner.load();
    if (shoal::detail::owner_of(held) == taker && !shoal::detail::is_abandoned(held))
      world.fail("held by who is buried");
    return true;
  }
  std::string check(const Outcome& outcome) const {
    return outcome.kills > 0 || is_free() ? "" : "everybody has left, and it is held";
  }

 private:
  Atomic<int> ended_{};
};

// Waiting for something that is no lock: a flag that is set once, for all.
template <Mutant M>
struct Flag {
  using World = typename Guarded<M>::World;
  static constexpr int kParticipants = 3;

  void participant(World& world, int number) {
    if (number == 0) {
      {
        const typename World::Unkillable until_set;  // a flag that nobody sets is waited for
        set.store(1, std::memory_order_release);
      }
      if ((sleepers.load(std::memory_order_relaxed) & shoal::detail::kSomebodySleeps) != 0)
        shoal::core::wake(world, sleepers, shoal::core::kEverybody);
      return;
    }
    const auto look = [&](shoal::core::Glance) {
      return set.load(std::memory_order_acquire) != 0 ? shoal::core::Look::done
                                                      : shoal::core::Look::wait;
    };
    if (!shoal::core::wait(world, sleepers, kForever, look)) world.fail("gave up waiting for ever");
  }

  SimAtomic<std::uint32_t> sleepers{};
  SimAtomic<std::uint32_t> set{};
};

}  // namespace

TEST_SUITE_BEGIN("Lock under every schedule");

TEST_CASE("two that take it excludes each other, and nobody is left asleep") {
  const Report report = passes<Contenders<Mutant::none, 2, 2>>("lock.two", kExhaustive, 5'000);
  CHECK(report.completed);
}

TEST_CASE("one of two may be killed at any step: the other is told, and goes on") {
  Options all = kExhaustive;
  all.schedules = 3'000'000;
  const Report without = passes<Contenders<Mutant::none, 2, 1>>("lock.alive", all, 300);
  const Report with =
      passes<Contenders<Mutant::none, 2, 1>>("lock.kill", with_kills(all, 1), 1'000);
  CHECK(with.completed);
  CHECK(with.schedules > without.schedules);  // crashes are explored, not pruned
  CHECK(with.kills > 0);
}

TEST_CASE("with inherit, the next one gets it, and knows") {
  passes<Contenders<Mutant::none, 2, 1, true>>("lock.inherit", with_kills(kExhaustive, 1), 1'000);
}

TEST_CASE("who has learned to come later takes it as the others do, and one may be killed") {
  passes<Contenders<Mutant::none, 2, 2, false, true>>("lock.late", kExhaustive, 5'000);
  passes<Contenders<Mutant::none, 2, 1, false, true>>("lock.late.kill", with_kills(kExhaustive, 1),
                                                      1'000);
}

TEST_CASE("three take it, two of them are killed at random") {
  passes<Contenders<Mutant::none, 3, 2>>("lock.three", random_choice(0), 20'000);
  passes<Contenders<Mutant::none, 3, 2, true>>("lock.three.kill", random_choice(2), 20'000);
}

TEST_CASE("who waits for long reserves it, and whoever dies then is not waited for") {
  Options options = random_choice(1);
  options.timeouts_expected = true;
  passes<Impatient>("lock.impatient", options, 20'000);
}

TEST_CASE("who is buried holds it no more, and who buries may be killed") {
  Options options = with_kills(kExhaustive, 1);
  options.preemptions = 1;
  options.stale_reads = 1;
  passes<BuriedHolder>("lock.buried.kill", options, 1'000);
  passes<BuriedHolder>("lock.buried", random_choice(2), 20'000);
}

TEST_CASE("a killed sleeper costs one wake") {
  passes<DeadSleeper<Mutant::none>>("lock.dead_sleeper", kExhaustive, 1);
}

TEST_CASE("a flag that is set wakes all who wait for it, and the setter may be killed") {
  passes<Flag<Mutant::none>>("wait.flag", kExhaustive, 1'000);
  passes<Flag<Mutant::none>>("wait.flag.kill", with_kills(kExhaustive, 1), 1'000);
}

TEST_CASE("every seeded bug of the wait and the lock is caught") {
  const Options kill = with_kills(kExhaustive, 1);
  catches<Flag<Mutant::no_membarrier>>("mutant.no_membarrier", kExhaustive);
  catches<Flag<Mutant::announce_after_looking>>("mutant.announce_after_looking", kExhaustive);
  catches<DeadSleeper<Mutant::sleepers_never_cleared>>("mutant.sleepers_never_cleared",
                                                       kExhaustive);
  catches<Flag<Mutant::epoch_forgotten>>("mutant.epoch_forgotten", kExhaustive);
  catches<Contenders<Mutant::wake_before_store, 2, 1>>("mutant.wake_before_store", kExhaustive);
  catches<Contenders<Mutant::slice_without_a_look, 2, 1>>("mutant.slice_without_a_look", kill);
  catches<Contenders<Mutant::release_relaxed, 2, 1>>("mutant.release_relaxed", kExhaustive);
  catches<Contenders<Mutant::acquire_dropped, 2, 1>>("mutant.acquire_dropped", kExhaustive);
  catches<Contenders<Mutant::owner_never_doubted, 2, 1>>("mutant.owner_never_doubted", kill);
  catches<Contenders<Mutant::woken_does_not_announce, 3, 1>>("mutant.woken_does_not_announce",
                                                             kExhaustive);
  catches<Contenders<Mutant::inherited_forgotten, 2, 1>>("mutant.inherited_forgotten", kill);
  catches<Contenders<Mutant::live_owner_robbed, 2, 1>>("mutant.live_owner_robbed", kExhaustive);
  catches<Contenders<Mutant::obituary_after_verdict, 3, 1>>("mutant.obituary_after_verdict", kill);
}

TEST_SUITE_END();
