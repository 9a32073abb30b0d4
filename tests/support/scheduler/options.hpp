// SPDX-License-Identifier: MIT
#pragma once

// What to explore, and what came out.

#include <array>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

#include "support/scheduler/memory.hpp"

namespace shoal_test {

enum class Mode {
  exhaustive,  // every schedule within the budgets
  pct          // random ones, with probabilistic guarantees
};

struct Options {
  Mode mode = Mode::exhaustive;
  std::uint64_t schedules = 1'000'000;  // at most

  // Budgets of each run.
  int preemptions = 3;     // switches away from somebody who could go on; not for Mode::pct
  int kills = 0;           // of participants
  int stale_reads = 2;     // loads that do not read the newest value
  int early_timeouts = 0;  // sleeps that end while others could still run

  // Of Mode::pct: the number of ordering constraints of the bugs looked for.
  int depth = 3;
  std::uint64_t seed = 1;

  // Sleeps may end by themselves, when nobody can run: there are waits with a deadline. Otherwise
  // that is a lost wake-up, unless somebody was killed in this run.
  bool timeouts_expected = false;
  bool barrier_works = true;  // else World::barrier() returns false and does nothing

  // More than this in one run is a hang.
  int steps = 2000;
  int idle_rounds = 64;  // in which nobody could run and time had to pass
};

// How one run went, for the check at its end.
struct Outcome {
  std::array<bool, kMaxParticipants> killed{};
  int steps = 0;
  int kills = 0;
  int stale_reads = 0;
  int timeouts = 0;  // sleeps that ended by themselves
  int sleeps = 0;    // that really slept
  int wakes = 0;     // calls of wake()
  int barriers = 0;
};

struct Report {
  std::string name;
  Mode mode = Mode::exhaustive;
  std::uint64_t seed = 0;
  std::uint64_t schedules = 0;
  bool completed = false;        // all that was asked for was explored
  std::size_t final_states = 0;  // distinct ones: values of all atomics, and who was killed
  std::uint64_t kills = 0;
  std::uint64_t stale_reads = 0;
  std::uint64_t timeouts = 0;
  int max_steps = 0;
  double seconds = 0;

  std::string violation;  // the first, which ends the exploration; or empty
  std::string schedule;   // of that run

  bool passed() const { return violation.empty(); }
  // Is there a violation that says so?
  bool found(std::string_view text) const { return violation.find(text) != std::string::npos; }
};

// One line; with a violation, also its schedule and the command that runs only that.
std::ostream& operator<<(std::ostream& out, const Report& report);

}  // namespace shoal_test
