// SPDX-License-Identifier: MIT

// What the support for tests promises: children, gates and names, and that step-kill finds in locks
// that others have built what it is meant to find in ours.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/lockfree/queue.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "os/cpu.hpp"
#include "support/child.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/state_hash.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"
#include "support/trace.hpp"
#include "support/tracee.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;

namespace {

// The locks are stepped through this: take it, change what it protects, and let it go.
struct LockScene : Scene {
  Shared<std::int64_t> counter;

  virtual bool lock() = 0;  // false: it cannot be had any more
  virtual void unlock() = 0;

  void prepare() override { operate(); }
  void operate() override {
    lock();
    *counter = *counter + 1;
    unlock();
  }
  std::string survive(const Fate&) override {
    for (int turn = 0; turn < 3; ++turn) {
      if (!lock()) return "the lock is not to be had";
      unlock();
    }
    return "";
  }
};

struct MutexScene : LockScene {
  Shared<pthread_mutex_t> mutex;

  explicit MutexScene(int robustness) {
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&attributes, robustness);
    ::pthread_mutex_init(&*mutex, &attributes);
  }

  bool lock() override {
    const int error = ::pthread_mutex_lock(&*mutex);
    if (error == EOWNERDEAD) return ::pthread_mutex_consistent(&*mutex) == 0;
    return error == 0;
  }
  void unlock() override { ::pthread_mutex_unlock(&*mutex); }
  std::uint64_t state() override { return hash_of(mutex->__data.__lock != 0); }
};

struct PlainMutex : MutexScene {
  PlainMutex() : MutexScene(PTHREAD_MUTEX_STALLED) {}
};

struct RobustMutex : MutexScene {
  RobustMutex() : MutexScene(PTHREAD_MUTEX_ROBUST) {}
};

struct SemaphoreAsLock : LockScene {
  Shared<sem_t> semaphore;

  SemaphoreAsLock() { ::sem_init(&*semaphore, 1, 1); }
  bool lock() override { return ::sem_wait(&*semaphore) == 0; }
  void unlock() override { ::sem_post(&*semaphore); }
  std::uint64_t state() override { return hash_of(*semaphore); }
};

// Another process waits for the lock while its holder is stepped through unlock and killed.
struct ContendedMutex : RobustMutex {
  void prepare() override { lock(); }
  std::vector<std::function<bool()>> partners() override {
    return {[this] {
      const bool taken = lock();
      unlock();
      return taken;
    }};
  }
  void operate() override { unlock(); }
};

// A survivor that is killed between taking an abandoned mutex and making it consistent leaves it
// abandoned, not lost.
struct RepairedMutex : RobustMutex {
  void repair() override {
    lock();
    unlock();
  }
};

// Survivors may drain a queue, and then it takes as many as ever.
template <class Q>
struct QueueScene : Scene {
  static constexpr std::size_t kCapacity = 4;
  Shared<Q> queue;

  virtual void push(std::uint64_t item) = 0;
  virtual void pop() = 0;

  void prepare() override { operate(); }
  void operate() override {
    push(7);
    pop();
  }
  std::uint64_t state() override { return hash_of(*queue); }
};

// No node of it is ever made or freed: it has them all from the beginning.
using LockfreeQueue = boost::lockfree::queue<std::uint64_t, boost::lockfree::capacity<4>>;
struct LockfreeWords {
  alignas(LockfreeQueue) std::array<std::byte, sizeof(LockfreeQueue)> bytes;
};
struct LockfreeScene : QueueScene<LockfreeWords> {
  LockfreeScene() { ::new (&queue->bytes) LockfreeQueue; }
  LockfreeQueue& words() const { return *std::launder(reinterpret_cast<LockfreeQueue*>(&*queue)); }

  void push(std::uint64_t item) override { words().push(item); }
  void pop() override {
    std::uint64_t item = 0;
    words().pop(item);
  }
  std::string survive(const Fate&) override {
    std::uint64_t item = 0;
    while (words().pop(item)) {
    }
    std::size_t pushed = 0;
    while (words().push(9)) ++pushed;
    return pushed == kCapacity ? "" : "there is room for " + std::to_string(pushed);
  }
};

// Dmitry Vyukov, "Bounded MPMC queue" (2010), without more: nobody knows whose a claimed place is.
struct BareRing {
  struct Slot {
    std::atomic<std::uint64_t> turn;
    std::uint64_t item;
  };
  std::array<Slot, 4> slots;
  std::atomic<std::uint64_t> tail, head;

  // Waits for its turn there; the place is then its own.
  Slot& claim(std::atomic<std::uint64_t>& end, std::uint64_t ready) {
    for (;; ::sched_yield()) {
      std::uint64_t position = end.load();
      if (slots[position % 4].turn.load() == position + ready &&
          end.compare_exchange_strong(position, position + 1))
        return slots[position % 4];
    }
  }
  void push(std::uint64_t item) {
    Slot& slot = claim(tail, 0);
    slot.item = item;
    slot.turn.fetch_add(1);
  }
  std::uint64_t pop() {
    Slot& slot = claim(head, 1);
    const std::uint64_t item = slot.item;
    slot.turn.fetch_add(3);
    return item;
  }
};
struct BareRingScene : QueueScene<BareRing> {
  BareRingScene() {
    for (std::size_t i = 0; i < 4; ++i) queue->slots[i].turn = i;
  }
  void push(std::uint64_t item) override { queue->push(item); }
  void pop() override { queue->pop(); }
  // One push and one pop after the other, round and round.
  std::string survive(const Fate&) override {
    for (std::size_t i = 0; i < 3 * kCapacity; ++i) operate();
    return "";
  }
};

// Five stores to a shared page, then three system calls on a file.
struct StoresAndCalls : Scene {
  Shared<std::array<std::atomic<int>, 5>> words;
  TempName name;

  void operate() override {
    for (auto& word : *words) word.store(7, std::memory_order_relaxed);
    const int file = ::open(name.path().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    static_cast<void>(::ftruncate(file, 4096));
    ::close(file);
  }
  std::string survive(const Fate&) override {
    // A survivor sees a prefix of the stores; each prefix has to be seen.
    int stored = 0;
    for (auto& word : *words) stored += word.load() == 7;
    struct stat facts {};
    const bool made = ::stat(name.path().c_str(), &facts) == 0;
    return made && stored < 5 ? "the file was made before the stores" : "";
  }
  std::uint64_t state() override {
    return hash_of_both(hash_of(*words), hash_of_file(name.path()));
  }
};

// The child it forks is nobody's: it ends by itself.
struct Forks : Scene {
  SharedCounter children;
  void operate() override {
    if (::fork() != 0) return;
    ++*children;
    ::_exit(0);
  }
  std::string survive(const Fate& fate) override {
    while (fate.completed && *children == 0) ::sched_yield();
    return "";
  }
};

struct Crashes : Scene {
  void operate() override { ::raise(SIGSEGV); }
  std::string survive(const Fate&) override { return ""; }
};

struct SleepsForGood : Scene {
  SharedCounter begun;
  void operate() override {
    ++*begun;
    sleep_forever();
  }
  std::string survive(const Fate& fate) override { return fate.completed ? "impossible" : ""; }
};

// Its way would be another one wherever more time passes than in the first walk.
struct LooksAtCounter : Scene {
  Shared<std::uint64_t> before, between;
  void prepare() override { *before = shoal::os::ticks(); }
  void operate() override {
    *between = shoal::os::ticks() - *before;
    for (std::uint64_t i = 0; i < *between / kTicks; ++i) *before = i;
  }
  std::string survive(const Fate& fate) override {
    return fate.completed && *between != kTicks ? "measured" : "";
  }
};

struct Complains : Scene {
  SharedCounter done;
  void operate() override { ++*done; }
  std::string survive(const Fate& fate) override {
    if (fate.completed && *done != 1) return "completed, but nothing done";
    return *done == 1 ? "done" : "";
  }
};

StepOptions all_failures() {
  StepOptions options;
  options.watchdog = 50ms;  // enough for these survivors to hang convincingly
  options.failures = 100'000;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("test support");

TEST_CASE("a child that returns true, 0 or nothing succeeds, others do not") {
  CHECK(Child([] { return true; }).succeeds());
  CHECK(Child([] { return 0; }).succeeds());
  CHECK(Child([] {}).succeeds());
  CHECK_FALSE(Child([] { return false; }).succeeds());
  CHECK(Child([] { return 7; }).exit_status() == 7);
  CHECK(Child([] { ::raise(SIGKILL); }).exit_status() == -SIGKILL);
}

TEST_CASE("an exception in a child is a failure") {
  CHECK(Child([] { throw std::runtime_error("thrown on purpose"); }).exit_status() == 1);
}

TEST_CASE("a child that hangs is killed at its deadline") {
  Child child([] { return sleep_forever(); }, 20ms);
  CHECK_FALSE(child.succeeds());
  CHECK(child.timed_out());
  CHECK(::kill(child.pid(), 0) == -1);
}

TEST_CASE("a child is killed when its Child is destroyed") {
  pid_t pid = 0;
  {
    Child child([] { return sleep_forever(); });
    pid = child.pid();
    CHECK(::kill(pid, 0) == 0);
  }
  CHECK(::kill(pid, 0) == -1);
}

TEST_CASE("a stopped child does nothing until it is resumed") {
  Gate stopped;
  SharedCounter seen;
  Child child([&] {
    while (!stopped.is_open()) ++*seen;
  });
  child.stop();
  const auto before = seen->load();
  stopped.open();
  CHECK(seen->load() == before);
  CHECK_FALSE(child.ends_by(std::chrono::steady_clock::now()));
  child.resume();
  CHECK(child.succeeds());
}

TEST_CASE("wait_until_asleep returns once a child sleeps, and throws if it ends instead") {
  Child sleeper([] { return sleep_forever(); });
  sleeper.wait_until_asleep();
  Child other([] { return true; });
  CHECK_THROWS_AS(other.wait_until_asleep(), std::runtime_error);
}

TEST_CASE("an ExecChild runs a scenario with its arguments") {
  const TempName name;
  CHECK(ExecChild("same", name, name.str()).succeeds());
  CHECK_FALSE(ExecChild("same", name, "another").succeeds());
  CHECK(ExecChild("no such scenario").exit_status() == 126);
}

TEST_CASE("a gate lets through what waits for it in another process") {
  const Gate there, back;
  const Shared<int> passed;
  Child child([&] {
    there.wait();
    *passed = 1;
    back.open();
  });
  CHECK_FALSE(back.is_open());
  there.open();
  back.wait();
  CHECK(*passed == 1);
  CHECK(child.succeeds());
}

TEST_CASE("a gate that nobody opens throws") {
  CHECK_THROWS_AS(Gate().wait(5ms), std::runtime_error);
}

TEST_CASE("names are valid and unique, and their file goes with them") {
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) names.insert(TempName().str());
  CHECK(names.size() == 100);
  CHECK(names.begin()->size() <= 63);
  std::string path;
  {
    const TempName name;
    path = name.path();
    ::close(::open(path.c_str(), O_CREAT | O_WRONLY, 0600));
    CHECK(Child([&] { name.~TempName(); }).succeeds());  // not its maker
    CHECK(::access(path.c_str(), F_OK) == 0);
  }
  CHECK(::access(path.c_str(), F_OK) == -1);
}

TEST_CASE("step-kill finds that a plain process-shared mutex is lost with its holder") {
  const StepReport report = step_kill<PlainMutex>("plain mutex", all_failures());
  CHECK(report.points >= 40);
  CHECK(report.hangs >= 20);
  CHECK(report.hangs < report.points);
  CHECK(report.wrong == 0);
}

TEST_CASE("step-kill finds that a semaphore used as a lock is lost with its holder") {
  const StepReport report = step_kill<SemaphoreAsLock>("semaphore as lock", all_failures());
  CHECK(report.points >= 25);
  CHECK(report.hangs >= 10);
  CHECK(report.hangs < report.points);
  CHECK(report.wrong == 0);
}

TEST_CASE("step-kill finds that boost::lockfree::queue loses capacity with its users") {
  const StepReport report = step_kill<LockfreeScene>("boost::lockfree::queue", all_failures());
  CHECK(report.points >= 60);
  CHECK(report.wrong >= 15);
  CHECK(report.wrong < report.points);
  CHECK(report.hangs == 0);
}

TEST_CASE("step-kill finds that a ring whose claims name nobody is wedged by its users") {
  const StepReport report = step_kill<BareRingScene>("bare ring", all_failures());
  CHECK(report.points >= 25);
  CHECK(report.hangs >= 5);
  CHECK(report.hangs < report.points);
  CHECK(report.wrong == 0);
}

TEST_CASE("step-kill finds nothing wrong with a robust mutex used properly") {
  const StepReport report = step_kill<RobustMutex>("robust mutex");
  CHECK(report.points >= 80);
  CHECK(report.states >= 2);
  CHECK(report.completed >= 1);
  CHECK(report.strays == 0);
  CHECK(report.hangs == 0);
  CHECK(report.wrong == 0);
}

TEST_CASE("step-kill waits for partners to sleep, and for their end") {
  const StepReport report = step_kill<ContendedMutex>("robust mutex, contended unlock");
  CHECK(report.points >= 20);
  CHECK(report.states >= 2);
  CHECK(report.hangs == 0);
  CHECK(report.wrong == 0);
}

TEST_CASE("step-kill kills the repairer too") {
  StepOptions options;
  options.stride = 40;
  const StepReport report = step_kill_repair<RepairedMutex>("robust mutex, repair", options);
  CHECK(report.points >= 500);
  CHECK(report.hangs == 0);
  CHECK(report.wrong == 0);
}

TEST_CASE("step-kill at changes stops at each store and each system call") {
  StepOptions options;
  options.points = Points::at_changes;
  const StepReport report = step_kill<StoresAndCalls>("five stores, three calls", options);
  CHECK(report.changes == 7);  // close changes nothing here
  CHECK(report.states == 8);
  CHECK(report.points >= 8);
  CHECK(report.points < report.instructions);
  CHECK(report.wrong == 0);
}

TEST_CASE("step-kill kills a victim that sleeps for good in its sleep, too") {
  StepOptions options;
  options.watchdog = 100ms;
  const StepReport report = step_kill<SleepsForGood>("sleeps for good", options);
  CHECK(report.points >= 3);
  CHECK(report.completed == 0);
  CHECK(report.strays == 0);
  CHECK(report.wrong == 0);
}

TEST_CASE("step-kill steps through an operation that forks, without breakpoints") {
  StepOptions options;
  options.points = Points::at_changes;
  options.forks = true;
  const StepReport report = step_kill<Forks>("forks", options);
  CHECK(report.points >= 3);
  CHECK(report.completed >= 1);
  CHECK(report.hangs == 0);
  CHECK(report.wrong == 0);
}

TEST_CASE("a victim's time is counted, not measured") {
  const StepReport report = step_kill<LooksAtCounter>("looks at the counter");
  CHECK(report.completed >= 1);
  CHECK(report.strays == 0);
  CHECK(report.hangs == 0);
  CHECK(report.wrong == 0);
}

TEST_CASE("step-kill gives up after the failures it was allowed, and says what is wrong") {
  StepOptions options;
  options.failures = 2;
  const StepReport report = step_kill<Complains>("complains on purpose", options);
  CHECK(report.wrong == 2);
}

TEST_CASE("a scene whose victim crashes fails the test") {
  CHECK_THROWS_AS(step_kill<Crashes>("crashes on purpose"), std::runtime_error);
}

TEST_CASE("of a repeated string instruction, few rounds are points") {
  Trace trace;
  trace.add({100, 0, false});
  for (std::uint64_t round = 0; round < 100; ++round) trace.add({101, round, false});
  trace.add({103, 99, false});
  trace.finish(Trace::End::completed);
  CHECK(trace.last() == 101);
  CHECK(trace.changes() == 99);
  CHECK(trace.points(Points::every_instruction) == std::vector<std::size_t>{0, 1, 101});
  CHECK(trace.points(Points::at_changes).size() < 25);  // 1, 2, 4, ... 64 and their neighbours
  CHECK(trace.route(101).steps == 0);
}

TEST_CASE("a route leads to the stop that stepping leads to") {
  const auto body = [] {
    volatile int sum = 0;
    mark();
    for (int i = 0; i < 100; ++i) sum = sum + i;
    mark();
  };
  Trace trace;
  Tracee first(body, 1s);
  REQUIRE(first.run());
  for (int i = 0; i < 100 && first.step(); ++i) trace.add({first.where(), 0, false});
  for (std::size_t stop = 0; stop <= trace.last(); stop += 7) {
    const Route route = trace.route(stop);
    Tracee tracee(body, 1s);
    REQUIRE(tracee.run());
    REQUIRE(tracee.run_to(trace.start(), 1));
    if (route.times > 0) REQUIRE(tracee.run_to(route.address, route.times));
    for (std::size_t i = 0; i < route.steps; ++i) REQUIRE(tracee.step());
    Tracee stepped(body, 1s);
    REQUIRE(stepped.run());
    for (std::size_t i = 0; i <= stop; ++i) REQUIRE(stepped.step());
    CHECK(tracee.where() == stepped.where());
  }
}

TEST_SUITE_END();
