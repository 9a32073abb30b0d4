// SPDX-License-Identifier: MIT
#pragma once

// One attempt of step-kill: a scene, victims killed at chosen points, and who survives them.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "support/child.hpp"
#include "support/shared.hpp"
#include "support/step_kill.hpp"
#include "support/trace.hpp"
#include "support/tracee.hpp"

namespace shoal_test {

enum class Act { operate, repair };

// Where a victim was when it was killed.
struct Killed {
  std::uintptr_t where = 0;  // 0: asleep in the kernel, or ended by itself
  std::uint64_t state = 0;   // of the scene
  bool stray = false;        // through too early, or not at all
};

struct Verdict {
  enum class Kind { fine, hang, wrong } kind = Kind::fine;
  std::string text;
};

class Attempt {
 public:
  Attempt(const SceneFactory& make, const StepOptions& options)
      : options_(options), scene_(make()) {}

  Trace record(Act act);  // a victim walks through to the end, and is killed there
  Killed kill(Act act, const Trace& trace, std::size_t stop);
  Verdict survive();
  const Fate& fate() const { return fate_; }

 private:
  enum class Phase : std::uint32_t { before, inside, after };

  Tracee victim(Act act);  // about to begin
  void perform(Act act);   // what the victim does
  void start_partners();
  bool take(Tracee& victim, const Trace& trace, std::size_t stop);  // is it stopped there?
  void bury(Act act, Tracee& victim);
  Verdict survivor();
  bool is(Phase phase) const { return *phase_ == phase; }

  StepOptions options_;
  std::unique_ptr<Scene> scene_;
  Shared<std::atomic<Phase>> phase_;
  std::vector<Child> partners_;
  Fate fate_;
  std::string victim_failed_;
};

}  // namespace shoal_test
