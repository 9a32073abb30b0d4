// SPDX-License-Identifier: MIT

// A Lock, its callers killed at every instruction.
//
// The model is that of lock_scene.hpp.

#include "shoal/lock.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "step_kill/lock_scene.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_view.hpp"
#include "support/step_kill.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Lock;
using shoal::OnOwnerDeath;

namespace {

using LockScene = BasicLockScene<Lock>;
using Crowd = LockCrowd<Lock>;
using AwaitedScene = AwaitedLockScene<Lock>;

const SegmentImage& dead_owner() {
  static const SegmentImage image = left_by_a_holder<Lock>(OnOwnerDeath::raise, Found::by_nobody);
  return image;
}
const SegmentImage& dead_owner_inherit() {
  static const SegmentImage image = left_by_a_holder<Lock>(OnOwnerDeath::inherit, Found::by_nobody);
  return image;
}
const SegmentImage& abandoned() {
  static const SegmentImage image = left_by_a_holder<Lock>(OnOwnerDeath::raise, Found::by_a_caller);
  return image;
}

struct FreshScene : LockScene {};
struct InheritScene : LockScene {
  InheritScene() : LockScene(OnOwnerDeath::inherit) {}
};
struct DeadOwnerScene : LockScene {
  DeadOwnerScene() : LockScene(dead_owner()) {}
};
struct DeadOwnerInheritScene : LockScene {
  DeadOwnerInheritScene() : LockScene(dead_owner_inherit()) {}
};
struct AbandonedScene : LockScene {
  AbandonedScene() : LockScene(abandoned()) {}
};

// Free.

struct LockFree : FreshScene {
  LockFree() { ends = Ends::held; }
  void operate() override { lock.lock(); }
};

struct LockFreeInherit : InheritScene {
  LockFreeInherit() { ends = Ends::held; }
  void operate() override { lock.lock(); }
};

// By a handle that has come too early many times: another way.
struct LockLate : FreshScene {
  shoal::Lock late{segment, "lock"};
  LockLate() {
    ends = Ends::held;
    const std::scoped_lock held(lock);
    for (int i = 0; i < 20; ++i)
      if (late.try_lock_for(1ns)) throw std::logic_error("not held");
  }
  void operate() override { late.lock(); }
};

struct TryFree : FreshScene {
  TryFree() { ends = Ends::held; }
  void operate() override {
    if (!lock.try_lock()) throw std::logic_error("not free");
  }
};

struct TryForFree : FreshScene {
  TryForFree() { ends = Ends::held; }
  void operate() override {
    if (!lock.try_lock_for(1h)) throw std::logic_error("not free");
  }
};

struct RecoverFree : FreshScene {
  RecoverFree() { ends = Ends::held; }
  void operate() override { lock.recover().release(); }
};

struct CriticalSection : FreshScene {
  void prepare() override { operate(); }
  void operate() override {
    const std::scoped_lock held(lock);
    section.pass(lock);
  }
};

struct Unlock : FreshScene {
  void approach() override { lock.lock(); }
  void operate() override { lock.unlock(); }
};

// Reserved by somebody who waited too long, and died: it must not keep the others off for long.
struct LockReserved : FreshScene {
  LockReserved() {
    ends = Ends::held;
    const SegmentView view(name.path());
    view.lock("lock")->reserve = shoal::detail::owner_value(7, 7);
  }
  void operate() override { lock.lock(); }
};

// Held by a live process.

struct TryHeld : FreshScene {
  TryHeld() {
    lock.lock();
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

struct LockHeld : FreshScene {
  std::vector<std::function<bool()>> partners() override { return {live_holder()}; }
  void operate() override { lock.lock(); }
};

// A waiter that lacked its CPU has left a note there, and died: the victim makes way for it.
struct LockMakesWay : LockHeld {
  void approach() override {
    const SegmentView view(name.path());
    for (auto& cpu : view.tables().cpu_notes())
      for (std::uint32_t object = 0; object < 2; ++object)
        cpu.notes[object] = shoal::core::cpu_note(shoal::detail::steady_now() - 100'000'000, object,
                                                  view.lock("lock"));
  }
};

// The victim is one of two that wait; the other gets the lock.
struct LockHeldAndWaitedFor : Crowd {
  std::vector<std::function<bool()>> partners() override { return {live_holder(), visitor()}; }
  void operate() override { lock.lock(); }
  std::string survive(const Fate& fate) override {
    let_go.open();
    return Crowd::survive(fate);
  }
};

// Awaited: who sleeps must get the lock, or be told.

struct UnlockAwaited : AwaitedScene {
  void prepare() override { lock.lock(); }
  void operate() override { lock.unlock(); }
};

struct UnlockAwaitedInherit : UnlockAwaited {
  UnlockAwaitedInherit() { lock = Lock(segment, "inherit", OnOwnerDeath::inherit); }
  void approach() override { wait_for_sleeper("inherit"); }
  std::uint64_t state() override {
    const SegmentView view(name.path());
    at_kill = view.holding("inherit");
    return view.hash();
  }
};

struct UnlockAwaitedByThree : UnlockAwaited {
  std::vector<std::function<bool()>> partners() override {
    return {visitor(), visitor(), visitor()};
  }
};

struct UnlockRecoveredAwaited : AwaitedScene {
  UnlockRecoveredAwaited() : AwaitedScene(abandoned()) {}
  void prepare() override { lock.recover().release(); }
  void operate() override { lock.unlock(); }
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

struct TryDeadInherit : DeadOwnerInheritScene {
  TryDeadInherit() { ends = Ends::held; }
  void operate() override { static_cast<void>(lock.try_lock()); }
};

struct CriticalSectionDeadInherit : DeadOwnerInheritScene {
  void operate() override {
    const std::scoped_lock held(lock);
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

struct TryAbandoned : AbandonedScene {
  TryAbandoned() { ends = Ends::as_before; }
  void operate() override {
    told_by([this] { static_cast<void>(lock.try_lock()); });
  }
};

struct RecoverAbandoned : AbandonedScene {
  RecoverAbandoned() { ends = Ends::held; }
  void operate() override { lock.recover().release(); }
};

struct RecoverWith : AbandonedScene {
  void operate() override {
    lock.recover([this] { section.pass(lock); });
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

// A wait that the victim does not come out of ends there, and so does an exception once it is being
// thrown: the next 20,000 instructions share nothing.
StepOptions cut_after(std::size_t instructions) {
  StepOptions options = thorough();
  options.instructions = instructions;
  return options;
}

// As many pairs as there is time for.
StepOptions pairs(Points points, std::size_t stride, std::size_t stride_in_full) {
  StepOptions options = cut_after(5000);
  if (points == Points::at_changes) options.points = points;
  options.stride = full_programme() ? stride_in_full : stride;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: lock");

TEST_CASE("killed while taking a free lock") {
  kill_everywhere<LockFree>("lock.lock, free", {15, 6, 3});
  kill_everywhere<LockFreeInherit>("lock.lock, free, inherit", {15, 6, 3});
  kill_everywhere<LockLate>(
      "lock.lock, free, late",
      {.instructions = 40, .points = full_programme() ? 40U : 6U, .states = 3, .strays = true});
  kill_everywhere<TryFree>("lock.try_lock, free", {15, 6, 3});
  kill_everywhere<TryForFree>("lock.try_lock_for, free", {15, 6, 3});
  kill_everywhere<RecoverFree>("lock.recover, free", {60, 6, 3});
  kill_everywhere<LockReserved>(
      "lock.lock, reserved by a dead process",
      {.instructions = 100, .points = full_programme() ? 100U : 6U, .states = 3, .strays = true});
}

TEST_CASE("killed while unlocking, and between lock and unlock") {
  kill_everywhere<Unlock>("lock.unlock", {10, 4, 3});
  kill_everywhere<CriticalSection>("lock, section, unlock", {40, 8, 3});
}

TEST_CASE("killed while unlocking a lock that others sleep on: they get it, or are told") {
  kill_everywhere<UnlockAwaited>("lock.unlock, awaited", {30, 5, 3});
  kill_everywhere<UnlockAwaitedInherit>("lock.unlock, awaited, inherit", {30, 5, 3});
  kill_everywhere<UnlockAwaitedByThree>("lock.unlock, awaited by three", {30, 5, 3});
  kill_everywhere<UnlockRecoveredAwaited>("lock.unlock, recovered, awaited", {30, 5, 3});
}

TEST_CASE("killed while trying for a lock that a live process holds: it keeps it") {
  kill_everywhere<TryHeld>("lock.try_lock, held", {150, 4, 1});
  kill_everywhere<TryForHeld>("lock.try_lock_for, held",
                              {.instructions = 1000, .points = 30, .states = 2, .strays = true},
                              where_changed());
  kill_everywhere<LockHeld>("lock.lock, held", {3000, 45, 3}, waiting_for_lock());
  kill_everywhere<LockMakesWay>("lock.lock, held, another lacks its CPU", {3000, 45, 3},
                                waiting_for_lock());
  kill_everywhere<LockHeldAndWaitedFor>("lock.lock, held and waited for", {3000, 40, 3},
                                        waiting_for_lock());
}

TEST_CASE("killed while finding out that the owner is dead") {
  kill_everywhere<LockDead>("lock.lock, dead owner", {3000, 50, 8}, cut_after(5000));
  kill_everywhere<TryDead>("lock.try_lock, dead owner", {800, 25, 8}, cut_after(1000));
  kill_everywhere<RecoverDead>("lock.recover, dead owner", {1500, 60, 8});
  kill_everywhere<LockDeadInherit>("lock.lock, dead owner, inherit", {1500, 60, 8});
  kill_everywhere<TryDeadInherit>("lock.try_lock, dead owner, inherit", {300, 25, 8});
}

TEST_CASE("killed while being told of an abandoned lock") {
  kill_everywhere<LockAbandoned>("lock.lock, abandoned", {500, 2, 1}, cut_after(800));
  kill_everywhere<TryAbandoned>("lock.try_lock, abandoned", {500, 2, 1}, cut_after(800));
}

TEST_CASE("killed while recovering an abandoned lock: it is abandoned again, or sound") {
  kill_everywhere<RecoverAbandoned>("lock.recover, abandoned", {60, 6, 3});
  kill_everywhere<RecoverWith>("lock.recover(repair), abandoned", {120, 8, 4});
  kill_in_full_programme<RecoverThrows>("lock.recover(repair), which throws", {5000, 12, 4},
                                        where_changed());
  kill_everywhere<UnlockRecovered>("lock.unlock, recovered", {10, 4, 3});
}

TEST_CASE("killed while recovering from one who was killed") {
  kill_repairers<CriticalSection>("lock, section, unlock; then recover", {40, 80, 8},
                                  pairs(Points::every_instruction, 3, 10));
  kill_repairers<LockDead>("lock.lock, dead owner; then recover", {3000, 80, 8},
                           pairs(Points::at_changes, 48, 4));
  kill_repairers<CriticalSectionDeadInherit>("lock, dead owner, inherit; then recover",
                                             {1500, 80, 8}, pairs(Points::at_changes, 48, 4));
}

TEST_SUITE_END();
