// SPDX-License-Identifier: MIT

// Who is in a segment, killed at every change while coming, going, forking, and burying the dead.
//
// Model. Afterwards the segment is sound (segment_model.hpp), and as many processes as it was made
// for can be in it at once. Each lock of a dead process is abandoned, by that process and no other.
// What only the dead had open has been given back.

#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "shoal/lock.hpp"
#include "shoal/segment.hpp"
#include "shoal/value.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_model.hpp"
#include "step_kill/segment_view.hpp"
#include "support/child.hpp"
#include "support/gate.hpp"
#include "support/patience.hpp"
#include "support/shared.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Lock;
using shoal::Segment;
using shoal::Value;

namespace {

constexpr std::size_t kPlaces = 4;

void make_segment(const TempName& name) {
  const Segment segment(name, small_segment(kPlaces));
  make_neighbour(segment, 0);
  Lock(segment, "lock");
  Lock(segment, "other");
  make_neighbour(segment, 1);
}

// Who is said to have died holding it; at once, or where somebody has yet to end, a little later.
pid_t told_by(const Lock& lock) {
  try {
    static_cast<void>(lock.try_lock_for(patient(250ms)));
  } catch (const shoal::OwnerDied& died) {
    return died.owner().pid;
  }
  return 0;
}

std::string told_of(const Segment& segment, const char* name, pid_t expected) {
  const Lock lock(segment, name, shoal::Open::existing);
  try {
    lock.unlock();
    return std::string(name) + ": unlocked by one who does not hold it";
  } catch (const shoal::NotOwner&) {
  }
  if (const pid_t pid = told_by(lock); pid != expected)
    return std::string(name) + ": told of " + std::to_string(pid) + ", not " +
           std::to_string(expected);
  lock.recover([] {});
  return "";
}

// The stage takes no part in the segment: its victims come from outside.
struct RecordScene : Scene {
  TempName name;
  Gate leave;                   // who is in it beside the victim goes then
  std::optional<Segment> mine;  // the victim's

  RecordScene() { make_segment(name); }
  explicit RecordScene(const SegmentImage& image) { image.write_to(name); }

  std::uint64_t state() override { return SegmentView(name.path()).hash(); }
  void operate() override { mine.emplace(name); }
  void repair() override { operate(); }

  std::string survive(const Fate&) override {
    leave.open();
    const Segment segment(name, shoal::Open::existing);
    if (const std::string wrong = look_at(segment); !wrong.empty()) return wrong;
    if (const std::string wrong = check_places(segment, kPlaces - 1); !wrong.empty()) return wrong;
    return check_segment(segment);
  }
  virtual std::string look_at(const Segment&) { return ""; }
};

// The first to come, into a record that somebody has left.
struct Attach : RecordScene {};

// While others are in it: into one that has never been used.
struct AttachBeside : RecordScene {
  std::vector<std::function<bool()>> partners() override {
    return {[this] {
      const Segment segment(name);
      const Lock lock(segment, "lock");
      lock.lock();
      while (!leave.is_open()) std::this_thread::sleep_for(200us);
      lock.unlock();
      return true;
    }};
  }
  std::string survive(const Fate& fate) override {
    {
      const Segment segment(name, shoal::Open::existing);
      const Lock lock(segment, "lock");
      if (lock.try_lock()) return "the other one's lock was free";
      leave.open();
      lock.lock();
      lock.unlock();
    }
    return RecordScene::survive(fate);
  }
};

// The last to go, with objects open, one of which has no name any more.
struct Detach : RecordScene {
  std::optional<Lock> lock;
  std::optional<Value<Bytes<600>>> erased;
  Detach() {
    const Segment segment(name);
    Value<Bytes<600>>(segment, "erased", filled<600>(7));
  }
  void prepare() override {
    mine.emplace(name);
    lock.emplace(*mine, "lock");
    erased.emplace(*mine, "erased", shoal::Open::existing);
    mine->erase("erased");
  }
  void operate() override {
    lock.reset();
    erased.reset();
    mine.reset();
  }
};

// Goes with a lock held: it does not go, and when it dies the others are told.
struct DetachHolding : RecordScene {
  SharedCounter victim;
  void prepare() override {
    mine.emplace(name);
    *victim = ::getpid();
    Lock(*mine, "lock").lock();
    Lock(*mine, "other").lock();
  }
  void operate() override { mine.reset(); }
  std::string look_at(const Segment& segment) override {
    if (const auto wrong = told_of(segment, "lock", static_cast<pid_t>(*victim)); !wrong.empty())
      return wrong;
    return told_of(segment, "other", static_cast<pid_t>(*victim));
  }
};

// Forks, holding a lock, with an erased object open. The child ends at once, or lives until the
// survivor has found that the lock is nobody's: its parent's death must not wait for it.
struct Fork : Detach {
  SharedCounter victim;
  SharedCounter spoiled;  // children whose open object has changed
  std::optional<Lock> held;
  void prepare() override {
    Detach::prepare();
    *victim = ::getpid();
    held.emplace(*mine, "other");
    held->lock();
  }
  void operate() override {
    if (::fork() == 0) in_child();
  }
  [[noreturn]] virtual void in_child() { ::_exit(0); }
  std::string survive(const Fate&) override {
    const Segment segment(name, shoal::Open::existing);
    if (const auto wrong = told_of(segment, "other", static_cast<pid_t>(*victim)); !wrong.empty())
      return wrong;
    static_cast<void>(segment.used());  // buries the parent
    Value<Bytes<600>>(segment, "new", filled<600>(8));
    leave.open();
    if (const std::string wrong = check_places(segment, kPlaces - 1); !wrong.empty()) return wrong;
    if (*spoiled != 0) return "what the child had open was given away";
    return check_segment(segment);
  }
};

struct ForkAndLive : Fork {
  explicit ForkAndLive(const SharedCounter& count) : lived(count) {}
  const SharedCounter& lived;
  [[noreturn]] void in_child() override {
    ++*lived;
    for (int i = 0; i < 10'000 && !leave.is_open(); ++i) std::this_thread::sleep_for(200us);
    if (erased->load() != filled<600>(7)) ++*spoiled;
    ::_exit(0);
  }
};

// A table full of the dead. One held a lock; one another, and had an object open that has been
// erased since; one was killed inside update(); one held nothing.
struct Dead {
  pid_t pids[kPlaces];
  SegmentImage image;
};

template <class Body>
pid_t add_dead(const TempName& name, Body body) {
  const Gate ready;
  Child child([&] {
    const Segment segment(name);
    body(segment, ready);
    ready.open();
    return sleep_forever();
  });
  ready.wait();
  child.kill();
  return child.pid();
}

const Dead& the_dead() {
  static const Dead dead = [] {
    const TempName name;
    make_segment(name);
    { Value<Bytes<100>>(Segment(name), "value", filled<100>(3)); }
    { Value<Bytes<600>>(Segment(name), "erased", filled<600>(7)); }
    const auto holds_lock = [](const Segment& segment, const Gate&) {
      Lock(segment, "lock").lock();
    };
    const auto holds_other = [](const Segment& segment, const Gate& ready) {
      const Value<Bytes<600>> erased(segment, "erased", shoal::Open::existing);
      segment.erase("erased");
      Lock(segment, "other").lock();
      ready.open();
      sleep_forever();
    };
    const auto updates = [](const Segment& segment, const Gate& ready) {
      const Value<Bytes<100>> value(segment, "value", shoal::Open::existing);
      value.get_lock().lock();
      value.update([&](Bytes<100>& bytes) {
        bytes = filled<100>(4);
        ready.open();
        sleep_forever();
      });
    };
    const auto nothing = [](const Segment&, const Gate&) {};
    const pid_t pids[] = {add_dead(name, holds_lock), add_dead(name, holds_other),
                          add_dead(name, updates), add_dead(name, nothing)};
    return Dead{{pids[0], pids[1], pids[2], pids[3]}, SegmentImage(name)};
  }();
  return dead;
}

struct Burial : RecordScene {
  Burial() : RecordScene(the_dead().image) {}
  std::string look_at(const Segment& segment) override {
    if (const auto wrong = told_of(segment, "lock", the_dead().pids[0]); !wrong.empty())
      return wrong;
    if (const auto wrong = told_of(segment, "other", the_dead().pids[1]); !wrong.empty())
      return wrong;
    const Value<Bytes<100>> value(segment, "value", shoal::Open::existing);
    if (const pid_t pid = told_by(value.get_lock()); pid != the_dead().pids[2])
      return "value: told of " + std::to_string(pid);
    value.get_lock().recover([] {});
    if (value.load() != filled<100>(3)) return "half an update";
    value.update([](Bytes<100>& bytes) { bytes = filled<100>(5); });
    return value.load() == filled<100>(5) ? "" : "not updated";
  }
};

// used() buries, too.
struct BurialByUsed : Burial {
  void operate() override {
    const Segment segment(name);
    static_cast<void>(segment.used());
  }
};

// Whose child lives.
StepOptions forking() {
  StepOptions options = where_changed();
  options.forks = true;
  return options;
}

StepOptions each_nth(std::size_t stride, std::size_t stride_in_full) {
  StepOptions options = where_changed();
  options.stride = full_programme() ? stride_in_full : stride;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: process record");

TEST_CASE("killed while attaching") {
  kill_everywhere<Attach>("attach, into a record that was used", {2000, 25, 3}, where_changed());
  kill_everywhere<AttachBeside>("attach, beside another", {2000, 30, 4}, where_changed());
}

TEST_CASE("killed while detaching") {
  kill_everywhere<Detach>("detach", {1000, 16, 5}, where_changed());
  kill_everywhere<DetachHolding>("detach, holding locks", {10, 2, 1}, where_changed());
}

TEST_CASE("killed while forking") {
  kill_everywhere<Fork>("fork, holding a lock", {1000, 30, 5}, where_changed());
  const SharedCounter lived;
  kill_everywhere(
      "fork, holding a lock, the child lives",
      [&lived] { return std::make_unique<ForkAndLive>(lived); }, {1000, 30, 5}, forking());
  CHECK(*lived >= 5);  // else the last test has tested nothing
}

TEST_CASE("killed while burying the dead") {
  kill_everywhere<Burial>("burial", {4000, 130, 35}, where_changed());
  kill_everywhere<BurialByUsed>("burial, by used()", {4000, 130, 35}, where_changed());
}

TEST_CASE("killed while burying who was killed while burying") {
  kill_repairers<Burial>("burial, twice", {4000, 150, 35}, each_nth(50, 6));
}

TEST_SUITE_END();
