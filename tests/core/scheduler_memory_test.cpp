// SPDX-License-Identifier: MIT
//
// The memory of the scheduler, against litmus tests whose outcome is known, each once with the
// orders it needs and once without.

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>

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
constexpr auto kSeqCst = std::memory_order_seq_cst;

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
  CHECK(report.found("both entered"));
  CHECK(explore<Dekker<Between::nothing>>("dekker", {.stale_reads = 0}).passed());
  CHECK(explore<Dekker<Between::nothing>>("dekker", {.mode = Mode::pct}).found("both entered"));
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
  CHECK(explore<Dekker<Between::barrier_in_one>>("no barrier", {.barrier_works = false})
            .found("both entered"));
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
  CHECK(explore<MessagePassing<Mutant::release_relaxed>>("no release").found("flag without"));
  CHECK(explore<MessagePassing<Mutant::acquire_dropped>>("no acquire").found("flag without"));
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

struct Reborn {
  using World = SimWorld<>;
  static constexpr int kParticipants = 1;
  alignas(Atomic<int>) std::array<std::byte, sizeof(Atomic<int>)> room;

  void participant(World& world, int) {
    for (int life = 1; life <= 3; ++life) {
      auto* word = new (room.data()) Atomic<int>(life);
      if (word->load(kRelaxed) != life) world.fail("a former life");
    }
  }
};

TEST_CASE("scheduler: an atomic constructed where another was has no past") {
  CHECK(explore<Reborn>("reborn").passed());
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

TEST_CASE("scheduler: a schedule repeats its stale reads, and another one is another run") {
  using Model = Dekker<Between::nothing>;
  const Report report = explore<Model>("stale");
  CHECK(report.schedule.find('.') != std::string::npos);
  CHECK(replay<Model>("stale", report.schedule).violation == report.violation);
  CHECK(replay<Model>("other", "a2b2").passed());
  CHECK(replay<Model>("other", "aB").found("does not fit"));
  CHECK_THROWS_AS(replay<Model>("other", "a-b"), std::invalid_argument);
}

}  // namespace
