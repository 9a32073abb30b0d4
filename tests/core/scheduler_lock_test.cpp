// SPDX-License-Identifier: MIT
//
// Textbook locks and waits under the scheduler, each once right and once broken: a scheduler that
// misses one of the broken ones proves nothing about the library.

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <string>

#include "shoal/detail/mutant.hpp"
#include "support/scheduler.hpp"

using namespace shoal_test;
using shoal::detail::Mutant;

namespace {

template <class T>
using Atomic = SimAtomic<T>;

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

constexpr std::int64_t kSlice = 2'000'000;  // nanoseconds

// What a lock protects: only its holder counts, so a lost increment or a second holder shows.
struct Protected {
  Atomic<int> value;
  int inside = 0;

  template <class World>
  void use(World& world) {
    if (++inside != 1) world.fail("two holders");
    const int seen = value.load(kRelaxed);
    value.store(seen + 1, kRelaxed);
    --inside;
  }
};

template <bool Fenced>
struct Peterson {
  using World = SimWorld<>;
  static constexpr int kParticipants = 2;
  std::array<Atomic<int>, 2> wants;
  Atomic<int> turn;
  Protected shared;

  void participant(World& world, int self) {
    const auto me = static_cast<std::size_t>(self);
    wants[me].store(1, kRelaxed);
    turn.store(1 - self, kRelease);
    if (Fenced) world.fence();
    while (wants[1 - me].load(kAcquire) == 1 && turn.load(kAcquire) == 1 - self) world.pause();
    shared.use(world);
    wants[me].store(0, kRelease);
  }
  std::string check(const Outcome&) const {
    return shared.value.load() == 2 ? "" : "an increment was lost";
  }
};

TEST_CASE("scheduler: Peterson's lock needs its fence") {
  const Report broken = explore<Peterson<false>>("peterson without fence", {.stale_reads = 1});
  MESSAGE(broken);
  CHECK(broken.found("two holders"));
  const Report right = explore<Peterson<true>>("peterson");
  MESSAGE(right);
  CHECK(right.passed());
  CHECK(right.completed);
}

template <Mutant M, int Participants, int Rounds>
struct TestAndSet {
  using World = SimWorld<M>;
  static constexpr int kParticipants = Participants;
  Atomic<std::uint32_t> taken;
  Protected shared;

  void participant(World& world, int) {
    for (int round = 0; round < Rounds; ++round) {
      while (taken.exchange(1, M == Mutant::acquire_dropped ? kRelaxed : kAcquire) != 0) {
        world.pause();
      }
      shared.use(world);
      taken.store(0, M == Mutant::release_relaxed ? kRelaxed : kRelease);
    }
  }
  std::string check(const Outcome& outcome) const {
    if (outcome.kills > 0) return "";
    return shared.value.load() == kParticipants * Rounds ? "" : "an increment was lost";
  }
};

TEST_CASE("scheduler: a right test-and-set lock passes in all its schedules") {
  const Report two = explore<TestAndSet<Mutant::none, 2, 2>>("test-and-set, 2 x 2");
  MESSAGE(two);
  CHECK(two.passed());
  CHECK(two.completed);
  CHECK(two.schedules > 1000);
  const Report three =
      explore<TestAndSet<Mutant::none, 3, 1>>("test-and-set, 3 x 1", {.preemptions = 2});
  MESSAGE(three);
  CHECK(three.passed());
  CHECK(three.completed);
}

TEST_CASE("scheduler: a test-and-set lock without release or acquire loses an increment") {
  CHECK(explore<TestAndSet<Mutant::release_relaxed, 2, 1>>("relaxed unlock").found("was lost"));
  CHECK(explore<TestAndSet<Mutant::acquire_dropped, 2, 1>>("relaxed lock").found("was lost"));
}

// Whoever holds it is named in the word; whoever waits sleeps. `Doubting` waiters ask whether the
// holder is alive, and take the lock of a dead one.
template <bool Waking, bool Doubting>
struct SleepingLock {
  using World = SimWorld<>;
  static constexpr int kParticipants = 2;
  Atomic<std::uint32_t> holder;
  Protected shared;

  void participant(World& world, int self) {
    const auto me = static_cast<std::uint32_t>(self) + 1;
    for (std::uint32_t seen = 0; !holder.compare_exchange_strong(seen, me, kAcquire, kRelaxed);) {
      if (Doubting && !world.alive(seen)) {
        shared.inside = 0;
      } else {
        world.sleep(holder, seen, kSlice);
        seen = 0;
      }
    }
    shared.use(world);
    holder.store(0, kRelease);
    if (Waking) world.wake(holder, 1);
  }
  std::string check(const Outcome& outcome) const {
    const int survivors = 2 - outcome.kills;
    return shared.value.load() >= survivors ? "" : "a survivor did not get the lock";
  }
};

TEST_CASE("scheduler: a futex lock that does not wake loses a wake-up") {
  const Report silent = explore<SleepingLock<false, false>>("unlock without wake");
  MESSAGE(silent);
  CHECK(silent.found("lost wake-up"));
  CHECK(explore<SleepingLock<false, false>>("slices", {.timeouts_expected = true}).passed());
  const Report waking = explore<SleepingLock<true, false>>("unlock with wake");
  CHECK(waking.passed());
  CHECK(waking.completed);
  CHECK(waking.timeouts == 0);
}

TEST_CASE("scheduler: a lock whose holder is killed hangs whoever does not doubt") {
  const Report trusting = explore<SleepingLock<true, false>>("trusting", {.kills = 1});
  MESSAGE(trusting);
  CHECK(trusting.found("hang"));
  CHECK(explore<TestAndSet<Mutant::none, 2, 1>>("spinning", {.kills = 1}).found("hang"));
  const Report doubting = explore<SleepingLock<true, true>>("doubting", {.kills = 1});
  MESSAGE(doubting);
  CHECK(doubting.passed());
  CHECK(doubting.completed);
  CHECK(doubting.timeouts > 0);
}

TEST_CASE("scheduler: a budget for kills means more schedules, with kills") {
  const auto with = [](int kills) {
    return explore<SleepingLock<true, true>>("kills", {.kills = kills});
  };
  const Report none = with(0);
  const Report one = with(1);
  const Report two = with(2);
  CHECK(none.kills == 0);
  CHECK(one.schedules > 2 * none.schedules);
  CHECK(one.kills == one.schedules - none.schedules);
  CHECK(two.schedules > one.schedules);
  CHECK(two.kills > one.kills);
  CHECK(two.passed());
}

// A waker that makes no barrier and no system call unless somebody said that he sleeps; the
// sleeper makes the barrier for both.
template <Mutant M>
struct QuietWaker {
  using World = SimWorld<M>;
  static constexpr int kParticipants = 2;
  Atomic<std::uint32_t> word;
  Atomic<std::uint32_t> sleepers;

  void participant(World& world, int self) {
    if (self == 0) {
      wake(world);
    } else {
      while (word.load(kAcquire) == 0) sleep(world);
    }
  }
  void wake(World& world) {
    if (M == Mutant::wake_before_store) wake_sleepers(world);
    word.store(1, kRelease);
    if (M != Mutant::wake_before_store) wake_sleepers(world);
  }
  void wake_sleepers(World& world) {
    if (sleepers.load(kRelaxed) == 0) return;
    if (M != Mutant::sleepers_never_cleared) sleepers.store(0, kRelaxed);
    world.wake(word, 1);
  }
  void sleep(World& world) {
    if (M == Mutant::announce_after_looking && word.load(kAcquire) != 0) return;
    sleepers.store(1, kRelaxed);
    if (M != Mutant::no_membarrier) world.barrier();
    if (M == Mutant::announce_after_looking || word.load(kAcquire) == 0) {
      world.sleep(word, 0, kSlice);
    }
  }
  std::string check(const Outcome& outcome) const {
    return outcome.sleeps > 0 && sleepers.load() != 0 ? "the flag stays up" : "";
  }
};

TEST_CASE("scheduler: a missing barrier before sleeping is seen") {
  const Report right = explore<QuietWaker<Mutant::none>>("quiet waker", {.stale_reads = 4});
  MESSAGE(right);
  CHECK(right.passed());
  CHECK(right.completed);
  CHECK(explore<QuietWaker<Mutant::no_membarrier>>("no membarrier").found("lost wake-up"));
  CHECK(explore<QuietWaker<Mutant::wake_before_store>>("wake first").found("lost wake-up"));
  CHECK(explore<QuietWaker<Mutant::sleepers_never_cleared>>("never cleared").found("stays up"));
}

TEST_CASE("scheduler: the kernel's own look makes a late announcement harmless") {
  CHECK(explore<QuietWaker<Mutant::announce_after_looking>>("late").passed());
}

// Two fall asleep, without a preemption, and a third wakes one.
struct OldestFirst {
  using World = SimWorld<>;
  static constexpr int kParticipants = 3;
  Atomic<std::uint32_t> word;
  Atomic<int> arrived;
  int first_asleep = -1;
  int first_up = -1;

  void participant(World& world, int self) {
    if (self == 2) {
      while (arrived.load(kAcquire) != 2) world.pause();
    } else {
      arrived.fetch_add(1, kRelease);
      if (first_asleep < 0) first_asleep = self;
      world.sleep(word, 0, kSlice);
      if (first_up < 0) first_up = self;
    }
    world.wake(word, 1);
  }
  std::string check(const Outcome&) const {
    return first_asleep == first_up ? "" : "woken out of turn";
  }
};

TEST_CASE("scheduler: the oldest sleeper is woken first") {
  const Report report = explore<OldestFirst>("oldest first", {.preemptions = 0});
  INFO(report);
  CHECK(report.passed());
  CHECK(report.completed);
  CHECK(report.schedules >= 6);
}

TEST_CASE("scheduler: a wake-up between an announcement and the sleep is lost") {
  CHECK(
      explore<OldestFirst>("announced, not yet asleep", {.preemptions = 1}).found("lost wake-up"));
}

struct Deadline {
  using World = SimWorld<>;
  static constexpr int kParticipants = 2;
  Atomic<std::uint32_t> word;
  bool timed_out = false;

  void participant(World& world, int self) {
    if (self == 0) {
      const std::int64_t begin = world.now();
      world.sleep(word, 0, kSlice);
      timed_out = word.load(kRelaxed) == 0;
      if (timed_out && world.now() < begin + kSlice) world.fail("too early");
    } else {
      word.store(1, kRelease);
      word.load(kRelaxed);
      world.wake(word, 1);
    }
  }
  std::string check(const Outcome&) const { return timed_out ? "timed out" : ""; }
};

TEST_CASE("scheduler: a sleep may end early only where that is asked for") {
  CHECK(explore<Deadline>("deadline", {.stale_reads = 0}).passed());
  const Options early{.stale_reads = 0, .early_timeouts = 1};
  const Report report = explore<Deadline>("deadline", early);
  CHECK(report.violation == "timed out");
  CHECK(report.schedule.find('@') != std::string::npos);
  CHECK(replay<Deadline>("deadline", report.schedule, early).violation == "timed out");
}

struct Sleepy {
  using World = SimWorld<>;
  static constexpr int kParticipants = 1;
  Atomic<std::uint32_t> word;

  void participant(World& world, int) {
    for (int i = 0; i < 10; ++i) world.sleep(word, 0, kSlice);
  }
};

TEST_CASE("scheduler: time passes when nobody can run, but not for ever") {
  const Report patient = explore<Sleepy>("sleepy", {.timeouts_expected = true});
  CHECK(patient.passed());
  CHECK(patient.timeouts == 10);
  CHECK(explore<Sleepy>("sleepy", {.timeouts_expected = true, .idle_rounds = 9}).found("hang"));
}

TEST_CASE("scheduler: a schedule repeats its violation, step by step") {
  const Options options{.kills = 1};
  const Report report = explore<SleepingLock<true, false>>("replay", options);
  const Report again = replay<SleepingLock<true, false>>("replay", report.schedule, options);
  REQUIRE_FALSE(report.passed());
  CHECK(again.violation == report.violation);
  CHECK(again.schedule == report.schedule);
  CHECK(again.schedules == 1);
  CHECK(again.kills == 1);
}

}  // namespace
