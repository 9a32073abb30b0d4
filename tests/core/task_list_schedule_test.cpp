// SPDX-License-Identifier: MIT
//
// The tasks of a pool under every schedule.

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/schedules.hpp"
#include "core/task_list.hpp"

using namespace shoal_test;
using shoal::core::Glance;
using shoal::core::Look;
using shoal::core::TaskId;
using shoal::core::TaskPhase;
using shoal::detail::kForever;
using shoal::detail::Mutant;
using shoal::detail::OwnerValue;

namespace {

// Barriers are the caller's own, as they are in a family of processes.
template <Mutant M>
struct FamilyWorld : SimWorld<M> {
  bool barrier() {
    this->fence();
    return true;
  }
};

constexpr std::uint64_t kCrew = 0;

// A master hands in tasks, and waits until all are back; workers do them, and may be killed, the
// master buries them then. What a worker that was killed has not finished is lost; with no worker left the
// master takes back what nobody does.
template <int Workers, int Tasks, Mutant M = Mutant::none>
struct TaskModel {
  using World = FamilyWorld<M>;
  struct Slot {
    SimAtomic<shoal::core::TaskState> state{};
    std::uint64_t crew = kCrew;
  };
  using List = shoal::core::TaskList<World, Slot>;
  static constexpr int kParticipants = Workers + 1;

  void participant(World& world, int number) {
    if (number == 0)
      master(world);
    else
      worker(world, static_cast<std::uint32_t>(number));
  }

  void worker(World& world, std::uint32_t number) {
    SimAtomic<std::uint64_t>& note = notes[number];
    while (const auto id = list.claim(world, note, number, kCrew)) {
      ++performed[*id];
      list.finish(world, note, *id);
    }
  }

  void master(World& world) {
    const typename World::Unkillable whole;
    for (TaskId id = 0; id < Tasks; ++id) list.submit(world, id);
    list.want(shoal::core::kAnyTask);
    const bool all_back = shoal::core::wait(world, words.waiting, kForever, [&](Glance glance) {
      take_back(world);
      if (glance != Glance::quick) bury_the_dead(world);
      take_back(world);
      return back == Tasks ? Look::done : Look::wait;
    });
    if (!all_back) world.fail("gave up waiting for ever");
    list.close(world);
  }

  void take_back(World& world) {
    list.take_done(0, [&](TaskId id) {
      if (is_back[id]) return;  // told twice, of a worker killed in between
      is_back[id] = true;
      ++back;
      if (shoal::core::phase_of(list.slot(id).state.load()) == TaskPhase::lost)
        ++lost;
      else if (performed[id] != 1)
        world.fail("back, and not done once");
    });
  }

  void bury_the_dead(World& world) {
    bool all_dead = true;
    for (std::uint32_t number = 1; number <= Workers; ++number) {
      if (world.alive(owner(static_cast<int>(number)))) {
        all_dead = false;
        continue;
      }
      list.bury(world, notes[number], number, [](Slot&) {});
    }
    if (!all_dead) return;
    for (TaskId id = 0; id < Tasks; ++id) {
      if (is_back[id] || !list.cancel(id)) continue;
      is_back[id] = true;
      ++back;
    }
  }

  static OwnerValue owner(int participant) {
    return shoal::detail::owner_value(static_cast<std::uint32_t>(participant), 1);
  }
  std::string check(const Outcome& outcome) const {
    if (lost > outcome.kills) return "more tasks lost than workers";
    for (const int times : performed)
      if (times > 1) return "a task was done twice";
    return "";
  }

  shoal::core::TaskListWords<World> words;
  std::array<Slot, 64> slots;
  std::array<SimAtomic<std::uint64_t>, 1> done{};
  List list{words, slots, done};
  std::array<SimAtomic<std::uint64_t>, Workers + 1> notes{};
  std::array<int, Tasks> performed{};
  std::array<bool, Tasks> is_back{};
  int back = 0;
  int lost = 0;
};

}  // namespace

TEST_SUITE_BEGIN("Tasks under every schedule");

TEST_CASE("each is done once, and comes back") {
  Options options = kExhaustive;
  options.preemptions = 2;
  options.stale_reads = 1;
  passes<TaskModel<1, 2>>("tasks.one", options, 1'000);
  passes<TaskModel<2, 3>>("tasks.two", random_choice(0), 20'000);
}

TEST_CASE("workers are killed: each loses one task at most, and none is done twice") {
  Options options = kExhaustive;
  options.preemptions = 1;
  options.stale_reads = 0;
  passes<TaskModel<1, 2>>("tasks.one.kill", with_kills(options, 1), 1'000);
  passes<TaskModel<2, 3>>("tasks.two.kill", random_choice(2), 20'000);
}

TEST_CASE("a note that comes after the claim is found out") {
  catches<TaskModel<2, 3, Mutant::note_after_claim>>("tasks.note_after_claim", random_choice(2));
}

TEST_CASE("a burial that says nothing is found out") {
  catches<TaskModel<2, 3, Mutant::burial_says_nothing>>("tasks.burial_says_nothing",
                                                        random_choice(2));
}

TEST_CASE("announcing after the last look is found out") {
  catches<TaskModel<2, 3, Mutant::announce_after_looking>>("tasks.announce_after_looking",
                                                           random_choice(0));
}

TEST_SUITE_END();
