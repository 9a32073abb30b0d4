// SPDX-License-Identifier: MIT
//
// The scheduler itself: that it runs every schedule it should, and finds, reports and repeats what
// is wrong. A scheduler that explores another number of schedules than arithmetic says proves
// nothing.

#include "support/scheduler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>

using namespace shoal_test;

namespace {

template <class T>
using Atomic = SimAtomic<T>;

constexpr auto kRelaxed = std::memory_order_relaxed;

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

TEST_CASE("scheduler: a participant is killed before each of its steps") {
  const Report one = explore<Independent<1, 5>>("one", {.kills = 1});
  CHECK(one.schedules == 6);
  CHECK(one.final_states == 6);
  const Options options{.preemptions = 99, .kills = 2};
  CHECK(explore<Independent<2, 3>>("two", options).final_states == 4 * 4);
  const Report random =
      explore<Independent<2, 3>>("random", {.mode = Mode::pct, .schedules = 5000, .kills = 2});
  CHECK(random.final_states == 4 * 4);
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

// Two threads of one process, and another process that looks at them.
struct TwoThreads {
  using World = SimWorld<>;
  static constexpr int kParticipants = 3;
  static std::uint64_t owner(int participant) { return participant < 2 ? 70 : 71; }
  std::array<Atomic<int>, 2> steps;

  void participant(World& world, int self) {
    if (self < 2) {
      for (int i = 0; i < 2; ++i) steps[static_cast<std::size_t>(self)].fetch_add(1, kRelaxed);
    } else if (!world.alive(70)) {
      const int first = steps[0].load(kRelaxed);
      const int second = steps[1].load(kRelaxed);
      world.pause();
      if (steps[0].load(kRelaxed) != first || steps[1].load(kRelaxed) != second)
        world.fail("a thread of a dead process went on");
    }
  }
};

TEST_CASE("scheduler: a process is killed with all of its threads") {
  const Report report = explore<TwoThreads>("two threads", {.preemptions = 99, .kills = 1});
  INFO(report);
  CHECK(report.passed());
  CHECK(report.completed);
  CHECK(report.kills > 0);
  // The process before it had ended, wherever its threads were; the other one; nobody.
  CHECK(report.final_states >= 8 + 1 + 1);
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
  CHECK(explore<TwoStores<false>>("killable", options).found("killed between"));
  const Report safe = explore<TwoStores<true>>("not killable", options);
  CHECK(safe.passed());
  CHECK(safe.kills == 1);  // between the region and the fence
}

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
  CHECK(explore<Wrong<1>>("throws").found("on purpose"));
  CHECK(explore<Wrong<2>>("invariant").found("broken"));
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
  CHECK(explore<ForEver>("for ever").found("hang"));
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
  CHECK(report.found("the rare order"));
  CHECK(replay<DepthThree>("depth three", report.schedule, options).violation == report.violation);

  Options shallow = options;
  shallow.depth = 2;
  CHECK(explore<DepthThree>("depth two", shallow).passed());
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
