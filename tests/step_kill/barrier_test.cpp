// SPDX-License-Identifier: MIT

// A Barrier, its parties killed at every instruction.
//
// Model. When the victim is dead, the barrier's words are looked up.
//
//   the round has gone            who waited passes, or is told, as it ended
//   it is broken, or a dead one   who waited is told, and who comes; broken() is true, until reset()
//   is inside
//   neither                       the victim was never there: the others meet without it
//
// Who has noted that it comes, and has not arrived, is inside. One kill tells all or none of a round.
// After that the barrier works, round after round: each index is returned once in each.

#include "shoal/barrier.hpp"

#include <doctest/doctest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/barrier.hpp"
#include "kinds.hpp"
#include "shoal/segment.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_view.hpp"
#include "step_kill/waiters.hpp"
#include "support/child.hpp"
#include "support/expect.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"
#include "support/waiting.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Barrier;
using shoal::BrokenBarrier;
using shoal::Segment;
using shoal::core::BarrierState;
using shoal::detail::BarrierWord;

namespace {

bool passes(const Barrier& barrier) {
  try {
    barrier.arrive_and_wait();
  } catch (const BrokenBarrier&) {
    return false;
  }
  return true;
}

// So many threads arrive; how many pass. "" or what is wrong with their indexes.
std::string check_rounds(const Barrier& barrier) {
  const auto parties = static_cast<std::size_t>(barrier.parties());
  std::vector<std::atomic<int>> seen(parties);
  std::atomic<bool> told = false;
  const auto arrive_twice = [&] {
    try {
      for (int round = 0; round < 2; ++round)
        ++seen[static_cast<std::size_t>(barrier.arrive_and_wait())];
    } catch (const BrokenBarrier&) {
      told = true;
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < parties; ++i) threads.emplace_back(arrive_twice);
  arrive_twice();
  for (std::thread& thread : threads) thread.join();
  if (told) return "broken, and nobody died in it";
  for (const auto& times : seen)
    if (times != 2) return "an index " + std::to_string(times) + " times in two rounds";
  return barrier.broken() || barrier.waiting() != 0 ? "somebody left in it" : "";
}

struct BarrierScene : Scene {
  TempName name;
  Segment segment;
  Barrier barrier;
  SharedCounter begun, passed, told;  // partners
  Shared<std::array<std::atomic<pid_t>, 4>> live;
  BarrierState at_start;
  BarrierState at_kill{0};
  bool dead_inside = false;  // at the kill, the victim included

  // Once the operation has returned.
  enum class Ends { as_before, passed, broken, reset } ends = Ends::as_before;

  explicit BarrierScene(int parties)
      : segment(name, small_segment()), barrier(segment, "barrier", parties), at_start(look()) {}
  explicit BarrierScene(const SegmentImage& image)
      : segment((image.write_to(name), name)), barrier(segment, "barrier"), at_start(look()) {}

  BarrierState look() const {
    return BarrierState(SegmentView(name.path()).words<BarrierWord>("barrier")->state.load());
  }
  std::uint64_t state() override {
    const SegmentView view(name.path());
    auto* const word = view.words<BarrierWord>("barrier");
    at_kill = BarrierState(word->state.load());
    dead_inside = false;
    for (const auto& mark : barrier_marks(*word, view.tables().header().max_processes))
      dead_inside |= mark.round.load() == at_kill.round() + std::uint64_t{1} &&
                     !is_partner(view.pid_of(mark.owner.load()));
    return view.hash();
  }
  bool is_partner(pid_t pid) const {
    for (const auto& partner : *live)
      if (partner == pid) return true;
    return false;
  }

  std::function<bool()> party() {
    return [this] {
      arrive_as_partner();
      return true;
    };
  }
  void arrive_as_partner() const {
    (*live)[static_cast<std::size_t>((*begun)++)] = ::getpid();
    ++*(passes(barrier) ? passed : told);
  }
  void repair() override { passes(barrier); }

  std::string survive(const Fate& fate) override {
    if (const std::string wrong = compare_end(fate); !wrong.empty()) return wrong;
    std::string wrong = at_kill.round() != at_start.round() ? find_gone()
                        : at_kill.broken() || dead_inside   ? find_broken()
                                                            : find_whole();
    if (barrier.broken()) barrier.reset();
    return wrong.empty() ? check_rounds(barrier) : wrong;
  }

  std::string compare_end(const Fate& fate) const {
    if (fate.repaired && !at_kill.broken()) return "a dead one inside, and not broken";
    if (!fate.completed || fate.repaired) return "";
    const bool gone = at_kill.round() != at_start.round();
    switch (ends) {
      case Ends::as_before:
        return at_kill.word() == at_start.word() ? "" : "changed by who should not";
      case Ends::passed:
        return gone && at_kill.has_completed(at_start.round()) ? "" : "done, and not passed";
      case Ends::broken:
        return !gone && at_kill.broken() ? "" : "done, and not broken";
      case Ends::reset:
        return gone && !at_kill.has_completed(at_start.round()) ? "" : "done, and not reset";
    }
    return "";
  }

  std::string find_gone() const {
    const bool completed = at_kill.has_completed(at_start.round());
    wait_for_partners();
    if (*(completed ? passed : told) != *begun) return "the round ended otherwise for a partner";
    return barrier.broken() ? "broken in the next round" : "";
  }

  std::string find_broken() const {
    wait_for_partners();
    if (*told != *begun) return "a partner passed a barrier that a dead one was in";
    const bool nobody_arrived = at_kill.arrived() == 0 && !at_kill.broken();
    if (nobody_arrived && barrier.parties() == 1) return "";
    if (passes(barrier)) return "who came passed a barrier that a dead one was in";
    if (!barrier.broken()) return "a dead one inside, and not broken";
    return throws<BrokenBarrier>([&] { barrier.arrive_and_wait_for(0s); }) ? "" : "not told twice";
  }

  std::string find_whole() const {
    if (*passed + *told != 0) return "a partner has left";
    std::vector<std::thread> others;
    std::atomic<int> survivors_told = 0;
    for (auto missing = barrier.parties() - *begun; missing > 0; --missing)
      others.emplace_back([&] { survivors_told += !passes(barrier); });
    for (std::thread& other : others) other.join();
    wait_for_partners();
    return survivors_told == 0 && *told == 0 ? "" : "broken by one who was not in it";
  }

  void wait_for_partners() const {
    while (*passed + *told < *begun) ::sched_yield();
  }
};

// What processes have left that were killed inside, found out by nobody yet, or when they were
// buried.
SegmentImage make_dead_inside(int parties, bool buried) {
  const TempName name;
  const Segment segment(name, small_segment());
  const Barrier barrier(segment, "barrier", parties);
  Child victim([&] { barrier.arrive_and_wait(); });
  await_waiting(barrier, 1);
  victim.kill();
  if (buried) static_cast<void>(segment.used());
  return SegmentImage(name);
}
template <int parties>
const SegmentImage& dead_inside_of() {
  static const SegmentImage image = make_dead_inside(parties, false);
  return image;
}
const SegmentImage& buried_inside() {
  static const SegmentImage image = make_dead_inside(2, true);
  return image;
}

template <int parties, int partners_inside = 0>
struct BarrierFor : BarrierScene {
  BarrierFor() : BarrierScene(parties) {}
  std::vector<std::function<bool()>> partners() override {
    return std::vector<std::function<bool()>>(partners_inside, party());
  }
};

template <int parties, int partners_inside>
struct Arrive : BarrierFor<parties, partners_inside> {
  Arrive() { this->ends = BarrierScene::Ends::passed; }
  void operate() override { this->barrier.arrive_and_wait(); }
};

struct ArriveAndAct : BarrierFor<2, 1> {
  SharedCounter actions;
  ArriveAndAct() { ends = Ends::passed; }
  void operate() override {
    barrier.arrive_and_wait([this] {
      for (int i = 0; i < 3; ++i) ++*actions;
    });
  }
  std::string survive(const Fate& fate) override {
    const std::string wrong = BarrierScene::survive(fate);
    if (wrong.empty() && *passed != 0 && *actions < 3 && at_kill.round() != at_start.round())
      return "let go before the action";
    return wrong;
  }
};

struct ActionThrows : BarrierFor<2, 1> {
  ActionThrows() { ends = Ends::broken; }
  void operate() override {
    try {
      barrier.arrive_and_wait([] { throw 1; });
    } catch (int) {
    }
  }
};

struct ArriveInTime : BarrierFor<2, 1> {
  ArriveInTime() { ends = Ends::passed; }
  void operate() override { barrier.arrive_and_wait_for(1h); }
};

struct ArriveTimesOut : BarrierFor<3, 1> {
  ArriveTimesOut() { ends = Ends::broken; }
  void operate() override {
    try {
      barrier.arrive_and_wait_for(3ms);
    } catch (const BrokenBarrier&) {
    }
  }
};

// It waits; then the other one comes, and both leave.
struct ArriveFirstAndLeave : BarrierFor<2> {
  Gate come;
  std::vector<std::function<bool()>> partners() override {
    return {[this] {
      const SegmentView view(name.path());
      const auto& sleepers = view.words<BarrierWord>("barrier")->sleepers;
      while (!come.is_open() && (sleepers & shoal::detail::kSomebodySleeps) == 0)
        std::this_thread::sleep_for(200us);
      arrive_as_partner();
      return true;
    }};
  }
  void operate() override { barrier.arrive_and_wait(); }
  std::string survive(const Fate& fate) override {
    const bool was_there = dead_inside || at_kill.round() != at_start.round();
    come.open();
    while (*begun == 0) ::sched_yield();
    if (!was_there && !passes(barrier)) return "broken by one who was not in it";
    wait_for_partners();
    if ((!was_there || fate.completed) && *passed == 0) return "passed for one of two only";
    if (barrier.broken() != (*told != 0)) return "broken, and a partner passed";
    if (barrier.broken()) barrier.reset();
    return check_rounds(barrier);
  }
};

template <int partners_inside>
struct Abort : BarrierFor<3, partners_inside> {
  Abort() { this->ends = BarrierScene::Ends::broken; }
  void operate() override { this->barrier.abort(); }
};

template <int partners_inside>
struct Reset : BarrierFor<3, partners_inside> {
  Reset() { this->ends = BarrierScene::Ends::reset; }
  void operate() override { this->barrier.reset(); }
};

struct BrokenScene : BarrierFor<2> {
  BrokenScene() {
    barrier.abort();
    at_start = look();
  }
};

struct ArriveBroken : BrokenScene {
  void operate() override {
    if (passes(barrier)) throw std::logic_error("passed");
  }
};

struct ResetBroken : BrokenScene {
  ResetBroken() { ends = Ends::reset; }
  void operate() override { barrier.reset(); }
};

struct LookAt : BarrierFor<2> {
  void operate() override {
    if (barrier.broken() || barrier.parties() != 2 || barrier.waiting() != 0)
      throw std::logic_error("not what it is");
  }
};

// Somebody has died inside, and nobody has noticed.

template <int parties>
struct ArriveAfterDeath : BarrierScene {
  ArriveAfterDeath() : BarrierScene(dead_inside_of<parties>()) { ends = Ends::broken; }
  void operate() override {
    if (passes(barrier)) throw std::logic_error("passed");
  }
};

struct ResetAfterDeath : BarrierScene {
  ResetAfterDeath() : BarrierScene(dead_inside_of<3>()) { ends = Ends::reset; }
  void operate() override { barrier.reset(); }
};

struct AbortAfterDeath : BarrierScene {
  AbortAfterDeath() : BarrierScene(dead_inside_of<3>()) { ends = Ends::broken; }
  void operate() override { barrier.abort(); }
};

struct BuryTheDead : BarrierScene {
  BuryTheDead() : BarrierScene(dead_inside_of<3>()) { ends = Ends::broken; }
  void operate() override { static_cast<void>(segment.used()); }
};

struct ArriveAfterBurial : BarrierScene {
  ArriveAfterBurial() : BarrierScene(buried_inside()) {}
  void operate() override {
    if (passes(barrier)) throw std::logic_error("passed");
  }
};

// Killed while breaking it for the dead, and so is the next who does.
struct ArriveWithPartner : BarrierFor<3, 1> {
  void operate() override { passes(barrier); }
};

// Where an exception is thrown, which shares nothing.
StepOptions told() {
  StepOptions options = where_changed();
  options.instructions = 1500;
  return options;
}

// Long enough to spin, and to sleep once or twice.
StepOptions waiting() {
  StepOptions options = where_changed();
  options.instructions = 4000;
  return options;
}

StepOptions each_nth(std::size_t stride, std::size_t stride_in_full) {
  StepOptions options = waiting();
  options.instructions = 3600;
  options.stride = full_programme() ? stride_in_full : stride;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: barrier");

TEST_CASE("barrier: killed while arriving first, or in the middle: it breaks for the others") {
  kill_everywhere<Arrive<2, 0>>("barrier.arrive, first of two", {1000, 40, 5}, waiting());
  kill_everywhere<Arrive<3, 1>>("barrier.arrive, second of three", {1000, 40, 5}, waiting());
  kill_in_full_programme<ArriveTimesOut>(
      "barrier.arrive_for, second of three",
      {.instructions = 1000, .points = 40, .states = 6, .strays = true}, waiting());
}

TEST_CASE("barrier: killed while arriving last: all have passed, or all are told") {
  kill_everywhere<Arrive<1, 0>>("barrier.arrive, alone", {50, 8, 4});
  kill_everywhere<Arrive<2, 1>>("barrier.arrive, last of two", {50, 6, 4});
  kill_everywhere<Arrive<3, 2>>("barrier.arrive, last of three", {50, 6, 4});
  kill_everywhere<ArriveInTime>("barrier.arrive_for, last of two", {50, 6, 4});
  kill_everywhere<ArriveAndAct>("barrier.arrive(action), last of two", {50, 12, 5});
  kill_in_full_programme<ActionThrows>("barrier.arrive(action), which throws", {5000, 12, 5},
                                       where_changed());
}

TEST_CASE("barrier: killed while waiting, or leaving") {
  kill_everywhere<ArriveFirstAndLeave>(
      "barrier.arrive, first of two, and the other comes",
      {.instructions = 300, .points = 40, .states = 5, .strays = true}, waiting());
}

TEST_CASE("barrier: killed while breaking or mending it") {
  kill_everywhere<Abort<0>>("barrier.abort", {20, 4, 2});
  kill_everywhere<Abort<2>>("barrier.abort, two inside", {20, 4, 2});
  kill_everywhere<Reset<2>>("barrier.reset, two inside", {20, 4, 2});
  kill_everywhere<ResetBroken>("barrier.reset, broken", {20, 4, 2});
  kill_everywhere<ArriveBroken>("barrier.arrive, broken",
                                {.instructions = 1000, .points = 2, .states = 1, .strays = true},
                                told());
  kill_everywhere<LookAt>("barrier.broken, parties, waiting", {20, 2, 1});
}

TEST_CASE("barrier: killed while finding out that somebody has died inside") {
  kill_everywhere<ArriveAfterDeath<2>>("barrier.arrive, last of two, the first is dead",
                                       {200, 9, 4}, waiting());
  kill_everywhere<ArriveAfterDeath<3>>("barrier.arrive, second of three, the first is dead",
                                       {2000, 50, 6}, waiting());
  kill_everywhere<ResetAfterDeath>("barrier.reset, one dead inside", {20, 4, 2});
  kill_everywhere<AbortAfterDeath>("barrier.abort, one dead inside", {20, 4, 2});
  kill_everywhere<BuryTheDead>("bury one dead in a barrier", {200, 20, 6}, where_changed());
  kill_everywhere<ArriveAfterBurial>(
      "barrier.arrive, one buried inside",
      {.instructions = 1000, .points = 2, .states = 1, .strays = true}, told());
}

TEST_CASE("barrier: killed while breaking it for one who was killed") {
  kill_repairers<Arrive<3, 0>>("barrier.arrive, first, then second of three", {1000, 50, 5},
                               each_nth(100, 10));
  kill_repairers<ArriveAfterDeath<3>>("barrier.arrive, the first is dead, twice", {1000, 50, 5},
                                      each_nth(120, 16));
}

TEST_CASE("barrier: killed while waiting inside, the others are told; stopped, they are not") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "barrier", 4);
  const auto told = [&] { return !passes(barrier); };
  kill_a_waiter(told, [] {});
  CHECK(barrier.broken());
  barrier.reset();
  stop_a_waiter([&] { barrier.arrive_and_wait(); }, [&] { barrier.arrive_and_wait(); }, [] {});
  CHECK_FALSE(barrier.broken());
}

TEST_SUITE_END();
