// SPDX-License-Identifier: MIT
//
// The semaphores under every schedule.

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <string>

#include "core/bounded_semaphore.hpp"
#include "core/schedules.hpp"
#include "core/semaphore.hpp"

using namespace shoal_test;
using shoal::detail::kForever;
using shoal::detail::kMostPermits;
using shoal::detail::OwnerValue;

namespace {

// One releases two permits, one at a time; two acquire one each, and may be killed meanwhile.
struct TwoPermits {
  using World = SimWorld<>;
  static constexpr int kParticipants = 3;

  void participant(World& world, int number) {
    if (number == 0) return release_twice(world);
    if (!shoal::detail::take_permit(word)) shoal::core::acquire(world, word, kForever);
  }
  void release_twice(World& world) {
    const World::Unkillable whole;  // what nobody releases is waited for
    for (int i = 0; i < 2; ++i)
      if (shoal::detail::add_permits(word, 1) == shoal::detail::Added::somebody_sleeps)
        shoal::core::wake(world, word.sleepers, 1);
  }
  static OwnerValue owner(int participant) { return process(participant); }
  std::string check(const Outcome& outcome) const {
    return outcome.kills > 0 || word.count.load() == 0 ? "" : "permits are left";
  }

  shoal::detail::BasicSemaphoreWord<World::Atomics> word;
};

// As many permits as fit. One acquires, and releases; two more release. There is room for one.
struct AsManyAsFit {
  using World = SimWorld<>;
  static constexpr int kParticipants = 3;

  AsManyAsFit() { word.count.store(kMostPermits); }
  void participant(World& world, int number) {
    if (number == 0 && !shoal::detail::take_permit(word))
      world.fail("no permit where there are as many as fit");
    if (shoal::detail::add_permits(word, 1) != shoal::detail::Added::overflow) ++released;
  }
  static OwnerValue owner(int participant) { return process(participant); }
  std::string check(const Outcome& outcome) const {
    const std::int64_t count = word.count.load();
    if (count > kMostPermits + outcome.kills) return "more permits than fit";
    if (count < kMostPermits - 1) return "permits were lost";
    if (outcome.kills > 0) return "";
    return released == 1 && count == kMostPermits ? "" : std::to_string(released) + " released";
  }

  shoal::detail::BasicSemaphoreWord<World::Atomics> word;
  int released = 0;
};

// One permit less than fit: a release of two finds no room, and takes none from a release of one.
struct OneLessThanFit {
  using World = SimWorld<>;
  static constexpr int kParticipants = 2;

  OneLessThanFit() { word.count.store(kMostPermits - 1); }
  void participant(World& world, int number) {
    const auto added = shoal::detail::add_permits(word, 1 + number);
    if ((added == shoal::detail::Added::overflow) != (number == 1)) world.fail("wrongly refused");
  }
  static OwnerValue owner(int participant) { return process(participant); }
  std::string check(const Outcome& /*outcome*/) const {
    return word.count.load() == kMostPermits ? "" : "permits were lost, or made";
  }

  shoal::detail::BasicSemaphoreWord<World::Atomics> word;
};

// One permit, which belongs to whoever has it; three want it in turn.
template <int Participants>
struct OneSeat {
  using World = SimWorld<>;
  using Semaphore = shoal::core::BoundedSemaphore<World>;
  static constexpr int kParticipants = Participants;

  OneSeat() {
    word.bound.store(1);
    word.count.store(1);
    word.lock.inherits.store(1);
  }
  void participant(World& world, int number) {
    Semaphore semaphore(world, word, held, process(number));
    if (!semaphore.acquire(kForever)) world.fail("gave up waiting for ever");
    const int seated = seats.exchange(number + 1);
    if (seated != 0 && world.alive(process(seated - 1))) world.fail("two in one seat");
    seats.store(0);
    if (!semaphore.release(1)) world.fail("does not hold what it acquired");
  }
  static OwnerValue owner(int participant) { return process(participant); }
  std::string invariant() const {
    return word.count.load() > 1 ? "more permits than there are" : "";
  }

  shoal::detail::BasicBoundedWord<World::Atomics> word;
  std::array<Semaphore::Held, kParticipants> held;
  SimAtomic<int> seats{};
};

}  // namespace

TEST_SUITE_BEGIN("Semaphore under every schedule");

TEST_CASE("as many acquire as were released, whoever is killed waiting") {
  passes<TwoPermits>("semaphore.two", kExhaustive, 1'000);
  Options options = with_kills(kExhaustive, 1);
  options.preemptions = 2;
  passes<TwoPermits>("semaphore.two.kill", options, 10'000);
}

TEST_CASE("a release of more permits than fit changes nothing, whoever acquires meanwhile") {
  passes<AsManyAsFit>("semaphore.full", kExhaustive, 1'000);
  passes<AsManyAsFit>("semaphore.full.kill", with_kills(kExhaustive, 1), 1'000);
  passes<OneLessThanFit>("semaphore.nearly_full", kExhaustive, 4);
}

TEST_CASE("a bounded permit comes back from the dead, and is never two") {
  Options options = kExhaustive;
  options.preemptions = 2;
  options.stale_reads = 1;
  passes<OneSeat<2>>("bounded.two", options, 1'000);
  options.stale_reads = 0;
  passes<OneSeat<2>>("bounded.two.kill", with_kills(options, 1), 10'000);
  passes<OneSeat<3>>("bounded.three.kill", random_choice(2), 20'000);
}

TEST_SUITE_END();
