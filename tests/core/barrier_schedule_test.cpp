// SPDX-License-Identifier: MIT
//
// A barrier under every schedule.

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
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

// A process of two threads, and another of one, meet in twos, whoever comes. Where the first one is
// killed while its first thread is inside, whatever the other thread is about to do, the round does
// not complete over it, and nobody waits in it until his deadline.
template <bool Action>
struct Threads {
  using World = SimWorld<>;
  using Barrier = shoal::core::Barrier<World>;
  using Arrival = typename Barrier::Arrival;
  static constexpr int kParticipants = 3;
  static constexpr int kTurns = 6;  // nobody is left alone: there are two for each round

  Threads() { word.parties.store(2); }

  void participant(World& world, int number) {
    Barrier barrier(world, word, marks);
    while (turns.fetch_add(1) < kTurns)
      if (!meet(world, barrier, number)) return;
  }
  bool meet(World& world, Barrier& barrier, int number) {
    const auto deadline = world.now() + 100 * shoal::core::kMillisecond;
    const std::uint64_t dead_in = world.alive(owner(0)) ? 0 : inside.load();
    const Arrival arrival = barrier.arrive(owner(number), Action, deadline);
    if (arrival.kind == Arrival::broken) return false;
    const std::uint64_t round = std::uint64_t{arrival.round} + 1;
    if (arrival.kind == Arrival::last && dead_in == round) world.fail("completed over the dead");
    if (number == 0) inside.store(round);
    if (arrival.kind == Arrival::last) return !Action || barrier.complete(arrival.round);
    if (barrier.wait(arrival.round, deadline)) return true;
    if (world.now() >= deadline && !world.alive(owner(0)) && inside.load() == round)
      world.fail("waited for the dead");
    return false;
  }
  static OwnerValue owner(int participant) { return process(participant < 2 ? 0 : 1); }
  std::string check(const Outcome& outcome) const {
    return outcome.kills > 0 || word.state.load() >> 32 == kTurns / 2 ? "" : "rounds are missing";
  }

  shoal::detail::BasicBarrierWord<typename World::Atomics> word;
  std::array<shoal::detail::BasicBarrierMark<typename World::Atomics>, 2> marks;
  SimAtomic<int> turns{};
  SimAtomic<std::uint64_t> inside{};  // round + 1 of the first thread
};

// Two meet, and are buried where they die, by one who may die, too, and then by another one. No
// mark stays behind, and nobody waits in a round with one who is buried.
struct Buried {
  using World = SimWorld<>;
  using Barrier = shoal::core::Barrier<World>;
  using Arrival = typename Barrier::Arrival;
  static constexpr int kParties = 2;
  static constexpr int kParticipants = kParties + 2;

  Buried() { word.parties.store(kParties); }

  void participant(World& world, int number) {
    Barrier barrier(world, word, marks);
    number < kParties ? meet(world, barrier, number) : bury(world, barrier, number);
  }
  void meet(World& world, Barrier& barrier, int number) {
    const auto deadline = world.now() + 100 * shoal::core::kMillisecond;
    const Arrival arrival = barrier.arrive(process(number), false, deadline);
    inside[static_cast<std::size_t>(number)].store(1);
    if (arrival.kind == Arrival::waits && !barrier.wait(arrival.round, deadline) &&
        world.now() >= deadline && inside[static_cast<std::size_t>(1 - number)].load() != 0)
      world.fail("waited for the buried");
    ended.fetch_add(1);
  }
  void bury(World& world, Barrier& barrier, int number) {
    if (number == kParties + 1)  // one at a time, as the directory lock has it
      while (buried.load() == 0 && world.alive(process(kParties))) world.pause();
    bool any = buried.load() != 0;
    for (; !any && ended.load() < kParties; world.pause())
      for (int i = 0; i < kParties; ++i) any |= bury_party(world, barrier, i);
    buried.store(1);
  }
  bool bury_party(World& world, Barrier& barrier, int party) {
    if (world.alive(process(party))) return false;
    barrier.sweep(process(party));
    if (marks[static_cast<std::size_t>(party)].round.newest() != 0) world.fail("left its mark");
    return true;
  }
  static OwnerValue owner(int participant) { return process(participant); }

  shoal::detail::BasicBarrierWord<typename World::Atomics> word;
  std::array<shoal::detail::BasicBarrierMark<typename World::Atomics>, kParties> marks;
  std::array<SimAtomic<int>, kParties> inside{};
  SimAtomic<int> ended{};
  SimAtomic<int> buried{};
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

TEST_CASE("who dies inside is found, whatever other threads of its process have done since") {
  Options options = random_choice(1);
  passes<Threads<false>>("barrier.threads", options, 20'000);
  passes<Threads<true>>("barrier.threads.action", options, 20'000);
}

TEST_CASE("who is buried is in no round, and who buries may be killed") {
  passes<Buried>("barrier.buried", random_choice(2), 20'000);
}

TEST_CASE("three meet, at random") {
  passes<Meetings<3, 3>>("barrier.three", random_choice(0), 20'000);
}

TEST_CASE("the last to arrive acts before anybody is let go") {
  passes<Meetings<2, 2, true>>("barrier.action", random_choice(0), 20'000);
  passes<Meetings<3, 1, true>>("barrier.action.kill", random_choice(1), 20'000);
}

TEST_SUITE_END();
