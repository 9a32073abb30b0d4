// SPDX-License-Identifier: MIT

// An RLock, its callers killed at every instruction.
//
// Model. That of lock_scene.hpp, with this: however often the dead one had locked it, and wherever
// it was killed on its way from one time to the next, whoever recovers the lock has it once, and may
// lock it again. It is free when it has been unlocked as often as it was locked, and not before.

#include "shoal/rlock.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "step_kill/lock_scene.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_view.hpp"
#include "step_kill/waiters.hpp"
#include "support/step_kill.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::OnOwnerDeath;
using shoal::RLock;

namespace {

// "" or what is wrong with a lock that is free.
std::string check_depth(const BasicLockScene<RLock>& scene) {
  const RLock& lock = scene.lock;
  for (int i = 0; i < 3; ++i) lock.lock();
  for (int i = 0; i < 2; ++i) {
    lock.unlock();
    if (!lock.is_locked() || scene.another_gets_it()) return "free too soon";
  }
  lock.unlock();
  return lock.is_locked() ? "unlocked as often as locked, and not free" : "";
}

template <class Base>
struct WithDepth : Base {
  using Base::Base;
  std::string survive(const Fate& fate) override {
    const std::string wrong = Base::survive(fate);
    return !wrong.empty() || this->at_kill.pid == ::getppid() ? wrong : check_depth(*this);
  }
};
using RLockScene = WithDepth<BasicLockScene<RLock>>;
using AwaitedScene = AwaitedLockScene<RLock>;

constexpr int kDeep = 3;
const SegmentImage& dead_owner() {
  static const SegmentImage image =
      left_by_a_holder<RLock>(OnOwnerDeath::raise, Found::by_nobody, kDeep);
  return image;
}
const SegmentImage& dead_owner_inherit() {
  static const SegmentImage image =
      left_by_a_holder<RLock>(OnOwnerDeath::inherit, Found::by_nobody, kDeep);
  return image;
}
const SegmentImage& abandoned() {
  static const SegmentImage image =
      left_by_a_holder<RLock>(OnOwnerDeath::raise, Found::by_a_caller, kDeep);
  return image;
}
const SegmentImage& buried_owner() {
  static const SegmentImage image =
      left_by_a_holder<RLock>(OnOwnerDeath::raise, Found::at_its_burial, kDeep);
  return image;
}

struct FreshScene : RLockScene {
  void lock_times(int times) const {
    for (int i = 0; i < times; ++i) lock.lock();
  }
};
struct DeadOwnerScene : RLockScene {
  DeadOwnerScene() : RLockScene(dead_owner()) {}
};
struct DeadOwnerInheritScene : RLockScene {
  DeadOwnerInheritScene() : RLockScene(dead_owner_inherit()) {}
};
struct AbandonedScene : RLockScene {
  AbandonedScene() : RLockScene(abandoned()) {}
};

// Free.

struct LockFree : FreshScene {
  LockFree() { ends = Ends::held; }
  void operate() override { lock.lock(); }
};

struct TryFree : LockFree {
  void operate() override {
    if (!lock.try_lock()) throw std::logic_error("not free");
  }
};

struct TryForFree : LockFree {
  void operate() override {
    if (!lock.try_lock_for(1h)) throw std::logic_error("not free");
  }
};

struct RecoverFree : LockFree {
  void operate() override { lock.recover().release(); }
};

// Held by the victim already, so many times.

template <int times>
struct LockAgain : FreshScene {
  LockAgain() { ends = Ends::held; }
  void approach() override { lock_times(times); }
  void operate() override { lock.lock(); }
};

template <int times>
struct TryAgain : LockAgain<times> {
  void operate() override {
    if (!this->lock.try_lock()) throw std::logic_error("not had again");
  }
};

template <int times>
struct RecoverAgain : LockAgain<times> {
  void operate() override { this->lock.recover().release(); }
};

template <int times>
struct Unlock : FreshScene {
  Unlock() { ends = times == 1 ? Ends::free : Ends::held; }
  void approach() override { lock_times(times); }
  void operate() override { lock.unlock(); }
};

struct CriticalSection : FreshScene {
  void prepare() override { operate(); }
  void operate() override {
    const std::scoped_lock held(lock);
    const std::scoped_lock again(lock);
    section.pass(lock);
  }
};

// Held by a live process.

struct TryHeld : FreshScene {
  TryHeld() {
    lock_times(2);
    at_start = {::getpid(), false};
    ends = Ends::as_before;
  }
  void operate() override {
    if (lock.try_lock()) throw std::logic_error("not held");
  }
};

struct TryForHeld : TryHeld {
  void operate() override {
    if (lock.try_lock_for(3ms)) throw std::logic_error("not held");
  }
};

// It does not hold it: told so.
struct UnlockHeld : TryHeld {
  UnlockHeld() { lock_times(1); }
  void operate() override {
    try {
      lock.unlock();
    } catch (const shoal::NotOwner&) {
    }
  }
  void prepare() override {  // whatever was its parent's is forgotten now
    for (int i = 0; i < 3; ++i) operate();
  }
};

struct LockHeld : FreshScene {
  std::vector<std::function<bool()>> partners() override {
    return {[this] {
      lock.lock();
      const bool done = live_holder()();
      lock.unlock();
      return done;
    }};
  }
  void operate() override { lock.lock(); }
};

// Others sleep on it: they get it, or are told; while it is still held, they stay where they are.

template <int times>
struct UnlockAwaited : AwaitedScene {
  UnlockAwaited() { ends = times == 1 ? Ends::free : Ends::held; }
  void prepare() override {
    for (int i = 0; i < times; ++i) lock.lock();
  }
  void operate() override { lock.unlock(); }
};

struct UnlockAwaitedByThree : UnlockAwaited<1> {
  std::vector<std::function<bool()>> partners() override {
    return {visitor(), visitor(), visitor()};
  }
};

struct LockAgainAwaited : AwaitedScene {
  LockAgainAwaited() { ends = Ends::held; }
  void prepare() override { lock.lock(); }
  void operate() override { lock.lock(); }
};

// Its owner is dead, and nobody has noticed.

struct LockDead : DeadOwnerScene {
  LockDead() { ends = Ends::as_before; }
  void operate() override {
    told_by([this] { lock.lock(); });
  }
};

struct TryDead : DeadOwnerScene {
  TryDead() { ends = Ends::as_before; }
  void operate() override {
    told_by([this] { static_cast<void>(lock.try_lock()); });
  }
};

struct RecoverDead : DeadOwnerScene {
  RecoverDead() { ends = Ends::held; }
  void operate() override { lock.recover().release(); }
};

struct LockDeadInherit : DeadOwnerInheritScene {
  LockDeadInherit() { ends = Ends::held; }
  void operate() override { lock.lock(); }
};

struct CriticalSectionDeadInherit : DeadOwnerInheritScene {
  void operate() override {
    const std::scoped_lock held(lock);
    const std::scoped_lock again(lock);
    section.pass(lock);
  }
};

// Abandoned.

struct LockAbandoned : AbandonedScene {
  LockAbandoned() { ends = Ends::as_before; }
  void operate() override {
    told_by([this] { lock.lock(); });
  }
};

struct RecoverAbandoned : AbandonedScene {
  RecoverAbandoned() { ends = Ends::held; }
  void operate() override { lock.recover().release(); }
};

struct RecoverBuried : RLockScene {
  RecoverBuried() : RLockScene(buried_owner()) { ends = Ends::held; }
  void operate() override { lock.recover().release(); }
};

struct RecoverWith : AbandonedScene {
  void operate() override {
    lock.recover([this] {
      const std::scoped_lock again(lock);
      section.pass(lock);
    });
  }
};

struct RecoverThrows : AbandonedScene {
  RecoverThrows() { ends = Ends::as_before; }
  void operate() override {
    try {
      lock.recover([] { throw 1; });
    } catch (int) {
    }
  }
};

struct UnlockRecovered : AbandonedScene {
  void approach() override { lock.recover().release(); }
  void operate() override { lock.unlock(); }
};

// Where an exception is thrown at the end, which shares nothing.
StepOptions told() {
  StepOptions options = where_changed();
  options.instructions = 1000;
  return options;
}

StepOptions pairs(std::size_t stride, std::size_t stride_in_full) {
  StepOptions options = where_changed();
  options.instructions = 5000;
  options.stride = full_programme() ? stride_in_full : stride;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: rlock");

TEST_CASE("rlock: killed while taking it free") {
  kill_everywhere<LockFree>("rlock.lock, free", {15, 15, 4}, every_instruction());
  kill_everywhere<TryFree>("rlock.try_lock, free", {15, 8, 4});
  kill_everywhere<TryForFree>("rlock.try_lock_for, free", {15, 8, 4});
  kill_everywhere<RecoverFree>("rlock.recover, free", {60, 8, 4});
}

TEST_CASE("rlock: killed while locking it again, and between that and the last unlock") {
  kill_everywhere<LockAgain<1>>("rlock.lock, held once", {8, 8, 2}, every_instruction());
  kill_everywhere<LockAgain<2>>("rlock.lock, held twice", {8, 8, 2}, every_instruction());
  kill_everywhere<TryAgain<1>>("rlock.try_lock, held once", {8, 4, 2});
  kill_everywhere<RecoverAgain<1>>("rlock.recover, held once", {8, 4, 2});
  kill_everywhere<Unlock<3>>("rlock.unlock, held three times", {8, 8, 2}, every_instruction());
  kill_everywhere<Unlock<2>>("rlock.unlock, held twice", {8, 8, 2}, every_instruction());
  kill_everywhere<Unlock<1>>("rlock.unlock, held once", {8, 8, 3}, every_instruction());
  kill_everywhere<CriticalSection>("rlock twice, section, unlock twice", {60, 14, 4});
}

TEST_CASE("rlock: killed while others sleep on it: they get it, or are told") {
  kill_everywhere<UnlockAwaited<1>>("rlock.unlock, held once, awaited", {30, 5, 3});
  kill_everywhere<UnlockAwaited<2>>("rlock.unlock, held twice, awaited", {8, 4, 2});
  kill_everywhere<UnlockAwaitedByThree>("rlock.unlock, awaited by three", {30, 5, 3});
  kill_everywhere<LockAgainAwaited>("rlock.lock, held once, awaited", {8, 4, 2});
}

TEST_CASE("rlock: killed while trying for what a live thread holds: it keeps it") {
  kill_everywhere<TryHeld>("rlock.try_lock, held", {150, 4, 1});
  kill_in_full_programme<UnlockHeld>("rlock.unlock, another's", {1000, 2, 1}, where_changed());
  kill_everywhere<TryForHeld>("rlock.try_lock_for, held",
                              {.instructions = 1000, .points = 30, .states = 2, .strays = true},
                              where_changed());
  kill_in_full_programme<LockHeld>("rlock.lock, held", {3000, 45, 3}, waiting_for_lock());
}

TEST_CASE("rlock: killed while finding out that the owner is dead") {
  kill_in_full_programme<LockDead>("rlock.lock, dead owner", {3000, 50, 8}, pairs(1, 1));
  kill_everywhere<TryDead>("rlock.try_lock, dead owner",
                           {.instructions = 800, .points = 25, .states = 8, .strays = true},
                           told());
  kill_everywhere<RecoverDead>("rlock.recover, dead owner", {1500, 60, 8}, where_changed());
  kill_in_full_programme<LockDeadInherit>("rlock.lock, dead owner, inherit", {1500, 60, 8});
}

TEST_CASE("rlock: killed while recovering it, or being told: abandoned again, or sound") {
  kill_everywhere<LockAbandoned>("rlock.lock, abandoned",
                                 {.instructions = 500, .points = 2, .states = 1, .strays = true},
                                 told());
  kill_everywhere<RecoverAbandoned>("rlock.recover, abandoned", {60, 8, 4});
  kill_everywhere<RecoverBuried>("rlock.recover, its owner buried", {60, 8, 4});
  kill_everywhere<RecoverWith>("rlock.recover(repair), abandoned", {120, 12, 6});
  kill_in_full_programme<RecoverThrows>("rlock.recover(repair), which throws", {5000, 12, 4},
                                        where_changed());
  kill_everywhere<UnlockRecovered>("rlock.unlock, recovered", {10, 6, 3});
}

TEST_CASE("rlock: killed while recovering from one who was killed") {
  kill_repairers<CriticalSection>("rlock, section, unlock; then recover", {60, 40, 8}, pairs(8, 2));
  kill_repairers<LockDead>("rlock.lock, dead owner; then recover", {3000, 80, 8}, pairs(200, 14));
  kill_repairers<CriticalSectionDeadInherit>("rlock, dead owner, inherit; then recover",
                                             {1500, 60, 8}, pairs(300, 14));
}

TEST_CASE("rlock: killed or stopped while waiting for it, the others get it") {
  const shoal::Segment segment = shoal::Segment::anonymous();
  const RLock lock(segment, "lock");
  const auto pass = [&] { const std::scoped_lock held(lock); };
  lock.lock();
  lock.lock();
  kill_a_waiter(pass, [&] {
    lock.unlock();
    lock.unlock();
  });
  lock.lock();
  stop_a_waiter(
      pass, [&] { lock.unlock(); }, [] {});
  CHECK_FALSE(lock.is_locked());
}

TEST_CASE("rlock: who is stopped holding it holds it, and is told of when it is killed") {
  const shoal::Segment segment = shoal::Segment::anonymous();
  const RLock lock(segment, "lock");
  const Gate holding;
  Child holder([&] {
    lock.lock();
    lock.lock();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  holder.stop();
  CHECK_FALSE(lock.try_lock_for(5ms));
  Child waiter([&] { return told_by([&] { lock.lock(); }) != kNotTold; });
  waiter.wait_until_asleep();
  holder.kill();
  CHECK(waiter.succeeds());
  CHECK(told_by([&] { lock.lock(); }) == holder.pid());
}

TEST_SUITE_END();
