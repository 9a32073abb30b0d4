// SPDX-License-Identifier: MIT
//
// The scheduler against programs whose outcome is known: textbook litmus tests and locks, each
// once right and once broken. A scheduler that misses one of the broken ones, or that explores
// another number of schedules than arithmetic says, proves nothing about the library.

#include "support/scheduler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "shoal/detail/mutant.hpp"

using namespace shoal_test;
using shoal::detail::Mutant;

namespace {

using World = SimWorld<>;
template <class T>
using Atomic = World::Atomic<T>;

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

constexpr std::int64_t kSlice = 2'000'000;  // nanoseconds

bool found(const Report& report, const std::string& text) {
  return report.violation.find(text) != std::string::npos;
}

// ---- Counting ---------------------------------------------------------------------------------

template <int Participants, int Steps>
struct Independent {
  using World = SimWorld<>;
  static constexpr int kParticipants = Participants;
  std::array<Atomic<int>, Participants> count;

  void participant(World&, int self) {
    for (int i = 0; i < Steps; ++i) count[static_cast<std::size_t>(self)].fetch_add(1, kRelaxed);
  }
};

// The interleavings of two participants with so many steps left, of which `running` took the last
// one, by the definition of a preemption alone.
std::uint64_t interleavings(int running_left, int other_left, int preemptions) {
  if (other_left == 0) return 1;
  if (running_left == 0) return interleavings(other_left - 1, running_left, preemptions);
  std::uint64_t count = interleavings(running_left - 1, other_left, preemptions);
  if (preemptions > 0) count += interleavings(other_left - 1, running_left, preemptions - 1);
  return count;
}

template <int Steps>
std::uint64_t schedules_of_two(int preemptions) {
  const Report report =
      explore<Independent<2, Steps>>("two independent", {.preemptions = preemptions});
  CHECK(report.passed());
  CHECK(report.completed);
  CHECK(report.max_steps == 2 * Steps);
  CHECK(report.final_states == 1);
  return report.schedules;
}

TEST_CASE("scheduler: without a bound on preemptions every interleaving is run exactly once") {
  CHECK(schedules_of_two<1>(99) == 2);
  CHECK(schedules_of_two<2>(99) == 6);
  CHECK(schedules_of_two<5>(99) == 252);
  CHECK(schedules_of_two<8>(99) == 12870);
  CHECK(explore<Independent<3, 3>>("three", {.preemptions = 99}).schedules == 1680);
}

TEST_CASE("scheduler: a bound on preemptions leaves exactly the interleavings within it") {
  CHECK(schedules_of_two<5>(0) == 2);
  CHECK(schedules_of_two<5>(1) == 10);  // 2, and after one to four steps of either the other
  for (int preemptions = 0; preemptions <= 8; ++preemptions) {
    CHECK(schedules_of_two<6>(preemptions) == 2 * interleavings(5, 6, preemptions));
  }
}

TEST_CASE("scheduler: a cap on schedules is kept, and said") {
  const Report report = explore<Independent<2, 8>>("capped", {.schedules = 100});
  CHECK(report.schedules == 100);
  CHECK_FALSE(report.completed);
}

TEST_CASE("scheduler: two explorations are the same") {
  const auto run = [](Mode mode) {
    return explore<Independent<3, 3>>("same", {.mode = mode, .schedules = 500, .kills = 1});
  };
  for (const Mode mode : {Mode::exhaustive, Mode::pct}) {
    const Report first = run(mode);
    const Report second = run(mode);
    CHECK(first.schedules == second.schedules);
    CHECK(first.final_states == second.final_states);
    CHECK(first.kills == second.kills);
  }
}

// ---- Memory -----------------------------------------------------------------------------------

enum class Between { nothing, seq_cst, fence, barrier_in_one, barrier_in_both };

// Dekker's entry protocol: each says that it comes, then looks at the other. Both entering needs a
// store that is still buffered while the load behind it is done.
template <Between Way>
struct Dekker {
  using World = SimWorld<>;
  static constexpr int kParticipants = 2;
  std::array<Atomic<int>, 2> coming;
  std::array<bool, 2> entered{};

  void participant(World& world, int self) {
    const auto me = static_cast<std::size_t>(self);
    constexpr bool kStrong = Way == Between::seq_cst;
    coming[me].store(1, kStrong ? kSeqCst : kRelease);
    if (Way == Between::fence) world.fence();
    if (Way == Between::barrier_in_both || (Way == Between::barrier_in_one && self == 0)) {
      world.barrier();
    }
    entered[me] = coming[1 - me].load(kStrong ? kSeqCst : kAcquire) == 0;
  }
  std::string check(const Outcome&) const { return entered[0] && entered[1] ? "both entered" : ""; }
};

TEST_CASE("scheduler: a store waits in its buffer while later loads are done") {
  const Report report = explore<Dekker<Between::nothing>>("dekker");
  INFO(report);
  CHECK(found(report, "both entered"));
  CHECK(explore<Dekker<Between::nothing>>("dekker", {.stale_reads = 0}).passed());
  CHECK(found(explore<Dekker<Between::nothing>>("dekker", {.mode = Mode::pct}), "both entered"));
}

TEST_CASE("scheduler: seq_cst stores, fences and barriers drain store buffers") {
  const Options options{.preemptions = 99, .stale_reads = 99};
  for (const Report& report : {explore<Dekker<Between::seq_cst>>("seq_cst", options),
                               explore<Dekker<Between::fence>>("fence", options),
                               explore<Dekker<Between::barrier_in_both>>("barriers", options),
                               explore<Dekker<Between::barrier_in_one>>("one barrier", options)}) {
    INFO(report);
    CHECK(report.passed());
    CHECK(report.completed);
    CHECK(report.final_states == 1);
    CHECK(report.schedules >= 6);
  }
}

TEST_CASE("scheduler: a barrier that does not work drains nothing") {
  CHECK(found(explore<Dekker<Between::barrier_in_one>>("no barrier", {.barrier_works = false}),
              "both entered"));
}

// Message passing: data, then a flag; whoever sees the flag must see the data.
template <Mutant M>
struct MessagePassing {
  using World = SimWorld<M>;
  static constexpr int kParticipants = 2;
  Atomic<int> data;
  Atomic<int> flag;

  void participant(World& world, int self) {
    if (self == 0) {
      data.store(1, kRelaxed);
      flag.store(1, M == Mutant::release_relaxed ? kRelaxed : kRelease);
    } else if (flag.load(M == Mutant::acquire_dropped ? kRelaxed : kAcquire) == 1) {
      if (data.load(kRelaxed) == 0) world.fail("flag without data");
    }
  }
};

TEST_CASE("scheduler: release and acquire pass a message, and nothing less does") {
  CHECK(explore<MessagePassing<Mutant::none>>("message", {.stale_reads = 99}).passed());
  CHECK(found(explore<MessagePassing<Mutant::release_relaxed>>("no release"), "flag without"));
  CHECK(found(explore<MessagePassing<Mutant::acquire_dropped>>("no acquire"), "flag without"));
}

// As above, with a third participant's relaxed read-modify-write between the two.
struct ReleaseSequence {
  using World = SimWorld<>;
  static constexpr int kParticipants = 3;
  Atomic<int> data;
  Atomic<int> flag;

  void participant(World& world, int self) {
    if (self == 0) {
      data.store(1, kRelaxed);
      flag.fetch_add(1, kRelease);
    } else if (self == 1) {
      flag.fetch_add(2, kRelaxed);
    } else if ((flag.load(kAcquire) & 1) != 0 && data.load(kRelaxed) == 0) {
      world.fail("flag without data");
    }
  }
};

TEST_CASE("scheduler: a read-modify-write hands a release on") {
  const Report report = explore<ReleaseSequence>("release sequence", {.stale_reads = 99});
  INFO(report);
  CHECK(report.passed());
  CHECK(report.completed);
  CHECK(report.stale_reads > 0);
}

struct Coherence {
  using World = SimWorld<>;
  static constexpr int kParticipants = 2;
  Atomic<int> word;

  void participant(World& world, int self) {
    if (self == 0) {
      for (int value = 1; value <= 3; ++value) word.store(value, kRelaxed);
    } else {
      int last = 0;
      for (int look = 0; look < 3; ++look) {
        const int value = word.load(kRelaxed);
        if (value < last) world.fail("time went backwards");
        last = value;
      }
    }
  }
};

TEST_CASE("scheduler: no participant sees one location go back in time") {
  CHECK(explore<Coherence>("coherence", {.preemptions = 99, .stale_reads = 99}).passed());
}

TEST_CASE("scheduler: outside of a run an atomic is the value it holds") {
  static_assert(sizeof(Atomic<std::uint32_t>) == 4 && sizeof(Atomic<std::uint64_t>) == 8);
  static_assert(std::is_standard_layout_v<Atomic<std::uint64_t>>);
  Atomic<std::uint64_t> word;
  CHECK(word.load() == 0);
  word.store(5);
  CHECK(word.fetch_sub(1) == 5);
  CHECK(word.fetch_or(3) == 4);
  CHECK(word.fetch_and(6) == 7);
  std::uint64_t expected = 1;
  CHECK_FALSE(word.compare_exchange_strong(expected, 2));
  CHECK(expected == 6);
  CHECK(word.compare_exchange_weak(expected, 2));
  CHECK(word.exchange(9) == 2);
  CHECK(word.load() == 9);
}

// ---- Locks ------------------------------------------------------------------------------------

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
  CHECK(found(broken, "two holders"));
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
  CHECK(found(explore<TestAndSet<Mutant::release_relaxed, 2, 1>>("relaxed unlock"), "was lost"));
  CHECK(found(explore<TestAndSet<Mutant::acquire_dropped, 2, 1>>("relaxed lock"), "was lost"));
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
  CHECK(found(silent, "lost wake-up"));
  CHECK(explore<SleepingLock<false, false>>("slices", {.timeouts_expected = true}).passed());
  const Report waking = explore<SleepingLock<true, false>>("unlock with wake");
  CHECK(waking.passed());
  CHECK(waking.completed);
  CHECK(waking.timeouts == 0);
}

TEST_CASE("scheduler: a lock whose holder is killed hangs whoever does not doubt") {
  const Report trusting = explore<SleepingLock<true, false>>("trusting", {.kills = 1});
  MESSAGE(trusting);
  CHECK(found(trusting, "hang"));
  CHECK(found(explore<TestAndSet<Mutant::none, 2, 1>>("spinning", {.kills = 1}), "hang"));
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

// ---- Sleeping and waking ----------------------------------------------------------------------

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
  CHECK(found(explore<QuietWaker<Mutant::no_membarrier>>("no membarrier"), "lost wake-up"));
  CHECK(found(explore<QuietWaker<Mutant::wake_before_store>>("wake first"), "lost wake-up"));
  CHECK(found(explore<QuietWaker<Mutant::sleepers_never_cleared>>("never cleared"), "stays up"));
}

TEST_CASE("scheduler: the kernel's own look makes a late announcement harmless") {
  CHECK(explore<QuietWaker<Mutant::announce_after_looking>>("late").passed());
}

// One wakes one, and the older sleeper must be it.
struct OldestFirst {
  using World = SimWorld<>;
  static constexpr int kParticipants = 3;
  Atomic<std::uint32_t> word;
  Atomic<int> asleep;
  int first_up = -1;

  void participant(World& world, int self) {
    while (asleep.load(kAcquire) != self) world.pause();
    if (self == 2) {
      world.wake(word, 1);
      world.wake(word, 1);
    } else {
      asleep.store(self + 1, kRelease);
      world.sleep(word, 0, kSlice);
      if (first_up < 0) first_up = self;
    }
  }
};

TEST_CASE("scheduler: a sleep that a wake-up could miss is reported in some schedule") {
  CHECK(found(explore<OldestFirst>("oldest first"), "lost wake-up"));  // announced, not yet asleep
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

// ---- Kills ------------------------------------------------------------------------------------

TEST_CASE("scheduler: a participant is killed before each of its steps") {
  const Report one = explore<Independent<1, 5>>("one", {.kills = 1});
  CHECK(one.schedules == 6);
  CHECK(one.final_states == 6);
  const Options options{.preemptions = 99, .kills = 2};
  CHECK(explore<Independent<2, 3>>("two", options).final_states == 4 * 4);
}

struct LastWords {
  using World = SimWorld<>;
  static constexpr int kParticipants = 2;
  static std::uint64_t owner(int participant) {
    return 70 + static_cast<std::uint64_t>(participant);
  }
  Atomic<int> first;
  Atomic<int> second;

  void participant(World& world, int self) {
    if (self == 0) {
      first.store(1, kRelaxed);
      second.store(1, kRelaxed);
    } else if (!world.alive(70)) {
      if (second.load(kRelaxed) > first.load(kRelaxed)) world.fail("a store went missing");
      if (first.load(kRelaxed) != first.newest()) world.fail("a stale value of the dead");
    }
  }
};

TEST_CASE("scheduler: what the dead stored is seen by whoever knows that they are dead") {
  const Report report = explore<LastWords>("last words", {.kills = 1, .stale_reads = 99});
  INFO(report);
  CHECK(report.passed());
  CHECK(report.final_states >= 5);  // killed before, between and after the stores, or the other
}

template <bool Safe>
struct TwoStores {
  using World = SimWorld<>;
  static constexpr int kParticipants = 1;
  Atomic<int> first;
  Atomic<int> second;

  void participant(World& world, int) {
    if (Safe) {
      const World::Unkillable safe;
      store_both();
    } else {
      store_both();
    }
    world.fence();
  }
  void store_both() {
    first.store(1, kRelaxed);
    second.store(1, kRelaxed);
  }
  std::string check(const Outcome&) const {
    return first.load() == second.load() ? "" : "killed between";
  }
};

TEST_CASE("scheduler: nobody is killed where that is ruled out") {
  const Options options{.kills = 1};
  CHECK(found(explore<TwoStores<false>>("killable", options), "killed between"));
  const Report safe = explore<TwoStores<true>>("not killable", options);
  CHECK(safe.passed());
  CHECK(safe.kills == 1);  // between the region and the fence
}

// ---- Violations, random search, replay --------------------------------------------------------

template <int Where>
struct Wrong {
  using World = SimWorld<>;
  static constexpr int kParticipants = 2;
  Atomic<int> word;

  void participant(World&, int) {
    word.fetch_add(1, kRelaxed);
    if (Where == 1) throw std::runtime_error("on purpose");
  }
  std::string invariant() const { return Where == 2 && word.load() == 2 ? "broken" : ""; }
};

TEST_CASE("scheduler: exceptions and broken invariants are violations") {
  CHECK(explore<Wrong<0>>("right").passed());
  CHECK(found(explore<Wrong<1>>("throws"), "on purpose"));
  CHECK(found(explore<Wrong<2>>("invariant"), "broken"));
}

struct ForEver {
  using World = SimWorld<>;
  static constexpr int kParticipants = 1;
  Atomic<int> word;
  void participant(World&, int) {
    while (word.load(kRelaxed) == 0) {
    }
  }
};

TEST_CASE("scheduler: a loop that waits without a pause is a hang") {
  CHECK(found(explore<ForEver>("for ever"), "hang"));
}

// Three constraints: a's first advance before b's first, that before a's second, and that before
// b's second. Many steps lie between them.
struct DepthThree {
  using World = SimWorld<>;
  static constexpr int kParticipants = 2;
  Atomic<int> phase;
  Atomic<int> noise;

  void make_noise() {
    for (int i = 0; i < 8; ++i) noise.fetch_add(1, kRelaxed);
  }
  bool advance(int from) {
    int expected = from;
    return phase.compare_exchange_strong(expected, from + 1, kRelaxed, kRelaxed);
  }
  void participant(World& world, int self) {
    make_noise();
    advance(self == 0 ? 0 : 1);
    make_noise();
    if (advance(self == 0 ? 2 : 3) && self == 1) world.fail("the rare order");
  }
};

TEST_CASE("scheduler: random priorities find a bug of depth three, and the schedule repeats it") {
  const Options options{.mode = Mode::pct, .schedules = 100'000, .stale_reads = 0};
  const Report report = explore<DepthThree>("depth three", options);
  MESSAGE(report);
  CHECK(found(report, "the rare order"));
  CHECK(replay<DepthThree>("depth three", report.schedule, options).violation == report.violation);

  Options shallow = options;
  shallow.depth = 2;
  CHECK(explore<DepthThree>("depth two", shallow).passed());
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

  const Report stale = explore<Dekker<Between::nothing>>("stale");
  CHECK(replay<Dekker<Between::nothing>>("stale", stale.schedule).violation == stale.violation);
  CHECK(stale.schedule.find('.') != std::string::npos);
}

TEST_CASE("scheduler: another schedule is another run") {
  CHECK(replay<Dekker<Between::nothing>>("other", "a2b2").passed());
  CHECK(found(replay<Dekker<Between::nothing>>("other", "aB"), "does not fit"));
  CHECK_THROWS_AS(replay<Dekker<Between::nothing>>("other", "a-b"), std::invalid_argument);
}

TEST_CASE("scheduler: a schedule survives being written down") {
  for (const std::string text : {"", "a", "a12b3ab", "a.b..a2A@b", "ABa"}) {
    CHECK(to_text(schedule_from(text)) == text);
  }
  CHECK_THROWS_AS(schedule_from("@"), std::invalid_argument);
  CHECK_THROWS_AS(schedule_from("@A"), std::invalid_argument);
  CHECK_THROWS_AS(schedule_from("a99999999999"), std::invalid_argument);
}

}  // namespace
