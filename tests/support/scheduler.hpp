// SPDX-License-Identifier: MIT
#pragma once

// A deterministic scheduler: runs a small concurrent program under many schedules, also such as a
// weak memory or a kill -9 may bring about, and shows the first that breaks it.
//
//   struct Increments {
//     using World = shoal_test::SimWorld<>;
//     static constexpr int kParticipants = 2;
//     World::Atomic<int> count{};                          // afresh for every run
//     void participant(World&, int) {
//       count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
//     }
//     std::string check(const shoal_test::Outcome&) const {  // an empty text: all is well
//       return count.load() == 2 ? "" : "an increment was lost";
//     }
//   };
//   Report report = explore<Increments>("two increments", {.preemptions = 2});
//   INFO(report);
//   CHECK(report.passed());                                // it is not: schedule "a2b.b"
//
// A Model has
//   World, kParticipants (at most 8), participant(world, number);
// and may have
//   check(outcome) const    called at the end of a run,
//   invariant() const       called after every step; both return what is wrong, or an empty text,
//   static owner(number)    the value by which World::alive() knows a participant: number + 1.
//                           Those of one value are the threads of a process, and die together.
// It is default-constructed for every run, always at the same address. A participant reports at
// once with world.fail(text).
//
// Participants share only SimAtomics and what these protect. What is not atomic is not watched:
// to see that it is protected, make it a SimAtomic that is read and written relaxed. Let
// participants own no heap memory across steps: a killed one is not unwound. No step may be taken
// inside a catch block.
//
// How a participant waits: World::sleep(); or a loop that calls World::pause() or yield() between
// two looks. A sleep() that returns at once, because the word is not as expected, counts as a
// pause. A loop that does neither is reported as a hang.
//
// Memory: see scheduler/memory.hpp for what is modelled and what not. Kills: a killed participant
// takes no further step, what it stored is in memory, alive() of its owner value is false. A
// finished one counts as alive and is not killed any more; the other threads of its process may be.
// Time: see scheduler/simulation.hpp.
//
// A violation ends the exploration; printing the report shows its schedule and the command that
// runs this schedule only: SHOAL_SCHEDULE='name=schedule' in the environment. Explorations of
// another name then run nothing.

#include <string>
#include <string_view>

#include "support/scheduler/options.hpp"
#include "support/scheduler/program.hpp"
#include "support/scheduler/world.hpp"

namespace shoal_test {

Report explore(std::string_view name, Program& program, const Options& options);
Report replay(std::string_view name, Program& program, std::string_view schedule,
              const Options& options);

template <class Model>
Report explore(std::string_view name, const Options& options = {}) {
  ProgramOf<Model> program;
  return explore(name, program, options);
}

// Runs one schedule, with the options under which it was found. Throws std::invalid_argument if
// the text is no schedule; a schedule that does not fit the model is a violation.
template <class Model>
Report replay(std::string_view name, std::string_view schedule, const Options& options = {}) {
  ProgramOf<Model> program;
  return replay(name, program, schedule, options);
}

}  // namespace shoal_test
