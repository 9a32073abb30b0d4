// SPDX-License-Identifier: MIT

// A Semaphore and a BoundedSemaphore, their users killed at every instruction.
//
// Model of the Semaphore. Its permits, those that the partners have got meanwhile and the one that
// the victim may have got are as many as there were and as were released, whole releases; what the
// victim's call was to do is done where it had returned, and done or not where it had not. Who sleeps
// and could have a permit has it. So many permits can be had, and no more.
//
// Model of the BoundedSemaphore. What live processes hold, and its permits, are as many as its bound,
// wherever the victim was killed: exactly the permits of the dead come back. So many can be had, and
// no more; so many can be given back, and no more.

#include "shoal/semaphore.hpp"

#include <doctest/doctest.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kinds.hpp"
#include "shoal/detail/bounded_word.hpp"
#include "shoal/error.hpp"
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
using shoal::BoundedSemaphore;
using shoal::Segment;
using shoal::Semaphore;
using shoal::detail::BoundedWord;

namespace {

// "" or what is wrong: so many permits can be had at once, and no more.
template <class S>
std::string check_permits(const S& semaphore, int permits) {
  for (int i = 0; i < permits; ++i)
    if (!semaphore.try_acquire()) return "fewer permits than its value says";
  if (semaphore.try_acquire()) return "more permits than its value says";
  if (semaphore.try_acquire_for(1us)) return "a permit from nowhere";
  if (permits > 0) semaphore.release(permits);
  return semaphore.value() == permits ? "" : "another value than was released";
}

template <int initial>
struct SemaphoreScene : Scene {
  TempName name;
  Segment segment{name, small_segment()};
  Semaphore semaphore{segment, "semaphore", initial};
  SharedCounter acquired;  // by partners
  SharedCounter begun;     // by partners
  int permits = 0;         // once the operation has returned, those of the partners included

  std::uint64_t state() override { return SegmentView(name.path()).hash(); }

  std::function<bool()> acquirer() {
    return [this] {
      ++*begun;
      semaphore.acquire();
      ++*acquired;
      return true;
    };
  }

  std::string survive(const Fate& fate) override {
    // Whoever sleeps and could have a permit is waited for: where it does not come, this hangs.
    while (semaphore.value() > 0 && *acquired < *begun) ::sched_yield();
    // Who has taken one may not have said so yet: all are let go, and what is left tells.
    if (*begun > 0) semaphore.release(static_cast<int>(*begun));
    while (*acquired < *begun) ::sched_yield();
    const int now = semaphore.value();
    if (fate.completed ? now != permits : now != permits && now != initial)
      return std::to_string(now) + " permits in all, not " + std::to_string(permits);
    if (semaphore.waiting() > *begun) return "the dead wait";
    return check_large(semaphore.value());
  }
  std::string check_large(int value) const {
    constexpr int kFew = 10;
    if (value > kFew) return "";
    if (const std::string wrong = check_permits(semaphore, value); !wrong.empty()) return wrong;
    semaphore.release(3);
    return check_permits(semaphore, value + 3);
  }
};

template <int initial>
struct Acquire : SemaphoreScene<initial> {
  Acquire() { this->permits = initial - 1; }
  void operate() override { this->semaphore.acquire(); }
};

struct TryAcquire : Acquire<1> {
  void operate() override {
    if (!semaphore.try_acquire()) throw std::logic_error("no permit");
  }
};

struct TryAcquireUntil : Acquire<1> {
  void operate() override {
    if (!semaphore.try_acquire_for(1h)) throw std::logic_error("no permit");
  }
};

struct TryEmpty : SemaphoreScene<0> {
  void operate() override {
    if (semaphore.try_acquire()) throw std::logic_error("a permit");
  }
};

struct TryForEmpty : SemaphoreScene<0> {
  void operate() override {
    if (semaphore.try_acquire_for(3ms)) throw std::logic_error("a permit");
  }
};

// Waits, as another does. Nobody releases until it is dead.
struct AcquireWaits : SemaphoreScene<0> {
  std::vector<std::function<bool()>> partners() override { return {acquirer()}; }
  void operate() override { semaphore.acquire(); }
  std::string survive(const Fate&) override {
    if (*acquired != 0) return "a permit from nowhere";
    semaphore.release();
    permits = 1;
    return SemaphoreScene<0>::survive({.completed = true});
  }
};

// Waits, as another does; then two are released. One of them is the other's, whatever the victim was
// killed doing with its own, or with the wake for both.
struct AcquireReleased : SemaphoreScene<0> {
  Gate release_now;
  std::vector<std::function<bool()>> partners() override {
    return {acquirer(), [this] {
              while (!release_now.is_open() && semaphore.waiting() < 2)
                std::this_thread::sleep_for(200us);
              semaphore.release(2);
              return true;
            }};
  }
  void operate() override { semaphore.acquire(); }
  std::string survive(const Fate& fate) override {
    release_now.open();
    while (*acquired == 0) ::sched_yield();
    const int left = semaphore.value();
    if (left > 1 || (fate.completed && left != 0)) return std::to_string(left) + " left";
    return check_permits(semaphore, left);
  }
};

template <int n>
struct Release : SemaphoreScene<1> {
  Release() { permits = 1 + n; }
  void operate() override { semaphore.release(n); }
};

struct ReleaseTooMany : SemaphoreScene<std::numeric_limits<int>::max() - 1> {
  ReleaseTooMany() { permits = std::numeric_limits<int>::max() - 1; }
  void operate() override {
    try {
      semaphore.release(2);
      throw std::logic_error("more permits than fit");
    } catch (const std::overflow_error&) {
    }
  }
};

// Killed while it is refused, it has released it or not: there may be one more than fit.
struct ReleaseOneTooMany : SemaphoreScene<std::numeric_limits<int>::max()> {
  void operate() override {
    try {
      semaphore.release();
      throw std::logic_error("more permits than fit");
    } catch (const std::overflow_error&) {
    }
  }
  std::string survive(const Fate& fate) override {
    const SegmentView view(name.path());
    const std::int64_t now = view.words<shoal::detail::SemaphoreWord>("semaphore")->count;
    const std::int64_t most = shoal::detail::kMostPermits + (fate.completed ? 0 : 1);
    if (now < shoal::detail::kMostPermits || now > most) return std::to_string(now) + " permits";
    if (semaphore.value() != std::numeric_limits<int>::max()) return "a value that does not fit";
    try {
      semaphore.release();
      return "more permits than fit";
    } catch (const std::overflow_error&) {
    }
    return semaphore.try_acquire() ? "" : "no permit where there are as many as fit";
  }
};

template <int n, int sleepers>
struct ReleaseAwaited : SemaphoreScene<0> {
  ReleaseAwaited() { permits = n; }
  Shared<std::array<pid_t, sleepers>> pids;
  std::vector<std::function<bool()>> partners() override {
    std::vector<std::function<bool()>> all;
    for (pid_t& pid : *pids)
      all.push_back([this, &pid] {
        pid = ::getpid();
        return acquirer()();
      });
    return all;
  }
  // They may have slept elsewhere, on their way to it; and who waits has not said yet that it is to
  // be woken. And their sleep must not end by itself between the victim's steps.
  void approach() override {
    await_waiting(semaphore, sleepers);
    const SegmentView view(name.path());
    const auto* const word = view.words<shoal::detail::SemaphoreWord>("semaphore");
    while ((word->sleepers & shoal::detail::kSomebodySleeps) == 0) ::sched_yield();
    for (const pid_t pid : *pids) stop_process(pid);
  }
  void operate() override { semaphore.release(n); }
  std::string survive(const Fate& fate) override {
    for (const pid_t pid : *pids) ::kill(pid, SIGCONT);
    return SemaphoreScene<0>::survive(fate);
  }
};

struct Look : SemaphoreScene<2> {
  Look() { permits = 2; }
  void operate() override {
    if (semaphore.value() != 2 || semaphore.waiting() != 0) throw std::logic_error("another value");
  }
};

// Bounded.

constexpr int kBound = 3;

struct BoundedScene : Scene {
  TempName name;
  Segment segment;
  BoundedSemaphore semaphore;
  SharedCounter held;      // by live partners
  SharedCounter acquired;  // by partners that waited for it, and give it back at once
  SharedCounter begun;
  Gate let_go;

  BoundedScene() : segment(name, small_segment()), semaphore(segment, "semaphore", kBound) {}
  explicit BoundedScene(const SegmentImage& image)
      : segment((image.write_to(name), name)), semaphore(segment, "semaphore", kBound) {}

  std::uint64_t state() override { return SegmentView(name.path()).hash(); }
  void repair() override {
    semaphore.acquire();
    semaphore.release();
  }

  void acquire(int n) const {
    for (int i = 0; i < n; ++i) semaphore.acquire();
  }
  std::function<bool()> holder(int n) {
    return [this, n] {
      acquire(n);
      *held += n;
      while (!let_go.is_open()) std::this_thread::sleep_for(200us);
      semaphore.release(n);
      *held -= n;
      return true;
    };
  }
  std::function<bool()> acquirer() {
    return [this] {
      ++*begun;
      semaphore.acquire();
      ++*acquired;
      semaphore.release();
      return true;
    };
  }

  std::string survive(const Fate&) override {
    const int free = kBound - static_cast<int>(*held);
    if (*begun == 0) {
      if (const std::string wrong = check_free(free); !wrong.empty()) return wrong;
    }
    let_go.open();
    while (*held > 0 || *acquired < *begun) ::sched_yield();
    while (semaphore.value() < kBound) ::sched_yield();  // the last one gives it back
    return check_free(kBound);
  }
  std::string check_free(int free) const {
    // Before value(), which counts anew.
    if (const std::string wrong = check_permits(semaphore, free); !wrong.empty()) return wrong;
    try {
      semaphore.release();
    } catch (const shoal::NotOwner&) {
      return semaphore.value() == free ? "" : "another value after a release that was refused";
    }
    return "more released than acquired";
  }
};

// What processes have left in it that were killed: one that held two, another that held one.
SegmentImage make_dead_holders(bool buried) {
  const TempName name;
  const Segment segment(name, small_segment());
  const BoundedSemaphore semaphore(segment, "semaphore", kBound);
  for (const int permits : {2, 1}) {
    const Gate holding;
    Child holder([&] {
      for (int i = 0; i < permits; ++i) semaphore.acquire();
      holding.open();
      return sleep_forever();
    });
    holding.wait();
    holder.kill();
  }
  if (buried) static_cast<void>(segment.used());
  return SegmentImage(name);
}
const SegmentImage& dead_holders() {
  static const SegmentImage image = make_dead_holders(false);
  return image;
}
const SegmentImage& buried_holders() {
  static const SegmentImage image = make_dead_holders(true);
  return image;
}

// What a process has left that was killed between its two writes: its permit is noted, and not taken
// from the count; the inner lock is still in its name.
SegmentImage make_half_acquired() {
  const TempName name;
  const Segment segment(name, small_segment());
  const BoundedSemaphore semaphore(segment, "semaphore", kBound);
  const Gate holding;
  Child holder([&] {
    semaphore.acquire();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  const SegmentView view(name.path());
  auto* const word = view.words<BoundedWord>("semaphore");
  const auto places = shoal::detail::held_permits(*word, view.tables().header().max_processes);
  for (const auto& place : places)
    if (place.permits.load() > 0) word->lock.owner.store(place.owner.load());
  word->count.store(kBound);
  holder.kill();
  return SegmentImage(name);
}
const SegmentImage& half_acquired() {
  static const SegmentImage image = make_half_acquired();
  return image;
}

struct DeadHolders : BoundedScene {
  DeadHolders() : BoundedScene(dead_holders()) {}
};
struct BuriedHolders : BoundedScene {
  BuriedHolders() : BoundedScene(buried_holders()) {}
};
struct HalfAcquired : BoundedScene {
  HalfAcquired() : BoundedScene(half_acquired()) {}
};

template <class Base, int before = 0>
struct BoundedAcquire : Base {
  void approach() override { this->acquire(before); }
  void operate() override { this->semaphore.acquire(); }
};

template <class Base>
struct BoundedTry : Base {
  void operate() override {
    if (!this->semaphore.try_acquire()) throw std::logic_error("no permit");
  }
};

template <class Base>
struct BoundedValue : Base {
  void operate() override {
    if (this->semaphore.value() != kBound) throw std::logic_error("another value");
  }
};

struct BoundedTryEmpty : BoundedScene {
  std::vector<std::function<bool()>> partners() override { return {holder(kBound)}; }
  void operate() override {
    if (semaphore.try_acquire()) throw std::logic_error("a permit");
  }
};

struct BoundedTryForEmpty : BoundedTryEmpty {
  void operate() override {
    if (semaphore.try_acquire_for(3ms)) throw std::logic_error("a permit");
  }
};

struct BoundedAcquireWaits : BoundedTryEmpty {
  void operate() override { semaphore.acquire(); }
};

// It waits, as another does, and both get one.
struct BoundedAcquireReleased : BoundedScene {
  std::vector<std::function<bool()>> partners() override {
    return {[this] {
              acquire(kBound);
              ++*begun;
              while (!let_go.is_open() && semaphore.waiting() < 2)
                std::this_thread::sleep_for(200us);
              semaphore.release(kBound);
              ++*acquired;
              return true;
            },
            acquirer()};
  }
  void operate() override { semaphore.acquire(); }
};

template <int before, int n>
struct BoundedRelease : BoundedScene {
  void approach() override { acquire(before); }
  void operate() override { semaphore.release(n); }
};

struct BoundedReleaseTooMany : BoundedScene {
  void approach() override { acquire(1); }
  void operate() override {
    try {
      semaphore.release(2);
    } catch (const shoal::NotOwner&) {
    }
  }
};

// Others sleep: they get what is given back, or what the victim cannot hold any more.
template <int sleepers>
struct BoundedReleaseAwaited : BoundedScene {
  void prepare() override { acquire(kBound); }
  std::vector<std::function<bool()>> partners() override {
    return std::vector<std::function<bool()>>(sleepers, acquirer());
  }
  void operate() override { semaphore.release(2); }
};

struct AcquireAndRelease : BoundedScene {
  void operate() override { repair(); }
};

struct AcquireAndReleaseOfTheDead : DeadHolders {
  void operate() override { repair(); }
};

// Long enough to spin, and to sleep twice.
StepOptions waiting(std::size_t instructions) {
  StepOptions options = where_changed();
  options.instructions = instructions;
  return options;
}

// Where an exception is thrown, which shares nothing.
StepOptions told() {
  StepOptions options = where_changed();
  options.instructions = 1500;
  return options;
}

StepOptions each_nth(std::size_t stride, std::size_t stride_in_full) {
  StepOptions options = where_changed();
  options.stride = full_programme() ? stride_in_full : stride;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: semaphore");

TEST_CASE("semaphore: killed while acquiring a permit: at most that one is gone") {
  kill_everywhere<Acquire<2>>("semaphore.acquire, of two", {3, 3, 2}, every_instruction());
  kill_everywhere<Acquire<1>>("semaphore.acquire, the last", {3, 3, 2}, every_instruction());
  kill_everywhere<TryAcquire>("semaphore.try_acquire", {3, 3, 2}, every_instruction());
  kill_everywhere<TryAcquireUntil>("semaphore.try_acquire_for", {3, 3, 2}, every_instruction());
  kill_everywhere<Look>("semaphore.value, waiting", {10, 2, 1});
}

TEST_CASE("semaphore: killed while there is no permit: nothing is taken") {
  kill_everywhere<TryEmpty>("semaphore.try_acquire, empty", {2, 2, 1}, every_instruction());
  kill_everywhere<TryForEmpty>("semaphore.try_acquire_for, empty",
                               {.instructions = 1000, .points = 30, .states = 3, .strays = true},
                               where_changed());
  kill_in_full_programme<AcquireWaits>("semaphore.acquire, waits with another", {1000, 25, 3},
                                       waiting(2600));
  kill_everywhere<AcquireReleased>(
      "semaphore.acquire, waits, then two are released",
      {.instructions = 1000, .points = 35, .states = 4, .strays = true}, waiting(8000));
}

TEST_CASE("semaphore: killed while releasing: all or nothing, and who sleeps goes on") {
  kill_everywhere<Release<1>>("semaphore.release(1)", {5, 5, 2}, every_instruction());
  kill_everywhere<Release<3>>("semaphore.release(3)", {5, 5, 2}, every_instruction());
  kill_everywhere<ReleaseTooMany>("semaphore.release, too many",
                                  {.instructions = 1000, .points = 2, .states = 1, .strays = true},
                                  told());
  kill_everywhere<ReleaseOneTooMany>(
      "semaphore.release, one too many",
      {.instructions = 1000, .points = 3, .states = 2, .strays = true}, told());
  kill_everywhere<ReleaseAwaited<1, 1>>("semaphore.release(1), awaited", {20, 3, 2});
  kill_everywhere<ReleaseAwaited<2, 3>>("semaphore.release(2), awaited by three", {20, 3, 2});
  kill_everywhere<ReleaseAwaited<3, 2>>("semaphore.release(3), awaited by two", {20, 3, 2});
}

TEST_CASE("bounded: killed while acquiring: exactly the dead one's permits come back") {
  kill_everywhere<BoundedAcquire<BoundedScene>>("bounded.acquire, the first", {60, 10, 5});
  kill_everywhere<BoundedAcquire<BoundedScene, 1>>("bounded.acquire, one more", {60, 10, 5});
  kill_everywhere<BoundedAcquire<BoundedScene, 2>>("bounded.acquire, the last", {60, 10, 5});
  kill_everywhere<BoundedTry<BoundedScene>>("bounded.try_acquire", {60, 10, 5});
  kill_everywhere<BoundedTryEmpty>("bounded.try_acquire, others hold all", {60, 4, 2});
  kill_everywhere<BoundedTryForEmpty>(
      "bounded.try_acquire_for, others hold all",
      {.instructions = 1000, .points = 40, .states = 5, .strays = true}, where_changed());
  kill_in_full_programme<BoundedAcquireWaits>("bounded.acquire, waits", {1000, 50, 5},
                                              waiting(3600));
  kill_everywhere<BoundedAcquireReleased>(
      "bounded.acquire, waits, then three are released",
      {.instructions = 1000, .points = 50, .states = 5, .strays = true}, waiting(8000));
}

TEST_CASE("bounded: killed while counting anew what the dead held") {
  kill_everywhere<BoundedAcquire<DeadHolders>>("bounded.acquire, the dead hold all", {100, 12, 6});
  kill_everywhere<BoundedTry<DeadHolders>>("bounded.try_acquire, the dead hold all", {100, 12, 6});
  kill_everywhere<BoundedValue<DeadHolders>>("bounded.value, the dead hold all", {100, 12, 6});
  kill_everywhere<BoundedTry<BuriedHolders>>("bounded.try_acquire, the buried hold all",
                                             {100, 12, 6});
  kill_in_full_programme<BoundedAcquire<HalfAcquired>>(
      "bounded.acquire, half done by a dead process", {1000, 60, 12}, where_changed());
  kill_everywhere<BoundedValue<HalfAcquired>>("bounded.value, half done by a dead process",
                                              {1000, 60, 12}, where_changed());
}

TEST_CASE("bounded: killed while releasing: nothing is lost, and who sleeps goes on") {
  kill_everywhere<BoundedRelease<1, 1>>("bounded.release(1), of one", {60, 10, 5});
  kill_everywhere<BoundedRelease<3, 2>>("bounded.release(2), of three", {60, 10, 5});
  kill_everywhere<BoundedReleaseTooMany>(
      "bounded.release(2), of one", {.instructions = 60, .points = 6, .states = 2, .strays = true},
      told());
  kill_everywhere<BoundedReleaseAwaited<1>>("bounded.release(2), awaited", {100, 6, 4});
  kill_everywhere<BoundedReleaseAwaited<3>>("bounded.release(2), awaited by three", {100, 6, 4});
}

TEST_CASE("bounded: killed after one who was killed") {
  kill_repairers<AcquireAndRelease>("bounded.acquire, release, twice", {120, 40, 10},
                                    each_nth(16, 3));
  kill_repairers<AcquireAndReleaseOfTheDead>("bounded.acquire, release of the dead, twice",
                                             {120, 50, 10}, each_nth(150, 12));
}

TEST_CASE("semaphore: killed or stopped while waiting for a permit, the others get theirs") {
  const Segment segment = Segment::anonymous();
  const Semaphore semaphore(segment, "semaphore", 0);
  const auto acquire = [&] { semaphore.acquire(); };
  kill_a_waiter(acquire, [&] { semaphore.release(); });
  CHECK(semaphore.value() == 0);
  stop_a_waiter(
      acquire, [&] { semaphore.release(2); }, [&] { semaphore.release(); });
  CHECK(semaphore.value() == 0);
  CHECK(semaphore.waiting() == 0);
}

TEST_CASE("bounded: killed or stopped while waiting for a permit, the others get theirs") {
  const Segment segment = Segment::anonymous();
  const BoundedSemaphore semaphore(segment, "semaphore", 1);
  const auto pass = [&] {
    semaphore.acquire();
    semaphore.release();
  };
  semaphore.acquire();
  kill_a_waiter(pass, [&] { semaphore.release(); });
  CHECK(semaphore.try_acquire());
  stop_a_waiter(
      pass, [&] { semaphore.release(); }, [] {});
  CHECK(semaphore.value() == 1);
}

TEST_CASE("bounded: who is stopped keeps its permits, and they come back when it is killed") {
  const Segment segment = Segment::anonymous();
  const BoundedSemaphore semaphore(segment, "semaphore", 2);
  const Gate holding;
  Child holder([&] {
    semaphore.acquire();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  holder.stop();
  CHECK(semaphore.value() == 1);
  semaphore.acquire();
  CHECK_FALSE(semaphore.try_acquire_for(5ms));
  holder.kill();
  CHECK(semaphore.try_acquire());
  CHECK_FALSE(semaphore.try_acquire());
}

TEST_SUITE_END();
