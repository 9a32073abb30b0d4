// SPDX-License-Identifier: MIT

// An Event, its users killed at every instruction.
//
// Model. It is set or not: as the victim's call was to leave it, where that had returned; else so or
// as before. It stays like that, and can be set and cleared afterwards. Who slept when the victim
// began goes on by itself where the victim has set it, even if it was cleared again; else when the
// survivor sets it. Who is killed waiting changes nothing.

#include "shoal/event.hpp"

#include <doctest/doctest.h>
#include <sched.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "shoal/detail/event_word.hpp"
#include "shoal/segment.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_view.hpp"
#include "step_kill/waiters.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Event;
using shoal::Segment;

namespace {

struct EventScene : Scene {
  TempName name;
  Segment segment{name, small_segment()};
  Event event{segment, "event"};
  SharedCounter begun, woken;  // partners
  std::uint32_t at_start = 0;  // its number: odd where it is set
  std::uint32_t at_kill = 0;   // the same
  bool sets = false;           // Has the operation set it, at least for a while, when it returns?
  bool ends_set = false;       // Is it set then?

  std::uint32_t number() const {
    return SegmentView(name.path()).words<shoal::detail::EventWord>("event")->state.load();
  }
  void begin(bool set) {
    if (set) event.set();
    at_start = number();
    ends_set = set;
  }
  std::uint64_t state() override {
    at_kill = number();
    return SegmentView(name.path()).hash();
  }

  std::function<bool()> waiter() {
    return [this] {
      ++*begun;
      event.wait();
      ++*woken;
      return true;
    };
  }

  std::string survive(const Fate& fate) override {
    const bool set = at_kill % 2 != 0;
    if (fate.completed && set != ends_set) return ends_set ? "done, not set" : "done, and set";
    if (event.is_set() != set || event.wait_for(0s) != set) return "changed by nobody";
    // Whoever slept is waited for: where it does not come, this hangs.
    if (at_kill != at_start && sets)
      wait_for_partners();
    else if (!set && *woken != 0)
      return "woken by nobody";
    if (sets && fate.completed && at_kill == at_start && at_start % 2 == 0) return "done, not set";
    event.set();
    wait_for_partners();
    return check_use();
  }
  void wait_for_partners() const {
    while (*woken < *begun) ::sched_yield();
  }
  std::string check_use() const {
    if (!event.is_set() || !event.wait_for(0s)) return "not set by the survivor";
    event.wait();
    event.clear();
    if (event.is_set() || event.wait_for(1us)) return "not cleared by the survivor";
    if (event.waiting() > *begun) return "the dead wait";
    return "";
  }
};

template <bool set_before>
struct Set : EventScene {
  Set() {
    begin(set_before);
    ends_set = sets = true;
  }
  void operate() override { event.set(); }
};

template <bool set_before>
struct Clear : EventScene {
  Clear() {
    begin(set_before);
    ends_set = false;
  }
  void operate() override { event.clear(); }
};

template <int sleepers>
struct SetAwaited : Set<false> {
  std::vector<std::function<bool()>> partners() override {
    return std::vector<std::function<bool()>>(sleepers, waiter());
  }
};

struct PulseAwaited : SetAwaited<2> {
  PulseAwaited() { ends_set = false; }
  void operate() override {
    event.set();
    event.clear();
  }
};

struct LookAtSet : EventScene {
  LookAtSet() { begin(true); }
  void operate() override {
    event.wait();
    if (!event.is_set() || event.waiting() != 0) throw std::logic_error("not set");
  }
};

struct WaitForNotSet : EventScene {
  WaitForNotSet() { begin(false); }
  void operate() override {
    if (event.wait_for(3ms)) throw std::logic_error("set");
  }
};

// Waits, as another does, until it is dead.
struct WaitWithAnother : EventScene {
  WaitWithAnother() { begin(false); }
  std::vector<std::function<bool()>> partners() override { return {waiter()}; }
  void operate() override { event.wait(); }
};

// Waits, as another does; then it is set.
struct WaitUntilSet : EventScene {
  Gate set_now;
  WaitUntilSet() {
    begin(false);
    sets = true;
  }
  std::vector<std::function<bool()>> partners() override {
    return {waiter(), [this] {
              while (!set_now.is_open() && event.waiting() < 2) std::this_thread::sleep_for(200us);
              event.set();
              return true;
            }};
  }
  void operate() override { event.wait(); }
  std::string survive(const Fate&) override {
    set_now.open();
    wait_for_partners();
    event.wait();
    return check_use();
  }
};

// Long enough to spin, and to sleep a few times.
StepOptions waiting() {
  StepOptions options = where_changed();
  options.instructions = 2600;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: event");

TEST_CASE("event: killed while setting or clearing it: it is set, or not") {
  kill_everywhere<Set<false>>("event.set", {5, 5, 2}, every_instruction());
  kill_everywhere<Set<true>>("event.set, set already", {5, 5, 1}, every_instruction());
  kill_everywhere<Clear<true>>("event.clear", {3, 3, 2}, every_instruction());
  kill_everywhere<Clear<false>>("event.clear, not set", {3, 3, 1}, every_instruction());
  kill_everywhere<LookAtSet>("event.wait, is_set, waiting, set", {10, 2, 1});
}

TEST_CASE("event: killed while setting what others wait for: they go on where it was set") {
  kill_everywhere<SetAwaited<1>>("event.set, awaited", {15, 5, 2}, every_instruction());
  kill_everywhere<SetAwaited<3>>("event.set, awaited by three", {15, 5, 2});
  kill_everywhere<PulseAwaited>("event.set, clear, awaited by two", {25, 10, 3},
                                every_instruction());
}

TEST_CASE("event: killed while waiting: nothing has changed") {
  kill_everywhere<WaitForNotSet>("event.wait_for, not set",
                                 {.instructions = 1000, .points = 30, .states = 3, .strays = true},
                                 where_changed());
  kill_in_full_programme<WaitWithAnother>("event.wait, with another", {1000, 25, 3}, waiting());
  kill_everywhere<WaitUntilSet>("event.wait, with another, then it is set",
                                {.instructions = 500, .points = 30, .states = 4, .strays = true},
                                where_changed());
}

TEST_CASE("event: killed or stopped while waiting for it, the others go on") {
  const Segment segment = Segment::anonymous();
  const Event event(segment, "event");
  const auto wait = [&] { event.wait(); };
  kill_a_waiter(wait, [&] { event.set(); });
  event.clear();
  stop_a_waiter(
      wait, [&] { event.set(); }, [] {});
  CHECK(event.waiting() == 0);
}

TEST_SUITE_END();
