// SPDX-License-Identifier: MIT
#pragma once

// Scenes with a Lock or an RLock that is called "lock".
//
// Model. When the victim is dead, whom the lock's words name is looked up. Nobody: the next caller
// has the lock plainly. A dead process: each caller is told so, with its pid, until one recovers;
// or, with inherit, the next caller has inherited it. Someone alive: nobody else gets it. After that
// it is a plain lock again, which is held by one at a time.
//
// Where the operation had returned, the words must name who it says; where it had not, they may also
// be as they were before.

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "shoal/lock.hpp"
#include "shoal/segment.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_view.hpp"
#include "support/child.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"

namespace shoal_test {

inline constexpr pid_t kNotTold = 0;

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

inline std::string named(const char* what, pid_t found, pid_t expected) {
  return std::string(what) + " " + std::to_string(found) + ", not " + std::to_string(expected);
}

// What a lock protects. Passed by its holder only; who is killed inside leaves it to who inherits.
class Section {
 public:
  template <class L>
  void pass(const L& lock) const {
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

template <class L>
struct BasicLockScene : Scene {
  TempName name;
  shoal::Segment segment;
  L lock;
  Section section;
  SharedCounter repairs;
  SharedCounter holder;  // pid of a partner who holds the lock, and lives
  Gate let_go;           // it unlocks then
  Holding at_kill;       // as the words had it when the last victim was killed
  Holding at_start;

  explicit BasicLockScene(shoal::OnOwnerDeath policy = shoal::OnOwnerDeath::raise)
      : segment(name, small_segment()), lock(segment, "lock", policy) {}
  explicit BasicLockScene(const SegmentImage& image)
      : segment(copied(image)), lock(segment, "lock", shoal::Open::existing) {
    at_start = SegmentView(name.path()).holding("lock");
  }

  shoal::Segment copied(const SegmentImage& image) const {
    image.write_to(name);
    return shoal::Segment(name);
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
      while (!let_go.is_open()) std::this_thread::sleep_for(std::chrono::microseconds(200));
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
    if (lock.on_owner_death() == shoal::OnOwnerDeath::inherit) {
      lock.lock();
    } else {
      if (const pid_t pid = told_by([&] { lock.lock(); }); pid != at_kill.pid)
        return named("lock: told of", pid, at_kill.pid);
      if (const pid_t pid = told_by([&] { static_cast<void>(lock.try_lock()); });
          pid != at_kill.pid)
        return named("try_lock: told of", pid, at_kill.pid);
      if (const pid_t pid =
              told_by([&] { static_cast<void>(lock.try_lock_for(std::chrono::milliseconds(1))); });
          pid != at_kill.pid)
        return named("try_lock_for: told of", pid, at_kill.pid);
      lock.recover().release();
    }
    if (!lock.inherited()) return "not inherited";
    section.pass(lock);
    if (another_gets_it()) return "held twice, the first time inherited";
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

  // Held by this process: a thread of it is kept off as well as anybody.
  bool another_gets_it() const {
    if constexpr (std::is_same_v<L, shoal::Lock>) return lock.try_lock();
    bool got = false;
    std::thread([&] { got = lock.try_lock(); }).join();
    return got;
  }

  std::string find_plain() const {
    if (at_kill.pid == ::getppid()) return "";  // the stage's for good
    lock.lock();
    if (lock.inherited()) return "still inherited";
    section.pass(lock);
    if (another_gets_it()) return "held twice";
    lock.unlock();
    if (!lock.try_lock()) return "not free after unlock";
    lock.unlock();
    if (lock.is_locked()) return "locked after unlock";
    return section.intruders() == 0 ? "" : "two at once";
  }
};

// Scenes with partners that come and go: who of them finds what is not known beforehand.
template <class L>
struct LockCrowd : BasicLockScene<L> {
  using BasicLockScene<L>::BasicLockScene;
  std::string survive(const Fate& fate) override {
    if (const std::string wrong = this->compare_end(fate); !wrong.empty()) return wrong;
    this->visit();
    if (this->section.intruders() != 0) return "two at once";
    return "";
  }
};

// Awaited: who sleeps must get the lock, or be told.
template <class L>
struct AwaitedLockScene : LockCrowd<L> {
  using LockCrowd<L>::LockCrowd;
  std::vector<std::function<bool()>> partners() override { return {this->visitor()}; }
  void approach() override { wait_for_sleeper("lock"); }
  // Asleep it may be elsewhere, on its way to the lock.
  void wait_for_sleeper(const char* of) const {
    const SegmentView view(this->name.path());
    while ((view.lock(of)->sleepers & shoal::detail::kSomebodySleeps) == 0) ::sched_yield();
  }
  std::string survive(const Fate& fate) override {
    const bool abandoned_now = this->at_kill.pid != 0;
    std::string wrong = LockCrowd<L>::survive(fate);
    // Who inherits is counted: the partner, or this.
    if (wrong.empty() && this->section.inherited() > (abandoned_now ? 1 : 0))
      wrong = "inherited too often";
    return wrong;
  }
};

// What a holder leaves who was killed when it had locked so many times, found out by nobody yet, or
// by one caller, or when it was buried.
enum class Found { by_nobody, by_a_caller, at_its_burial };
template <class L>
SegmentImage left_by_a_holder(shoal::OnOwnerDeath policy, Found found, int times = 1) {
  const TempName name;
  const shoal::Segment segment(name, small_segment());
  const L lock(segment, "lock", policy);
  const Gate holding;
  Child holder([&] {
    for (int i = 0; i < times; ++i) lock.lock();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  holder.kill();
  if (found == Found::by_a_caller) told_by([&] { static_cast<void>(lock.try_lock()); });
  if (found == Found::at_its_burial) static_cast<void>(segment.used());
  return SegmentImage(name);
}

}  // namespace shoal_test
