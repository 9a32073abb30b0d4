// SPDX-License-Identifier: MIT
#pragma once

// How scenes are run, and what they must have reached.
//
//   TEST_CASE("who is killed while unlocking ...") {
//     kill_everywhere<Unlock>("lock.unlock", {.instructions = 10, .points = 10, .states = 3});
//   }
//
// With SHOAL_TEST_FULL=1 in the environment they are killed at each instruction, else only where
// shared memory has changed or a system call has been made, and next to it; and while repairing after
// each sixth of those. When all the tests of a program have run, the sums are printed.

#include <cstddef>
#include <string>

#include "shoal/segment.hpp"
#include "support/full_programme.hpp"
#include "support/step_kill.hpp"

namespace shoal_test {

// At least so many. Few enough for any compiler, too many for a scene that does nothing.
struct Floors {
  std::size_t instructions;
  std::size_t points;
  std::size_t states;
  // May the victim take another way than the first walk? So where what it does depends on the clock.
  bool strays = false;
};

StepOptions thorough();           // every instruction in the full programme
StepOptions where_changed();      // for long operations: not even then
StepOptions waiting_for_lock();   // the same, as long as it takes to spin, and to sleep twice
StepOptions every_instruction();  // for short ones: always

// Each of these runs a scene, checks what came out, and adds it to the sums.
void kill_everywhere(const std::string& name, const SceneFactory& make, const Floors& floors,
                     const StepOptions& options = thorough());
void kill_repairers(const std::string& name, const SceneFactory& make, const Floors& floors,
                    const StepOptions& options = where_changed());

template <class S>
void kill_everywhere(const std::string& name, const Floors& floors,
                     const StepOptions& options = thorough()) {
  kill_everywhere(name, std::make_unique<S>, floors, options);
}
// In the full programme only: what is long, or much like another scene.
template <class S>
void kill_in_full_programme(const std::string& name, const Floors& floors,
                            const StepOptions& options = thorough()) {
  if (full_programme()) kill_everywhere<S>(name, floors, options);
}
template <class S>
void kill_repairers(const std::string& name, const Floors& floors,
                    const StepOptions& options = where_changed()) {
  kill_repairers(name, std::make_unique<S>, floors, options);
}

// A segment that is quickly filled, examined and thrown away.
shoal::SegmentOptions small_segment(std::size_t max_processes = 8);

}  // namespace shoal_test
