// SPDX-License-Identifier: MIT
//
// An event under every schedule.

#include <doctest/doctest.h>

#include "core/event.hpp"
#include "core/schedules.hpp"

using namespace shoal_test;
using shoal::detail::kForever;

namespace {

// Two wait, one sets; with `Pulse` it clears at once, after both have begun to wait.
template <bool Pulse>
struct SetOnce {
  using World = SimWorld<>;
  static constexpr int kParticipants = 3;

  void participant(World& world, int number) {
    if (number > 0) return wait(world);
    bool somebody_sleeps = false;
    {
      const World::Unkillable until_set;  // what nobody sets is waited for
      while (Pulse && begun.load() < 2) world.pause();
      somebody_sleeps = shoal::detail::set_event(word);
    }
    if (Pulse) shoal::detail::clear_event(word);
    if (somebody_sleeps) shoal::core::wake(world, word.sleepers, shoal::core::kEverybody);
  }

  void wait(World& world) {
    std::uint32_t before = 0;
    {
      const World::Unkillable until_counted;
      before = word.state.load(std::memory_order_acquire);
      begun.fetch_add(1);
    }
    if (shoal::detail::is_set(before)) return;
    if (!shoal::core::wait_for_change(world, word, before, kForever))
      world.fail("gave up waiting for ever");
  }

  shoal::detail::BasicEventWord<World::Atomics> word;
  SimAtomic<int> begun{};
};

}  // namespace

TEST_SUITE_BEGIN("Event under every schedule");

TEST_CASE("a set wakes all who wait, whoever is killed") {
  passes<SetOnce<false>>("event.set", kExhaustive, 1'000);
  passes<SetOnce<false>>("event.set.kill", with_kills(kExhaustive, 1), 10'000);
}

TEST_CASE("a set that is cleared at once wakes all who waited") {
  Options options = kExhaustive;
  options.preemptions = 2;
  passes<SetOnce<true>>("event.pulse", options, 1'000);
  passes<SetOnce<true>>("event.pulse.kill", random_choice(1), 20'000);
}

TEST_SUITE_END();
