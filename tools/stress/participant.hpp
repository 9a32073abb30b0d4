// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "control.hpp"
#include "plan.hpp"
#include "random.hpp"
#include "shoal/detail/deadline.hpp"

namespace shoal::stress {

class Subject;

// What a subject's step() knows of the participant that does it; in that one's process.
class Participant {
 public:
  Participant(Control& control, const Plan& plan, unsigned index);

  [[nodiscard]] unsigned index() const { return index_; }
  [[nodiscard]] unsigned count() const { return plan_.processes; }
  [[nodiscard]] std::uint32_t life() const { return life_; }  // 1, 2, ...
  // How many steps it has done, in all of its lives.
  [[nodiscard]] std::uint64_t operations() const {
    return slot_.operations.load(std::memory_order_relaxed);
  }
  // The time is over. step() is not called again; one that loops should leave.
  [[nodiscard]] bool stopping() const { return control_.stop.load(std::memory_order_relaxed); }
  // That life is going to be killed, or has been: who finds what it left half done, knows why.
  [[nodiscard]] bool is_condemned(unsigned index, std::uint32_t life) const {
    return control_.is_condemned(index, life);
  }

  [[nodiscard]] std::uint64_t random() { return random_(); }

  // Here an interruption would hurt: what the plan injects, once in eight times.
  void pause() {
    if (plan_.inject != Inject::none && random_.below(8) == 0) inject();
  }

  // Calls wait(), measures how long that takes, and returns what it returns. At least once a step.
  template <class F>
  decltype(auto) timed(F&& wait) {
    const Timer timer(slot_);
    return std::forward<F>(wait)();
  }

  // The oracle has seen what must not be. The run ends; it is a failure.
  void fail(std::string_view what) { control_.fail(what, detail::steady_now()); }

  // The engine's: its life, from the fork to its end. Returns the exit status.
  int live(Subject& subject);

 private:
  // A participant that is killed in a wait leaves it unmeasured.
  class Timer {
   public:
    explicit Timer(Slot& slot) : slot_(slot), begun_(detail::steady_now()) {
      note_step(slot_, begun_);
    }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { slot_.waits.add(static_cast<std::uint64_t>(detail::steady_now() - begun_)); }

   private:
    Slot& slot_;
    const std::int64_t begun_;
  };

  static void note_step(Slot& slot, std::int64_t now);
  void await_go();
  void inject();

  Control& control_;
  const Plan& plan_;
  const unsigned index_;
  Slot& slot_;
  const std::uint32_t life_;
  Random random_;
};

inline void Participant::note_step(Slot& slot, std::int64_t now) {
  const std::int64_t before = slot.begun.load(std::memory_order_relaxed);
  slot.begun.store(now, std::memory_order_relaxed);
  if (before != 0 && now - before > slot.longest_step.load(std::memory_order_relaxed))
    slot.longest_step.store(now - before, std::memory_order_relaxed);
}

}  // namespace shoal::stress
