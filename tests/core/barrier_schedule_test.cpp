// SPDX-License-Identifier: MIT
//
// A barrier under every schedule.

#include <doctest/doctest.h>

#include <array>
#include <optional>

#include "core/barrier.hpp"
#include "core/schedules.hpp"

using namespace shoal_test;
using shoal::detail::kForever;
using shoal::detail::OwnerValue;

namespace {

// All meet, round after round. Nobody is a round ahead of another; where one dies inside, the
// others are told. With an action, the last to arrive runs it before anybody is let go.
// Who dies before it arrives is waited for, as asked; so there the deadline is near.
template <int Participants, int Rounds, bool Action = false, bool NearDeadline = false>
struct Meetings {
  using World = SimWorld<>;
  using Barrier = shoal::core::Barrier<World>;
  using Arrival = typename Barrier::Arrival;
  static constexpr int kParticipants = Participants;

  Meetings() { word.parties.store(Participants); }

  void participant(World& world, int number) {
    Barrier barrier(world, word, marks);
    for (int round = 1; round <= Rounds; ++round) {
      const auto deadline = NearDeadline ? world.now() + 100 * shoal::core::kMillisecond : kForever;
      const Arrival arrival = arrive(barrier, number, round, deadline);
      if (arrival.kind == Arrival::broken) return;
      if (arrival.kind == Arrival::waits && !barrier.wait(arrival.round, deadline)) return;
      if (Action && arrival.kind == Arrival::last) {
        actions.store(actions.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        if (!barrier.complete(arrival.round)) return;
      }
      if (Action && actions.load(std::memory_order_relaxed) < round) world.fail("let go too soon");
      for (const auto& other : arrived)
        if (other.load(std::memory_order_relaxed) < round) world.fail("passed before all arrived");
    }
    passed.fetch_add(1);
  }
  Arrival arrive(Barrier& barrier, int number, int round, shoal::detail::Deadline deadline) {
    std::optional<typename World::Unkillable> until_inside;
    if (!NearDeadline) until_inside.emplace();
    arrived[static_cast<std::size_t>(number)].store(round, std::memory_order_relaxed);
    return barrier.arrive(process(number), Action, deadline);
  }
  static OwnerValue owner(int participant) { return process(participant); }
  std::string check(const Outcome& outcome) const {
    return outcome.kills > 0 || passed.load() == Participants ? "" : "broken, and nobody died";
  }

  shoal::detail::BasicBarrierWord<typename World::Atomics> word;
  std::array<shoal::detail::BasicBarrierMark<typename World::Atomics>, Participants> marks;
  std::array<SimAtomic<int>, Participants> arrived{};
  SimAtomic<int> actions{};
  SimAtomic<int> passed{};
};

}  // namespace

TEST_SUITE_BEGIN("Barrier under every schedule");

TEST_CASE("two meet twice, and nobody passes before the other has arrived") {
  Options options = kExhaustive;
  options.preemptions = 2;
  passes<Meetings<2, 2>>("barrier.two", options, 1'000);
}

TEST_CASE("whoever dies inside breaks it for the others") {
  Options options = with_kills(kExhaustive, 1);
  options.preemptions = 2;
  options.stale_reads = 1;
  passes<Meetings<2, 1>>("barrier.two.kill", options, 100);
  passes<Meetings<3, 1>>("barrier.three.kill", random_choice(2), 20'000);
}

TEST_CASE("whoever dies anywhere leaves the others a way out by their deadlines") {
  Options options = random_choice(2);
  options.timeouts_expected = true;
  passes<Meetings<2, 2, false, true>>("barrier.two.deadline", options, 20'000);
  passes<Meetings<3, 3, false, true>>("barrier.three.deadline", options, 20'000);
}

TEST_CASE("three meet, at random") {
  passes<Meetings<3, 3>>("barrier.three", random_choice(0), 20'000);
}

TEST_CASE("the last to arrive acts before anybody is let go") {
  passes<Meetings<2, 2, true>>("barrier.action", random_choice(0), 20'000);
  passes<Meetings<3, 1, true>>("barrier.action.kill", random_choice(1), 20'000);
}

TEST_SUITE_END();
