// SPDX-License-Identifier: MIT

// A Condition, its waiters and notifiers killed at every instruction.
//
// Model. A notifier has notified none up to as many as it was to; as many, where its call had
// returned. Those go on by themselves, and nobody else does. A notify that a killed waiter had been
// given, and had not returned with, reaches another one; so does one whose waiter cannot have the
// lock back. A killed waiter changes nothing else. The others can wait and be notified afterwards,
// and the lock is what it is after any death: lock_test.cpp.

#include "shoal/condition.hpp"

#include <doctest/doctest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/waiter.hpp"
#include "shoal/lock.hpp"
#include "shoal/rlock.hpp"
#include "shoal/segment.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_view.hpp"
#include "step_kill/waiters.hpp"
#include "support/child.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"
#include "support/waiting.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Condition;
using shoal::Lock;
using shoal::RLock;
using shoal::Segment;
using shoal::core::Turn;

namespace {

// The lock, held, whoever has died holding it.
template <class L>
std::unique_lock<const L> hold(const L& lock) {
  try {
    return std::unique_lock<const L>(lock);
  } catch (const shoal::OwnerDied&) {
    return lock.recover();
  }
}

template <class L>
struct BasicConditionScene : Scene {
  TempName name;
  Segment segment;
  L lock;
  Condition condition;
  SharedCounter begun, woken;  // partners
  SharedCounter notified;      // notifies that a partner has begun
  SharedCounter victim;
  Gate go;                   // the victim is dead
  bool victim_idle = false;  // at the kill: it did not wait, or did not any more
  int left = 0;           // at the kill: notifies that somebody was given and has not returned with
  bool consumed = false;  // at the kill: one, by the victim

  BasicConditionScene()
      : segment(name, small_segment()), lock(segment, "lock"), condition(segment, "c") {}
  explicit BasicConditionScene(const SegmentImage& image)
      : segment((image.write_to(name), name)), lock(segment, "lock"), condition(segment, "c") {}

  std::uint64_t state() override {
    const SegmentView view(name.path());
    victim_idle = true;
    left = 0;
    for (const auto& waiter : view.tables().waiters()) {
      const Turn turn = shoal::core::turn_of(waiter.turn.load());
      left += turn == Turn::notified || turn == Turn::passing;
      if (turn != Turn::idle && view.pid_of(waiter.owner.load()) == *victim) victim_idle = false;
    }
    consumed = victim_idle && *notified > 0;
    return view.hash();
  }
  void prepare() override { *victim = ::getpid(); }

  void wait_once() const {
    auto held = hold(lock);
    try {
      condition.wait(held);
    } catch (const shoal::OwnerDied&) {  // and then its notify has been passed on
      held = lock.recover();
    }
  }
  std::function<bool()> waiter() {
    return [this] {
      ++*begun;
      wait_once();
      ++*woken;
      return true;
    };
  }

  std::string check_use() const {
    while (*woken < *begun) ::sched_yield();
    auto held = hold(lock);
    if (condition.wait_for(held, 1us)) return "a notify from nowhere";
    if (condition.waiting() != 0) return "the dead wait";
    std::thread notifier([this] {
      await_waiting(condition, 1);
      const auto theirs = hold(lock);
      condition.notify_one();
    });
    condition.wait(held);
    held.unlock();
    notifier.join();
    return lock.is_locked() ? "the lock is not free" : "";
  }
};
using ConditionScene = BasicConditionScene<Lock>;

// Notifiers.

template <int n, int sleepers>
struct NotifyScene : ConditionScene {
  using ConditionScene::ConditionScene;
  std::vector<std::function<bool()>> partners() override {
    return std::vector<std::function<bool()>>(sleepers, waiter());
  }
  void approach() override { await_waiting(condition, sleepers); }
  void operate() override { condition.notify(n); }

  std::string survive(const Fate& fate) override {
    const int given = sleepers - condition.waiting();
    const int most = std::min(n, sleepers);
    if (given > most || (fate.completed && given < most))
      return std::to_string(given) + " notified, not " + std::to_string(most);
    while (*woken < given) ::sched_yield();
    if (*woken > given || condition.waiting() != sleepers - given) return "woken by nobody";
    condition.notify_all();
    return check_use();
  }
};

// Under the lock: where the victim dies holding it, all who are woken are told.
struct NotifyHolding : NotifyScene<1, 2> {
  void operate() override {
    const std::scoped_lock held(lock);
    condition.notify_one();
  }
  std::string survive(const Fate& fate) override {
    while (*woken < 2 - condition.waiting()) ::sched_yield();
    if (fate.completed && *woken != 1) return std::to_string(*woken) + " woken, not 1";
    condition.notify_all();
    return check_use();
  }
};

// What a waiter has left that was killed waiting, or when it had been notified.
SegmentImage make_dead_waiter(bool notified) {
  const TempName name;
  const Segment segment(name, small_segment());
  const Lock lock(segment, "lock");
  const Condition condition(segment, "c");
  Child waiter([&] {
    std::unique_lock held(lock);
    condition.wait(held);
  });
  await_waiting(condition, 1);
  waiter.wait_until_asleep();
  waiter.stop();
  if (notified) condition.notify_one();
  waiter.kill();
  return SegmentImage(name);
}
const SegmentImage& dead_waiter() {
  static const SegmentImage image = make_dead_waiter(false);
  return image;
}
const SegmentImage& dead_notified() {
  static const SegmentImage image = make_dead_waiter(true);
  return image;
}

// One has died waiting, one waits: the notify is for that one.
struct NotifyPastTheDead : NotifyScene<1, 1> {
  NotifyPastTheDead() : NotifyScene<1, 1>(dead_waiter()) {}
};

// Waiters.

// The victim waits, then a partner; then another notifies one, which is for the victim. Where the
// victim has not returned with it, it is for the partner.
template <class L>
struct WaitScene : BasicConditionScene<L> {
  std::vector<std::function<bool()>> partners() override {
    return {[this] {
              until([this] { return this->condition.waiting() > 0; });
              return this->waiter()();
            },
            [this] {
              until([this] { return this->condition.waiting() > 1 && sleeps(); });
              while (this->condition.waiting() == 0) std::this_thread::sleep_for(200us);
              notify();
              return true;
            }};
  }
  template <class Condition>
  void until(Condition come) const {
    while (!come() && !this->go.is_open()) std::this_thread::sleep_for(200us);
  }
  // Has the victim come to where it says that it sleeps?
  bool sleeps() const {
    const SegmentView view(this->name.path());
    for (const auto& waiter : view.tables().waiters())
      if (view.pid_of(waiter.owner.load()) == *this->victim)
        return (waiter.sleepers.load() & shoal::detail::kSomebodySleeps) != 0;
    return false;
  }
  virtual void notify() const {
    ++*this->notified;
    this->condition.notify_one();
  }

  void operate() override {
    std::unique_lock<const L> held(this->lock);
    this->condition.wait(held);
  }
  std::string survive(const Fate& fate) override {
    if (fate.completed && !this->consumed) return "returned with another's notify";
    this->go.open();
    if (this->consumed) {
      await_waiting(this->condition, 1);  // where the notify came twice, this hangs
      this->condition.notify_one();
    }
    while (*this->woken == 0) ::sched_yield();
    return this->check_use();
  }
};
struct WaitWithLock : WaitScene<Lock> {};
struct WaitWithRLock : WaitScene<RLock> {
  void operate() override {
    const std::scoped_lock outer(lock);
    WaitScene::operate();
  }
};

// Who notifies dies holding the lock: nobody can have it back, and all are told. The victim passes
// its notify on.
struct WaitForTheAbandoned : WaitScene<Lock> {
  void notify() const override {
    hold(lock).release();
    WaitScene::notify();
    ::_exit(0);
  }
  void operate() override {
    std::unique_lock held(lock);
    try {
      condition.wait(held);
    } catch (const shoal::OwnerDied&) {
    }
  }
  std::string survive(const Fate&) override {
    go.open();
    while (*woken == 0) ::sched_yield();
    if (!victim_idle) {  // killed when it had passed its notify on: one more may wake
      auto held = hold(lock);
      static_cast<void>(condition.wait_for(held, 5ms));
    }
    return check_use();
  }
};

struct WaitTimesOut : ConditionScene {
  void operate() override {
    std::unique_lock held(lock);
    if (condition.wait_for(held, 3ms)) throw std::logic_error("notified");
  }
  std::string survive(const Fate&) override { return check_use(); }
};

struct WaitForPredicate : WaitScene<Lock> {
  SharedCounter ready;
  void notify() const override {
    const auto held = hold(lock);
    ++*ready;
    WaitScene::notify();
  }
  void operate() override {
    std::unique_lock held(lock);
    condition.wait(held, [this] { return *ready != 0; });
  }
};

// Who was notified is dead: the victim takes that over, and where it does not return with it, the
// survivor does. It stands for a waiter whose slice ends then.
struct TakeOver : ConditionScene {
  bool is_used = false;  // a victim has left with it, also if that was not the last one

  TakeOver() : ConditionScene(dead_notified()) {}
  std::uint64_t state() override {
    const std::uint64_t hash = ConditionScene::state();
    is_used |= left == 0 && victim_idle;
    return hash;
  }
  void operate() override {
    auto held = hold(lock);
    condition.wait(held);
  }
  void repair() override {
    prepare();
    operate();
  }
  std::string survive(const Fate& fate) override {
    if (left == 0 && !fate.completed && !fate.repaired && !is_used) return "the notify is nobody's";
    if (fate.completed && !fate.repaired && left != 0) return "returned, and the notify is left";
    if (left > 0) wait_once();
    if (left > 1) {  // one more than was asked for, where its taker was killed
      auto held = hold(lock);
      static_cast<void>(condition.wait_for(held, 5ms));
    }
    return check_use();
  }
};

// Its notify is passed on to who waits, and nobody does: who waits next may get it or not, depending
// on who finishes the burial; and nobody after that.
struct BuryNotified : TakeOver {
  void operate() override { static_cast<void>(segment.used()); }
  std::string survive(const Fate&) override {
    {
      auto held = hold(lock);
      static_cast<void>(condition.wait_for(held, 5ms));
    }
    return check_use();
  }
};

struct LookAtWaiting : ConditionScene {
  LookAtWaiting() : ConditionScene(dead_waiter()) {}
  void operate() override {
    if (condition.waiting() != 0) throw std::logic_error("the dead wait");
  }
  std::string survive(const Fate&) override { return check_use(); }
};

// Long enough to spin, and to sleep a few times.
StepOptions waiting(std::size_t instructions) {
  StepOptions options = where_changed();
  options.instructions = instructions;
  return options;
}

StepOptions each_nth(std::size_t stride, std::size_t stride_in_full) {
  StepOptions options = waiting(3000);
  options.stride = full_programme() ? stride_in_full : stride;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: condition");

TEST_CASE("condition: killed while notifying: at most its own notifies are lost") {
  kill_everywhere<NotifyScene<1, 0>>("condition.notify_one, nobody", {40, 2, 1});
  kill_everywhere<NotifyScene<1, 2>>("condition.notify_one, two wait", {100, 8, 3});
  kill_everywhere<NotifyScene<2, 3>>("condition.notify(2), three wait", {150, 10, 4});
  kill_everywhere<NotifyScene<5, 3>>("condition.notify(5), three wait", {200, 12, 5});
  kill_everywhere<NotifyHolding>("condition.notify_one, two wait, holding the lock", {150, 12, 5});
  kill_everywhere<NotifyPastTheDead>("condition.notify_one, a dead one and a live one wait",
                                     {150, 10, 3});
  kill_everywhere<LookAtWaiting>("condition.waiting, a dead one", {40, 2, 1});
}

TEST_CASE("condition: killed while waiting: the notify reaches another one") {
  kill_everywhere<WaitWithLock>("condition.wait, notified",
                                {.instructions = 500, .points = 40, .states = 8, .strays = true},
                                waiting(4000));
  kill_in_full_programme<WaitWithRLock>(
      "condition.wait, RLock held twice, notified",
      {.instructions = 500, .points = 40, .states = 8, .strays = true}, waiting(4000));
  kill_in_full_programme<WaitForPredicate>(
      "condition.wait(predicate), notified",
      {.instructions = 500, .points = 40, .states = 8, .strays = true}, waiting(4000));
  kill_everywhere<WaitTimesOut>("condition.wait_for",
                                {.instructions = 1000, .points = 40, .states = 6, .strays = true},
                                where_changed());
}

TEST_CASE(
    "condition: killed while being told that the lock is abandoned: the notify is passed on") {
  kill_in_full_programme<WaitForTheAbandoned>(
      "condition.wait, the lock is abandoned",
      {.instructions = 2000, .points = 60, .states = 10, .strays = true}, where_changed());
}

TEST_CASE("condition: killed while taking over a dead waiter's notify: another one does") {
  kill_everywhere<TakeOver>("condition.wait, a dead one was notified", {1000, 60, 10},
                            waiting(4000));
  kill_everywhere<BuryNotified>("bury a waiter that was notified", {200, 20, 5}, where_changed());
  kill_repairers<TakeOver>("condition.wait, a dead one was notified, twice", {1000, 100, 10},
                           each_nth(120, 6));
}

TEST_CASE("condition: killed or stopped while waiting, the others are notified") {
  const Segment segment = Segment::anonymous();
  const Lock lock(segment, "lock");
  const Condition condition(segment, "c");
  const auto wait = [&] {
    std::unique_lock held(lock);
    condition.wait(held);
  };
  kill_a_waiter(wait, [&] { condition.notify_one(); });
  CHECK(condition.waiting() == 0);
  stop_a_waiter(
      wait, [&] { condition.notify(3); }, [] {});
  CHECK(condition.waiting() == 0);
}

TEST_SUITE_END();
