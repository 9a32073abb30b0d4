// SPDX-License-Identifier: MIT
#pragma once

// Step-kill: an operation is killed at every instruction, and the others must be able to go on.
//
//   struct Unlock : Scene {
//     TempName name;
//     shoal::Segment segment{name};
//     shoal::Lock lock{segment, "lock"};
//     void prepare() override { lock.lock(); }
//     void operate() override { lock.unlock(); }
//     std::string survive(const Fate& fate) override { ... return "" or what is wrong; }
//   };
//   const StepReport report = step_kill<Unlock>("lock.unlock");
//   CHECK(report.instructions > 10);
//   CHECK(report.hangs == 0);
//   CHECK(report.wrong == 0);
//
// For each point a scene is made and a victim forked, which runs so many instructions into
// operate(), is killed by SIGKILL and waited for. Then the survivor, another process, has to come
// to its end before the watchdog does: else that is a hang. What survive() complains of is wrong,
// and so is a survivor, partner or victim that crashes. The first failures are printed to stderr,
// with the place where the victim was.
//
// All this happens in a process of its own, the stage, where scenes are made and destroyed one
// after the other. What the victim is to tell the survivor goes through Shared members of the
// scene.
//
// A victim that sleeps in the kernel for longer than the watchdog's time is killed in its sleep,
// and its operation ends there.
//
// A victim's time is counted, not measured, where it looks at the processor's counter itself: each
// walk takes the same way.
//
// Limits: a system call is one step, so otherwise a victim is killed before or after it. Stops
// drain the store buffer, so nothing is learnt about memory order. The test program must be linked
// with -Wl,-z,now, else the first call of each function wanders through the dynamic linker.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/trace.hpp"

namespace shoal_test {

// What became of the victims, as far as they could say.
struct Fate {
  bool completed = false;  // operate() returned. If not, it may still have had its effect
  bool repaired = false;   // and so with repair()
};

// Members are called in this order. Only the constructor, state() and the destructor run in the
// stage: what others change outside of shared memory, the stage and the next process do not see.
class Scene {
 public:
  virtual ~Scene() = default;

  // In the victim. Should do once what operate() does, so that its pages are there.
  virtual void prepare() {}

  // Each runs in a process of its own, which is waited for to fall asleep before the next is
  // started. They must return true within the watchdog's time after the kill.
  virtual std::vector<std::function<bool()>> partners() { return {}; }

  virtual void approach() {}   // in the victim, while the partners sleep
  virtual void operate() = 0;  // in the victim: what is stepped

  // In the second victim of step_kill_repair: what is stepped once the first is dead.
  virtual void repair() {}

  virtual std::string survive(const Fate& fate) = 0;  // in the survivor: "" or what is wrong
  virtual std::uint64_t state() { return 0; }         // hash of what is shared: state_hash.hpp
};

using SceneFactory = std::function<std::unique_ptr<Scene>()>;

struct StepOptions {
  Points points = Points::every_instruction;
  std::chrono::milliseconds watchdog = std::chrono::seconds(1);  // times SHOAL_TEST_PATIENCE
  std::chrono::milliseconds deadline = std::chrono::minutes(5);  // of the stage; likewise
  std::size_t instructions = 200'000;  // an operation that is longer is cut there
  std::size_t failures = 20;           // give up after so many
  std::size_t stride = 1;              // step_kill_repair: only each nth point for the first kill
  // Its child would run into breakpoints, and die of looks at the counter (count_ticks() in
  // tracee.hpp): there are none then, and each instruction is stepped.
  bool forks = false;
};

struct StepReport {
  std::size_t instructions = 0;  // of the operation, killed at no point
  std::size_t changes = 0;       // of state() meanwhile
  std::size_t points = 0;        // kills followed by a survivor
  std::size_t completed = 0;     // of these, such that the operation had returned
  std::size_t strays = 0;        // such that the victim took another way than the first walk
  std::size_t states = 0;        // distinct values of state() when killed
  std::size_t hangs = 0;
  std::size_t wrong = 0;
  double seconds = 0;
};

// Prints one line, and throws std::runtime_error where the stage did not come to its end.
StepReport step_kill(const std::string& name, const SceneFactory& make, const StepOptions& = {});

// Killed while repairing. For each point of operate(), and then each point of repair(): the first
// victim is killed at the one, the second at the other, and a survivor must go on.
StepReport step_kill_repair(const std::string& name, const SceneFactory& make,
                            const StepOptions& = {});

template <class S>
StepReport step_kill(const std::string& name, const StepOptions& options = {}) {
  return step_kill(name, std::make_unique<S>, options);
}

template <class S>
StepReport step_kill_repair(const std::string& name, const StepOptions& options = {}) {
  return step_kill_repair(name, std::make_unique<S>, options);
}

}  // namespace shoal_test
