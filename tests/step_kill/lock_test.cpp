// SPDX-License-Identifier: MIT

// A Lock, its callers killed at every instruction.
//
// Model. When the victim is dead, whom the lock's words name is looked up. Nobody: the next caller
// has the lock plainly. A dead process: each caller is told so, with its pid, until one recovers;
// or, with inherit, the next caller has inherited it. Someone alive: nobody else gets it. After that
// it is a plain lock again, which is held by one process at a time.
//
// Where the operation had returned, the words must name who it says; where it had not, they may also
// be as they were before.

#include "shoal/lock.hpp"

#include <doctest/doctest.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "shoal/segment.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_view.hpp"
#include "support/child.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Lock;
using shoal::OnOwnerDeath;
using shoal::Segment;

namespace {

constexpr pid_t kNotTold = 0;

// Who is said to have died.
template <class Call>
pid_t told_by(Call call) {
  try {
    call();
  } catch (const shoal::OwnerDied& died) {
    return died.owner().pid;
  }
  return kNotTold;
}

std::string named(const char* what, pid_t found, pid_t expected) {
  return std::string(what) + " " + std::to_string(found) + ", not " + std::to_string(expected);
}

// What a lock protects. Passed by its holder only; who is killed inside leaves it to who inherits.
class Section {
 public:
  void pass(const Lock& lock) const {
    const bool inherited = lock.inherited();
    if (inherited) ++*inherited_;
    if (inside_->exchange(1) != 0 && !inherited) ++*intruders_;
    inside_->store(0);
  }

  std::int64_t inherited() const { return *inherited_; }
  std::int64_t intruders() const { return *intruders_; }

 private:
  SharedCounter inside_, inherited_, intruders_;
};

struct LockScene : Scene {
  TempName name;
  Segment segment;
  Lock lock;
  Section section;
  SharedCounter repairs;
  SharedCounter holder;  // pid of a partner who holds the lock, and lives
  Gate let_go;           // it unlocks then
  Holding at_kill;       // as the words had it when the last victim was killed
  Holding at_start;

  explicit LockScene(OnOwnerDeath policy = OnOwnerDeath::raise)
      : segment(name, small_segment()), lock(segment, "lock", policy) {}
  explicit LockScene(const SegmentImage& image)
      : segment(copied(image)), lock(segment, "lock", shoal::Open::existing) {
    at_start = SegmentView(name.path()).holding("lock");
  }

  Segment copied(const SegmentImage& image) const {
    image.write_to(name);
    return Segment(name);
  }

  // Once the operation has returned.
  enum class Ends { free, held, as_before } ends = Ends::free;

  std::uint64_t state() override {
    const SegmentView view(name.path());
    at_kill = view.holding("lock");
    return view.hash();
  }

  // As a caller who can deal with everything.
  bool visit() const {
    try {
      lock.lock();
      section.pass(lock);
      lock.unlock();
    } catch (const shoal::OwnerDied&) {
      lock.recover([this] { section.pass(lock); });
    }
    return true;
  }
  void repair() override {
    ++*repairs;
    lock.recover([this] { section.pass(lock); });
  }

  std::function<bool()> visitor() {
    return [this] { return visit(); };
  }
  std::function<bool()> live_holder() {
    return [this] {
      lock.lock();
      *holder = ::getpid();
      while (!let_go.is_open()) std::this_thread::sleep_for(200us);
      lock.unlock();
      return true;
    };
  }

  bool is_alive(pid_t pid) const { return pid == ::getppid() || pid == *holder; }

  std::string survive(const Fate& fate) override {
    if (const std::string wrong = compare_end(fate); !wrong.empty()) return wrong;
    std::string wrong = at_kill.pid == 0        ? find_free()
                        : is_alive(at_kill.pid) ? find_held()
                                                : find_dead();
    if (wrong.empty()) wrong = find_plain();
    return wrong;
  }

  std::string compare_end(const Fate& fate) const {
    if (fate.repaired) return at_kill.pid == 0 ? "" : "repaired, and not free";
    if (!fate.completed || *repairs != 0) return "";
    switch (ends) {
      case Ends::free:
        return at_kill.pid == 0 ? "" : "done, and not free";
      case Ends::held:
        return at_kill.pid != 0 && !at_kill.abandoned ? "" : "done, and not held";
      case Ends::as_before:
        return at_kill.pid == at_start.pid ? "" : "done, and another's";
    }
    return "";
  }

  std::string find_free() const {
    if (lock.owner()) return "free, and has an owner";
    if (unlocks()) return "unlocked, though free";
    return "";
  }

  std::string find_held() const {
    const auto owner = lock.owner();
    if (!owner || owner->pid != at_kill.pid)
      return named("owner", owner ? owner->pid : 0, at_kill.pid);
    if (lock.try_lock()) return "got it from its live holder";
    if (*holder == 0) return "";
    let_go.open();
    return "";
  }

  std::string find_dead() const {
    const auto owner = lock.owner();
    if (!owner || owner->pid != at_kill.pid)
      return named("owner", owner ? owner->pid : 0, at_kill.pid);
    if (unlocks()) return "unlocked by one who does not hold it";
    if (lock.on_owner_death() == OnOwnerDeath::inherit) {
      lock.lock();
    } else {
      if (const pid_t pid = told_by([&] { lock.lock(); }); pid != at_kill.pid)
        return named("lock: told of", pid, at_kill.pid);
      if (const pid_t pid = told_by([&] { static_cast<void>(lock.try_lock()); });
          pid != at_kill.pid)
        return named("try_lock: told of", pid, at_kill.pid);
      if (const pid_t pid = told_by([&] { static_cast<void>(lock.try_lock_for(1ms)); });
          pid != at_kill.pid)
        return named("try_lock_for: told of", pid, at_kill.pid);
      lock.recover().release();
    }
    if (!lock.inherited()) return "not inherited";
    section.pass(lock);
    if (lock.try_lock()) return "held twice, the first time inherited";
    lock.unlock();
    return "";
  }

  bool unlocks() const {
    try {
      lock.unlock();
    } catch (const shoal::NotOwner&) {
      return false;
    }
    return true;
  }

  std::string find_plain() const {
    if (at_kill.pid == ::getppid()) return "";  // the stage's for good
    lock.lock();
    if (lock.inherited()) return "still inherited";
    section.pass(lock);
    if (lock.try_lock()) return "held twice";
    lock.unlock();
    if (!lock.try_lock()) return "not free after unlock";
    lock.unlock();
    if (lock.is_locked()) return "locked after unlock";
    return section.intruders() == 0 ? "" : "two at once";
  }
};

// Scenes with partners that come and go: who of them finds what is not known beforehand.
struct Crowd : LockScene {
  using LockScene::LockScene;
  std::string survive(const Fate& fate) override {
    if (const std::string wrong = compare_end(fate); !wrong.empty()) return wrong;
    visit();
    if (section.intruders() != 0) return "two at once";
    return "";
  }
};

// What a holder leaves who was killed, found out by nobody yet, or by one caller.
SegmentImage make_image(OnOwnerDeath policy, bool declared) {
  const TempName name;
  const Segment segment(name, small_segment());
  const Lock lock(segment, "lock", policy);
  const Gate holding;
  Child holder([&] {
    lock.lock();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  holder.kill();
  if (declared) told_by([&] { static_cast<void>(lock.try_lock()); });
  return SegmentImage(name);
}
const SegmentImage& dead_owner() {
  static const SegmentImage image = make_image(OnOwnerDeath::raise, false);
  return image;
}
const SegmentImage& dead_owner_inherit() {
  static const SegmentImage image = make_image(OnOwnerDeath::inherit, false);
  return image;
}
const SegmentImage& abandoned() {
  static const SegmentImage image = make_image(OnOwnerDeath::raise, true);
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

struct AwaitedScene : Crowd {
  std::vector<std::function<bool()>> partners() override { return {visitor()}; }
  void approach() override { wait_for_sleeper("lock"); }
  // Asleep it may be elsewhere, on its way to the lock.
  void wait_for_sleeper(const char* of) const {
    const SegmentView view(name.path());
    while ((view.lock(of)->sleepers & shoal::detail::kSomebodySleeps) == 0) ::sched_yield();
  }
  std::string survive(const Fate& fate) override {
    const bool abandoned_now = at_kill.pid != 0;
    std::string wrong = Crowd::survive(fate);
    // Who inherits is counted: the partner, or this.
    if (wrong.empty() && section.inherited() > (abandoned_now ? 1 : 0))
      wrong = "inherited too often";
    return wrong;
  }
  using Crowd::Crowd;
};

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

// Long enough to spin, and to sleep twice.
StepOptions waiting() {
  StepOptions options = where_changed();
  options.instructions = 3600;
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
  kill_everywhere<TryFree>("lock.try_lock, free", {15, 6, 3});
  kill_everywhere<TryForFree>("lock.try_lock_for, free", {15, 6, 3});
  kill_everywhere<RecoverFree>("lock.recover, free", {60, 6, 3});
  kill_everywhere<LockReserved>("lock.lock, reserved by a dead process",
                                {.instructions = 100, .points = 100, .states = 3, .strays = true},
                                every_instruction());
}

TEST_CASE("killed while unlocking, and between lock and unlock") {
  kill_everywhere<Unlock>("lock.unlock", {10, 4, 3});
  kill_everywhere<CriticalSection>("lock, section, unlock", {40, 8, 3});
}

TEST_CASE("killed while unlocking a lock that others sleep on: they get it, or are told") {
  kill_everywhere<UnlockAwaited>("lock.unlock, awaited", {50, 8, 4});
  kill_everywhere<UnlockAwaitedInherit>("lock.unlock, awaited, inherit", {50, 8, 4});
  kill_everywhere<UnlockAwaitedByThree>("lock.unlock, awaited by three", {50, 8, 4});
  kill_everywhere<UnlockRecoveredAwaited>("lock.unlock, recovered, awaited", {70, 8, 3});
}

TEST_CASE("killed while trying for a lock that a live process holds: it keeps it") {
  kill_everywhere<TryHeld>("lock.try_lock, held", {150, 4, 1});
  kill_everywhere<TryForHeld>("lock.try_lock_for, held",
                              {.instructions = 1000, .points = 40, .states = 2, .strays = true},
                              where_changed());
  kill_everywhere<LockHeld>("lock.lock, held", {3000, 60, 3}, waiting());
  kill_everywhere<LockHeldAndWaitedFor>("lock.lock, held and waited for", {3000, 60, 3}, waiting());
}

TEST_CASE("killed while finding out that the owner is dead") {
  kill_everywhere<LockDead>("lock.lock, dead owner", {3000, 60, 8}, cut_after(5000));
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
  kill_everywhere<RecoverThrows>("lock.recover(repair), which throws", {5000, 12, 4},
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
