// SPDX-License-Identifier: MIT
//
// The tasks of a pool under every schedule.

#include <doctest/doctest.h>

#include <algorithm>
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

struct Slot {
  SimAtomic<shoal::core::TaskState> state{};
  std::uint64_t crew = 0;
};

// A master hands in tasks, and waits until all are back; workers do them, and may be killed, the
// master buries them then. What a worker that was killed has not finished is lost; with no worker left the
// master takes back what nobody does.
template <int Workers, int Tasks, Mutant M = Mutant::none>
struct TaskModel {
  using World = FamilyWorld<M>;
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
    while (const auto id = list.claim(world, note, number, 0)) {
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

  static OwnerValue owner(int participant) { return process(participant); }
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

// Two crews of one worker each: the second may work when the first one does not any more. Whoever is
// killed is buried, and done again is nothing.
template <Mutant M = Mutant::none>
struct CrewModel {
  using World = FamilyWorld<M>;
  using List = shoal::core::TaskList<World, Slot>;
  static constexpr int kParticipants = 3;
  static constexpr TaskId kTasks = 4;

  void participant(World& world, int number) {
    if (number == 0)
      master(world);
    else
      worker(world, static_cast<std::uint32_t>(number));
  }

  void worker(World& world, std::uint32_t number) {
    const std::uint64_t crew = number;
    list.enter(world, crew, [&] {
      return number == 1 || notes[1].load(std::memory_order_seq_cst) == shoal::core::kNoTask;
    });
    while (const auto id = list.claim(world, notes[number], number, crew)) {
      is_working[number] = true;
      if (is_working[1] && is_working[2]) world.fail("both are at work");
      words.wanted.load();  // time passes
      is_working[number] = false;
      list.finish(world, notes[number], *id);
    }
  }

  void master(World& world) {
    const typename World::Unkillable whole;
    list.change_crew(world, 1);
    hand_in(world, 0, kTasks / 2, 1);
    list.change_crew(world, 2);
    hand_in(world, kTasks / 2, kTasks, 2);
    list.want(shoal::core::kAnyTask);
    const bool all_back = shoal::core::wait(world, words.waiting, kForever, [&](Glance glance) {
      if (glance != Glance::quick) bury_the_dead(world);
      list.take_done(0, [&](TaskId id) { is_back[id] = true; });
      for (TaskId id = 0; id < kTasks; ++id)
        if (!anybody_left) is_back[id] = true;
      return std::find(is_back.begin(), is_back.end(), false) == is_back.end() ? Look::done
                                                                               : Look::wait;
    });
    if (!all_back) world.fail("gave up waiting for ever");
    list.close(world);
  }

  void hand_in(World& world, TaskId first, TaskId end, std::uint64_t crew) {
    for (TaskId id = first; id < end; ++id) {
      list.slot(id).crew = crew;
      list.submit(world, id);
    }
  }

  void bury_the_dead(World& world) {
    anybody_left = world.alive(process(2));
    for (const std::uint32_t number : {1U, 2U}) {
      if (world.alive(process(static_cast<int>(number)))) continue;
      is_working[number] = false;
      list.bury(world, notes[number], number, [](Slot&) {});
    }
  }

  static OwnerValue owner(int participant) { return process(participant); }
  std::string check(const Outcome&) const { return ""; }

  shoal::core::TaskListWords<World> words;
  std::array<Slot, 64> slots;
  std::array<SimAtomic<std::uint64_t>, 1> done{};
  List list{words, slots, done};
  std::array<SimAtomic<std::uint64_t>, 3> notes{};
  std::array<bool, 3> is_working{};
  std::array<bool, kTasks> is_back{};
  bool anybody_left = true;
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

TEST_CASE("a newer worker waits until an older one is idle, or dead") {
  Options options = kExhaustive;
  options.preemptions = 2;
  options.stale_reads = 1;
  passes<CrewModel<>>("tasks.crews", options, 1'000);
  passes<CrewModel<>>("tasks.crews.random", random_choice(0), 20'000);
  passes<CrewModel<>>("tasks.crews.kill", random_choice(2), 20'000);
}

TEST_CASE("an older worker that claims without another look is found out") {
  catches<CrewModel<Mutant::claim_without_a_look>>("tasks.claim_without_a_look", random_choice(0));
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
