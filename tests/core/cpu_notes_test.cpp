// SPDX-License-Identifier: MIT
//
// How waiters take turns on a CPU, and share out CPUs: who naps, when, and what becomes of the notes.

#include "core/cpu_notes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include "shoal/detail/machine.hpp"

namespace {

using shoal::core::kMillisecond;
using shoal::detail::kForever;

// One CPU at a time. A nap is noted, and passes; in the next one something may happen.
struct Cpu : shoal::detail::MachineAtomics {
  using Atomics = MachineAtomics;
  using Notes = shoal::core::BasicCpuNotes<Atomics>;

  std::int64_t now() const { return time; }
  std::uint32_t object() const { return waits_for; }
  std::span<Notes> cpu_notes() { return cpus; }
  int cpu() const { return on; }
  void nap(std::int64_t nanoseconds) {
    naps.push_back(nanoseconds);
    time += nanoseconds;
    std::exchange(in_next_nap, [] {})();
  }

  std::int64_t notes() const {
    return std::count_if(std::begin(cpus[on].notes), std::end(cpus[on].notes),
                         [](const auto& note) { return note.load() != 0; });
  }

  std::int64_t time = 10'000 * kMillisecond;
  std::uint32_t waits_for = 3;
  Notes cpus[2] = {};
  int on = 0;
  std::vector<std::int64_t> naps;
  std::function<void()> in_next_nap = [] {};
};

using Note = shoal::core::CpuNote<Cpu>;
constexpr std::int64_t kTurn = Note::kTurn;
constexpr std::int64_t kRounded = 1024;  // a note's time is right to that

struct alignas(64) Line {};
const Line first_lock, second_lock;

// Comes to wait for a lock, as for one that is held.
struct Waiter {
  explicit Waiter(Cpu& cpu, const void* lock = &first_lock, std::int64_t deadline = kForever)
      : note(cpu, lock) {
    if (note.arrive(deadline)) note.make_way();
  }
  Note note;
};

// Notes of the other CPU, in these places: their writers lack it in so long.
void crowd(Cpu& cpu, std::initializer_list<int> places, std::int64_t in = kTurn,
           const void* lock = &first_lock) {
  for (const int place : places)
    cpu.cpus[1].notes[place] = shoal::core::cpu_note(cpu.time + in, cpu.object(), lock);
}

}  // namespace

TEST_SUITE_BEGIN("CpuNotes");

TEST_CASE("a waiter's note stands as long as it waits") {
  Cpu cpu;
  {
    const Waiter waiter(cpu);
    CHECK(cpu.notes() == 1);
  }
  CHECK(cpu.notes() == 0);
  CHECK(cpu.naps.empty());
}

TEST_CASE("who comes when another has waited for a turn naps for one; who comes earlier does not") {
  Cpu cpu;
  const Waiter first(cpu);
  cpu.time += kTurn - kRounded;
  { const Waiter early(cpu); }
  CHECK(cpu.naps.empty());
  cpu.time += 2 * kRounded;
  { const Waiter late(cpu); }
  CHECK(cpu.naps == std::vector{kTurn});
}

TEST_CASE("a note makes who comes nap once: its writer may be dead") {
  Cpu cpu;
  const Waiter killed(cpu);
  cpu.time += kTurn + kRounded;
  { const Waiter waiter(cpu); }
  CHECK(cpu.notes() == 0);
  { const Waiter waiter(cpu); }
  CHECK(cpu.naps.size() == 1);
}

TEST_CASE("the note that its writer has left anew meanwhile stays") {
  Cpu cpu;
  Waiter first(cpu);
  cpu.time += kTurn + kRounded;
  cpu.in_next_nap = [&] { first.note.sleeps(5 * kMillisecond); };
  { const Waiter waiter(cpu); }
  CHECK(cpu.naps.size() == 1);
  CHECK(cpu.notes() == 1);
}

TEST_CASE("who naps lacks the CPU as its nap ends, and not before") {
  Cpu cpu;
  const Waiter first(cpu);
  cpu.time += kTurn + kRounded;
  const std::int64_t began = cpu.time;
  const auto naps_of_who_comes_at = [&](std::int64_t time) {
    const std::size_t before = cpu.naps.size();
    cpu.time = time;
    { const Waiter another(cpu); }
    return cpu.naps.size() - before;
  };
  cpu.in_next_nap = [&] {
    // What the first one's note asks for has been done: it is one nap.
    CHECK(naps_of_who_comes_at(began + kTurn - kRounded) == 1);
    CHECK(naps_of_who_comes_at(began + kTurn - kRounded) == 0);
    CHECK(naps_of_who_comes_at(began + kTurn + kRounded) == 1);
  };
  { const Waiter napper(cpu); }
  CHECK(cpu.naps.size() == 3);
}

TEST_CASE("who sleeps lacks nothing until its sleep has ended") {
  Cpu cpu;
  Waiter sleeper(cpu);
  sleeper.note.sleeps(5 * kMillisecond);
  CHECK(cpu.notes() == 1);
  cpu.time += 5 * kMillisecond - kRounded;
  { const Waiter waiter(cpu); }
  CHECK(cpu.naps.empty());
  cpu.time += 2 * kRounded;
  { const Waiter waiter(cpu); }
  CHECK(cpu.naps.size() == 1);
}

TEST_CASE("who has been moved to another CPU lacks that one") {
  Cpu cpu;
  Waiter waiter(cpu);
  cpu.on = 1;
  waiter.note.sleeps(kMillisecond);
  CHECK(cpu.notes() == 1);
  cpu.on = 0;
  CHECK(cpu.notes() == 0);
}

TEST_CASE("nobody naps for who waits for another lock, or on another CPU, or an unknown one") {
  Cpu cpu;
  const Waiter first(cpu);
  cpu.time += kTurn + kRounded;
  const Line* lock = &first_lock;
  SUBCASE("another object") { cpu.waits_for = 4; }
  SUBCASE("another lock of that object") { lock = &second_lock; }
  SUBCASE("another CPU") { cpu.on = 1; }
  SUBCASE("unknown") { cpu.on = -1; }
  {
    Waiter waiter(cpu, lock);
    waiter.note.sleeps(kMillisecond);
  }
  CHECK(cpu.naps.empty());
}

TEST_CASE("who has a deadline naps where that leaves it time to wait") {
  Cpu cpu;
  const Waiter first(cpu);
  cpu.time += kTurn + kRounded;
  { const Waiter hurried(cpu, &first_lock, cpu.time + 2 * kTurn - 1); }
  CHECK(cpu.naps.empty());
  { const Waiter waiter(cpu, &first_lock, cpu.time + 2 * kTurn); }
  CHECK(cpu.naps == std::vector{kTurn});
}

TEST_CASE("who comes where two fewer wait than elsewhere naps for a turn, once in two") {
  Cpu cpu;
  const auto naps_of_next = [&] {
    crowd(cpu, {0, 1});
    const std::size_t before = cpu.naps.size();
    { const Waiter waiter(cpu); }
    return cpu.naps.size() - before;
  };
  CHECK(naps_of_next() == 1);
  CHECK(naps_of_next() == 0);  // a turn later
  cpu.time += kTurn - 1;
  CHECK(naps_of_next() == 0);
  cpu.time += 1;
  CHECK(naps_of_next() == 1);
  CHECK(std::ranges::count(cpu.naps, kTurn) == 2);
  CHECK(cpu.notes() == 0);
}

TEST_CASE("who naps for a crowd elsewhere lacks its CPU as its nap ends") {
  Cpu cpu;
  crowd(cpu, {0, 1});
  cpu.in_next_nap = [&] {
    cpu.time += kRounded;
    const Waiter another(cpu);
    CHECK(cpu.naps.size() == 2);
  };
  { const Waiter napper(cpu); }
  CHECK(cpu.naps.size() == 2);
}

TEST_CASE("those are a crowd who lack their CPU by now, or in a turn, wherever they wrote it") {
  Cpu cpu;
  SUBCASE("as they come, or nap") { crowd(cpu, {0, 1}); }
  SUBCASE("late") { crowd(cpu, {0, 1}, -19 * kMillisecond); }
  SUBCASE("not the first place") { crowd(cpu, {1, 2}); }
  SUBCASE("nor the second") { crowd(cpu, {0, 6}); }
  SUBCASE("one waits here, and three there") {
    cpu.cpus[0].notes[0] = shoal::core::cpu_note(cpu.time + kTurn, cpu.object(), &first_lock);
    crowd(cpu, {0, 1, 2});
  }
  const Waiter waiter(cpu);
  CHECK(cpu.naps.size() == 1);
}

TEST_CASE("where those who wait are shared out, nobody naps") {
  Cpu cpu;
  SUBCASE("one more elsewhere") { crowd(cpu, {0}); }
  SUBCASE("one here, and two elsewhere") {
    cpu.cpus[0].notes[0] = shoal::core::cpu_note(cpu.time + kTurn, cpu.object(), &first_lock);
    crowd(cpu, {0, 1});
  }
  SUBCASE("for another lock") { crowd(cpu, {0, 1, 2}, kTurn, &second_lock); }
  SUBCASE("they sleep") { crowd(cpu, {0, 1, 2}, kTurn + kRounded); }
  SUBCASE("they have been late for long, and may be dead") {
    crowd(cpu, {0, 1, 2}, -21 * kMillisecond);
  }
  SUBCASE("that is asked again too soon") {
    cpu.cpus[0].compared = cpu.time;
    crowd(cpu, {0, 1, 2});
  }
  const Waiter waiter(cpu);
  CHECK(cpu.naps.empty());
}

TEST_CASE("who makes way here, or cannot, leaves the look at other CPUs to the next") {
  Cpu cpu;
  crowd(cpu, {0, 1});
  std::int64_t deadline = kForever;
  SUBCASE("it makes way") {
    cpu.cpus[0].notes[0] = shoal::core::cpu_note(cpu.time - kRounded, cpu.object(), &first_lock);
  }
  SUBCASE("it has no time") { deadline = cpu.time + 2 * kTurn - 1; }
  { const Waiter waiter(cpu, &first_lock, deadline); }
  const std::size_t naps = cpu.naps.size();
  CHECK(naps == (deadline == kForever ? 1 : 0));
  { const Waiter next(cpu); }
  CHECK(cpu.naps.size() == naps + 1);
}

TEST_CASE("a time of comparison that is nonsense puts off none") {
  Cpu cpu;
  SUBCASE("least") { cpu.cpus[0].compared = INT64_MIN; }
  SUBCASE("most") { cpu.cpus[0].compared = INT64_MAX; }
  SUBCASE("later") { cpu.cpus[0].compared = cpu.time + 1; }
  crowd(cpu, {0, 1});
  const Waiter waiter(cpu);
  CHECK(cpu.naps.size() == 1);
  CHECK(cpu.cpus[0].compared == cpu.time - kTurn);
}

TEST_CASE("who is as late as a writer may be is made way for; who is as early keeps its place") {
  Cpu cpu;
  auto& note = cpu.cpus[0].notes[0];
  note = shoal::core::cpu_note(cpu.time - 999 * kMillisecond, cpu.object(), &first_lock);
  { const Waiter waiter(cpu); }
  CHECK(cpu.naps.size() == 1);
  const std::int64_t sleeper =
      shoal::core::cpu_note(cpu.time + 199 * kMillisecond, cpu.object(), &first_lock);
  note = sleeper;
  const Waiter waiter(cpu);
  CHECK(cpu.naps.size() == 1);
  CHECK(note == sleeper);
}

TEST_CASE("where all places are taken, who comes goes without a note") {
  Cpu cpu;
  for (auto& note : cpu.cpus[0].notes) note = cpu.time + kTurn;
  {
    Waiter waiter(cpu);
    waiter.note.sleeps(kMillisecond);
  }
  CHECK(cpu.notes() == Cpu::Notes::kNotes);
  CHECK(cpu.naps.empty());
}

TEST_CASE("what no writer has left, or a dead one long ago, takes nobody's place and time") {
  Cpu cpu;
  const auto fill = [&](std::int64_t value) {
    for (auto& note : cpu.cpus[0].notes) note = value;
  };
  SUBCASE("least") { fill(INT64_MIN); }
  SUBCASE("most") { fill(INT64_MAX); }
  SUBCASE("long ago") { fill(cpu.time - 1001 * kMillisecond); }
  SUBCASE("late") { fill(cpu.time + 201 * kMillisecond); }
  const Waiter waiter(cpu);
  CHECK(cpu.naps.empty());
  const std::int64_t first = cpu.cpus[0].notes[0];
  CHECK(first > cpu.time);
  CHECK(first <= cpu.time + kTurn);
}
