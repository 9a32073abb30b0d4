// SPDX-License-Identifier: MIT

// The promises of shoal/lock.hpp: holding, waiting, time, death, recovery, fork.

#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <shoal/shoal.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "machine.hpp"
#include "support/child.hpp"
#include "support/expect.hpp"
#include "support/full_programme.hpp"
#include "support/gate.hpp"
#include "support/patience.hpp"
#include "support/segment_bytes.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using doctest::Contains;
using shoal::Lock;
using shoal::OnOwnerDeath;
using shoal::Open;
using shoal::Segment;
using std::chrono::steady_clock;

namespace {

// Takes the lock, and lets it go.
void take_turn(const Lock& lock) { const std::scoped_lock held(lock); }

struct Shop {
  TempName name;
  Segment segment{name};
  Lock lock{segment, "lock"};
};

using Children = std::vector<std::unique_ptr<Child>>;

template <class F>
void add(Children& children, F body, std::chrono::milliseconds deadline = Child::kDeadline) {
  children.push_back(std::make_unique<Child>(body, deadline));
}

bool all_succeed(Children& children) {
  bool all = true;
  for (auto& child : children) all = child->succeeds() && all;
  return all;
}

// A child that has the lock and keeps it.
class Holder {
 public:
  explicit Holder(const Lock& lock, std::chrono::milliseconds deadline = 60s)
      : child_(
            [this, &lock] {
              lock.lock();
              *tid_ = ::gettid();
              holding_.open();
              return sleep_forever();
            },
            deadline) {
    holding_.wait();
  }
  Child& child() { return child_; }
  pid_t pid() const { return child_.pid(); }
  pid_t tid() const { return static_cast<pid_t>(tid_->load()); }
  void kill() { child_.kill(); }

 private:
  SharedCounter tid_;
  Gate holding_;
  Child child_;
};

// Finds the lock held by another handle so often that it learns to come later.
void come_too_early(const Lock& lock, const Lock& another) {
  const std::scoped_lock held(another);
  for (int i = 0; i < 20; ++i) CHECK_FALSE(lock.try_lock_for(1ns));
}

pid_t die_holding(const Lock& lock) {
  Holder holder(lock);
  holder.kill();
  return holder.pid();
}

// Is the call refused because that process died holding it?
template <class F>
bool tells_of(pid_t dead, F call) {
  try {
    static_cast<void>(call());
  } catch (const shoal::OwnerDied& died) {
    return died.owner().pid == dead;
  }
  return false;
}

std::string this_program() { return std::string(program_invocation_short_name).substr(0, 15); }

// A sanitizer's own needs are not the lock's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// From here on, any system call but the end of the process is its death, by SIGSYS.
bool forbid_system_calls() {
  if (kSanitized) return false;
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(filter)), filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

// membarrier answers EPERM, as some containers make it.
bool forbid_membarrier() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(filter)), filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

template <class Time>
concept CanWaitUntil = requires(const Lock& lock, Time time) {
  lock.try_lock_until(time);
};
static_assert(CanWaitUntil<steady_clock::time_point>);
static_assert(CanWaitUntil<std::chrono::time_point<steady_clock, std::chrono::duration<double>>>);
static_assert(!CanWaitUntil<std::chrono::system_clock::time_point>, "no wall clock");
static_assert(
    std::is_same_v<decltype(std::declval<const Lock&>().recover()), std::unique_lock<const Lock>>);
static_assert(std::is_copy_constructible_v<Lock> && std::is_nothrow_move_constructible_v<Lock>);
static_assert(std::is_copy_assignable_v<Lock> && std::is_nothrow_move_assignable_v<Lock>);
static_assert(!std::is_default_constructible_v<Lock>);

}  // namespace

// Holding.

TEST_CASE("a Lock is held by one process at a time, and works with the std guards") {
  const Shop shop;
  const Lock& lock = shop.lock;
  const auto is_taken = [&] {
    Child child([&] {
      const bool taken = lock.try_lock();
      if (taken) lock.unlock();
      return !taken;
    });
    return child.succeeds();
  };
  CHECK_FALSE(is_taken());
  {
    std::scoped_lock held(lock);
    CHECK(is_taken());
  }
  {
    std::lock_guard held(lock);
    CHECK(is_taken());
  }
  {
    std::unique_lock held(lock, std::defer_lock);
    CHECK_FALSE(held.owns_lock());
    CHECK(held.try_lock());
    CHECK(is_taken());
    held.unlock();
    CHECK(held.try_lock_for(1ms));
    held.unlock();
    CHECK(held.try_lock_until(steady_clock::now()));
    held.unlock();
    held.lock();
    CHECK(is_taken());
  }
  {
    Lock other(shop.segment, "other");
    std::scoped_lock both(shop.lock, other);
    CHECK(other.is_locked());
    CHECK(is_taken());
  }
  CHECK_FALSE(is_taken());
  CHECK_FALSE(lock.is_locked());
}

TEST_CASE("try_lock is false where somebody alive holds it, this process included") {
  const Shop shop;
  Holder holder(shop.lock);
  CHECK_FALSE(shop.lock.try_lock());
  CHECK_FALSE(shop.lock.try_lock_for(1ms));
  holder.kill();
  shop.lock.recover().unlock();
  CHECK(shop.lock.try_lock());
  CHECK_FALSE(shop.lock.try_lock());
  bool taken = true;
  std::thread([&] { taken = shop.lock.try_lock(); }).join();
  CHECK_FALSE(taken);
  shop.lock.unlock();
}

TEST_CASE(
    "lock() of a lock that this process holds already waits, as a lock that is not recursive") {
  const Shop shop;
  Child child([&] {
    shop.lock.lock();
    return !shop.lock.try_lock_for(150ms);
  });
  CHECK(child.succeeds());
}

TEST_CASE("any thread of the process that holds it may unlock it, the locker ended or not") {
  const Shop shop;
  std::thread([&] { shop.lock.lock(); }).join();
  CHECK(shop.lock.is_locked());  // a thread that ends leaves it held
  Child rival([&] { return !shop.lock.try_lock_for(300ms); });
  CHECK(rival.succeeds());
  shop.lock.unlock();
  CHECK_FALSE(shop.lock.is_locked());
  shop.lock.lock();
  std::thread([&] { shop.lock.unlock(); }).join();
  CHECK(shop.lock.try_lock());
  shop.lock.unlock();
}

TEST_CASE("unlock by who does not hold it throws NotOwner and changes nothing") {
  const Shop shop;
  CHECK_THROWS_WITH_AS(shop.lock.unlock(), Contains("nobody does"), shoal::NotOwner);
  shop.lock.lock();
  shop.lock.unlock();
  CHECK_THROWS_AS(shop.lock.unlock(), shoal::NotOwner);
  CHECK_THROWS_AS(shop.lock.unlock(), shoal::NotOwner);
  CHECK_FALSE(shop.lock.is_locked());
  {
    Holder holder(shop.lock);
    CHECK_THROWS_WITH_AS(shop.lock.unlock(), Contains(std::to_string(holder.pid()).c_str()),
                         shoal::NotOwner);
    CHECK_THROWS_WITH_AS(shop.lock.unlock(), Contains("lock 'lock'"), shoal::NotOwner);
    CHECK(shop.lock.is_locked());
    CHECK_FALSE(shop.lock.try_lock());
  }
  CHECK_THROWS_AS(shop.lock.unlock(), shoal::NotOwner);  // abandoned now
  CHECK_THROWS_AS(shop.lock.lock(), shoal::OwnerDied);
  CHECK_THROWS_AS(shop.lock.unlock(), shoal::NotOwner);
  shop.lock.recover().unlock();
  CHECK_THROWS_AS(shop.lock.unlock(), shoal::NotOwner);
}

TEST_CASE("is_locked and owner tell who holds it: pid, thread, program") {
  const Shop shop;
  CHECK_FALSE(shop.lock.is_locked());
  CHECK_FALSE(shop.lock.owner().has_value());
  shop.lock.lock();
  REQUIRE(shop.lock.owner().has_value());
  CHECK(shop.lock.owner()->pid == ::getpid());
  CHECK(shop.lock.owner()->tid == ::gettid());
  CHECK(shop.lock.owner()->process == this_program());
  shop.lock.unlock();
  std::thread([&] {
    shop.lock.lock();
    CHECK(shop.lock.owner()->tid == ::gettid());
    shop.lock.unlock();
  }).join();
  Holder holder(shop.lock);
  CHECK(shop.lock.owner()->pid == holder.pid());
  CHECK(shop.lock.owner()->tid == holder.tid());
}

TEST_CASE("two names are two locks; two handles of one name are one lock") {
  const Shop shop;
  const Lock other(shop.segment, "other");
  const Lock same(shop.segment, "lock");
  std::scoped_lock held(shop.lock);
  CHECK(same.is_locked());
  CHECK_FALSE(other.is_locked());
  CHECK(other.try_lock());
  other.unlock();
}

TEST_CASE("a lock whose handles are destroyed while it is held is still held, and found by name") {
  const TempName name;
  {
    const Segment segment(name);
    const Lock lock(segment, "lock");
    lock.lock();
  }
  Child rival([&] {
    const Lock lock(Segment(name), "lock", Open::existing);
    return !lock.try_lock() && !lock.try_lock_for(150ms);
  });
  CHECK(rival.succeeds());
  const Lock again(Segment(name), "lock", Open::existing);
  CHECK(again.is_locked());
  CHECK(again.owner()->pid == ::getpid());
  again.unlock();
  CHECK_THROWS_AS(again.unlock(), shoal::NotOwner);
}

// Time.

TEST_CASE("times that are zero, negative, past or NaN do not wait") {
  using Seconds = std::chrono::duration<double>;
  using Past = std::chrono::time_point<steady_clock, Seconds>;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const Shop shop;
  const auto check = [&](bool expected) {
    const auto is = [&](bool got) {
      if (got) shop.lock.unlock();
      return got == expected;
    };
    CHECK(is(shop.lock.try_lock_for(0s)));
    CHECK(is(shop.lock.try_lock_for(-1ns)));
    CHECK(is(shop.lock.try_lock_for(-1h)));
    CHECK(is(shop.lock.try_lock_for(std::chrono::hours::min())));
    CHECK(is(shop.lock.try_lock_for(std::chrono::nanoseconds::min())));
    CHECK(is(shop.lock.try_lock_for(Seconds(0.0))));
    CHECK(is(shop.lock.try_lock_for(Seconds(-0.0))));
    CHECK(is(shop.lock.try_lock_for(Seconds(-0.5))));
    CHECK(is(shop.lock.try_lock_for(Seconds(-infinity))));
    CHECK(is(shop.lock.try_lock_for(Seconds(nan))));
    CHECK(is(shop.lock.try_lock_for(
        std::chrono::duration<float>(std::numeric_limits<float>::lowest()))));
    CHECK(is(shop.lock.try_lock_for(std::chrono::duration<unsigned>(0))));
    CHECK(is(shop.lock.try_lock_until(steady_clock::time_point::min())));
    CHECK(is(shop.lock.try_lock_until(steady_clock::time_point{})));
    CHECK(is(shop.lock.try_lock_until(steady_clock::now())));
    CHECK(is(shop.lock.try_lock_until(steady_clock::now() - 1h)));
    CHECK(is(shop.lock.try_lock_until(Past(Seconds(nan)))));
    CHECK(is(shop.lock.try_lock_until(Past(Seconds(-infinity)))));
    CHECK(is(shop.lock.try_lock_until(
        std::chrono::time_point<steady_clock, std::chrono::hours>(std::chrono::hours::min()))));
  };
  check(true);
  Holder holder(shop.lock);
  check(false);
}

TEST_CASE("a timed form waits at least its time, and takes the lock when it comes free") {
  const Shop shop;
  std::optional<Holder> holder(std::in_place, shop.lock);
  for (const auto wait : {1ms, 30ms, 120ms, 260ms}) {
    const auto begin = steady_clock::now();
    CHECK_FALSE(shop.lock.try_lock_for(wait));
    CHECK(steady_clock::now() - begin >= wait);
    const auto end = steady_clock::now() + wait;
    CHECK_FALSE(shop.lock.try_lock_until(end));
    CHECK(steady_clock::now() >= end);
  }
  const auto begin = steady_clock::now();
  CHECK_FALSE(shop.lock.try_lock_for(std::chrono::duration<double, std::milli>(1.5)));
  CHECK(steady_clock::now() - begin >= 1500us);
  CHECK_FALSE(shop.lock.try_lock_for(std::chrono::duration<double, std::nano>(0.1)));
}

TEST_CASE("huge and infinite times wait for ever, and nothing overflows") {
  using Seconds = std::chrono::duration<double>;
  const double infinity = std::numeric_limits<double>::infinity();
  const Shop shop;
  const auto waits = [&](auto take) {
    shop.lock.lock();
    Child waiter([&] {
      const bool taken = take();
      if (taken) shop.lock.unlock();
      return taken;
    });
    waiter.wait_until_asleep();
    shop.lock.unlock();
    return waiter.succeeds();
  };
  CHECK(waits([&] { return shop.lock.try_lock_for(std::chrono::hours::max()); }));
  CHECK(waits([&] { return shop.lock.try_lock_for(std::chrono::nanoseconds::max()); }));
  CHECK(waits([&] { return shop.lock.try_lock_for(std::chrono::years(5000)); }));
  CHECK(waits([&] { return shop.lock.try_lock_for(std::chrono::hours(24 * 366 * 99)); }));
  CHECK(waits([&] { return shop.lock.try_lock_for(Seconds(infinity)); }));
  CHECK(waits([&] { return shop.lock.try_lock_for(Seconds(1e300)); }));
  CHECK(waits([&] { return shop.lock.try_lock_for(std::chrono::duration<float>(1e30F)); }));
  CHECK(waits(
      [&] { return shop.lock.try_lock_for(std::chrono::duration<std::uint64_t>(UINT64_MAX)); }));
  CHECK(waits([&] { return shop.lock.try_lock_until(steady_clock::time_point::max()); }));
  CHECK(waits([&] {
    return shop.lock.try_lock_until(
        std::chrono::time_point<steady_clock, Seconds>(Seconds(infinity)));
  }));
  CHECK(waits([&] {
    return shop.lock.try_lock_until(
        std::chrono::time_point<steady_clock, std::chrono::hours>(std::chrono::hours::max()));
  }));
}

// Waiting.

TEST_CASE("who waits gets the lock when it is unlocked") {
  const Shop shop;
  shop.lock.lock();
  Child first([&] { std::scoped_lock held(shop.lock); });
  Child second([&] {
    const std::unique_lock held(shop.lock, 5s);
    return held.owns_lock();
  });
  first.wait_until_asleep();
  second.wait_until_asleep();
  shop.lock.unlock();
  CHECK(first.succeeds());
  CHECK(second.succeeds());
}

TEST_CASE("a hundred that wait at once all get it") {
  const Shop shop;
  const SharedCounter count;
  shop.lock.lock();
  Children waiters;
  for (int i = 0; i < 100; ++i)
    add(
        waiters,
        [&] {
          std::scoped_lock held(shop.lock);
          count->store(count->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        },
        30s);
  for (auto& waiter : waiters) waiter->wait_until_asleep();
  shop.lock.unlock();
  CHECK(all_succeed(waiters));
  CHECK(*count == 100);
  CHECK_FALSE(shop.lock.is_locked());
}

TEST_CASE("a hundred threads that wait at once all get it") {
  const Shop shop;
  int count = 0;
  std::atomic<int> ready = 0;
  shop.lock.lock();
  std::vector<std::thread> threads;
  for (int i = 0; i < 100; ++i)
    threads.emplace_back([&] {
      ++ready;
      std::scoped_lock held(shop.lock);
      ++count;
    });
  while (ready < 100) ::sched_yield();
  shop.lock.unlock();
  for (std::thread& thread : threads) thread.join();
  CHECK(count == 100);
}

TEST_CASE("signals do not end a wait, nor a process's errno change") {
  const Shop shop;
  shop.lock.lock();
  const Gate ready;
  const SharedCounter handled;
  static const SharedCounter* signals;
  signals = &handled;
  Child waiter([&] {
    struct sigaction action {};
    action.sa_handler = [](int) { ++**signals; };
    ::sigaction(SIGUSR1, &action, nullptr);
    ready.open();
    errno = 4711;
    shop.lock.lock();
    return errno == 4711;
  });
  ready.wait();
  waiter.wait_until_asleep();
  for (int i = 1; i <= 20; ++i) {
    ::kill(waiter.pid(), SIGUSR1);
    while (*handled < i) ::sched_yield();
  }
  CHECK_FALSE(waiter.ends_by(steady_clock::time_point::min()));
  shop.lock.unlock();
  CHECK(waiter.succeeds());
}

TEST_CASE("signals do not shorten a timed wait") {
  const Shop shop;
  shop.lock.lock();
  Child waiter([&] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR2, &action, nullptr);
    const pid_t self = ::getpid();
    std::atomic<bool> over = false;
    std::thread shooter([&] {
      while (!over) ::kill(self, SIGUSR2);
    });
    const auto begin = steady_clock::now();
    const bool taken = shop.lock.try_lock_for(200ms);
    const bool right = !taken && steady_clock::now() - begin >= 200ms;
    over = true;
    shooter.join();
    return right;
  });
  CHECK(waiter.succeeds());
  shop.lock.unlock();
}

TEST_CASE("nobody starves: a waiter gets the lock from one that takes it again and again") {
  const Shop shop;
  const Gate over;
  const SharedCounter turns;
  Child greedy(
      [&] {
        while (!over.is_open()) {
          std::scoped_lock held(shop.lock);
          ++*turns;
        }
      },
      60s);
  while (*turns < 1000) ::sched_yield();
  for (int i = 0; i < 50; ++i) {
    shop.lock.lock();
    shop.lock.unlock();
  }
  over.open();
  CHECK(greedy.succeeds());
}

TEST_CASE("a waiter that has waited too long and is killed keeps nobody out") {
  const Shop shop;
  const Gate over;
  const SharedCounter turns;
  Child busy(
      [&] {
        while (!over.is_open()) {
          std::scoped_lock held(shop.lock);
          ++*turns;
        }
      },
      60s);
  for (int i = 0; i < 30; ++i) {
    shop.lock.lock();
    Children waiters;
    for (int w = 0; w < 2; ++w)
      add(waiters, [&] {
        shop.lock.lock();
        return sleep_forever();
      });
    for (auto& waiter : waiters) waiter->wait_until_asleep();
    ::usleep(5000);  // past its patience: whichever way, the rest must hold
    for (auto& waiter : waiters) waiter->kill();
    const std::int64_t before = *turns;
    shop.lock.unlock();
    while (*turns < before + 100) ::sched_yield();
  }
  over.open();
  CHECK(busy.succeeds());
}

TEST_CASE("lock and unlock make no system call while nobody waits") {
  const Shop shop;
  Child child([&] {
    take_turn(shop.lock);
    if (!forbid_system_calls()) return 7;
    for (int i = 0; i < 1000; ++i) {
      std::scoped_lock held(shop.lock);
      if (shop.lock.try_lock()) return 1;
    }
    return 0;
  });
  const int status = child.exit_status();
  if (status == 7)
    MESSAGE("skipped 1: a sanitizer, or no seccomp here");
  else
    CHECK(status == 0);
}

TEST_CASE("waiters that were killed cost no system call per unlock") {
  const Shop shop;
  const Gate locked;
  const Gate killed;
  Child holder([&] {
    shop.lock.lock();
    locked.open();
    killed.wait();
    shop.lock.unlock();  // may wake: somebody was asleep
    take_turn(shop.lock);
    if (!forbid_system_calls()) return 7;
    for (int i = 0; i < 1000; ++i) std::scoped_lock held(shop.lock);
    return 0;
  });
  locked.wait();
  Children waiters;
  for (int i = 0; i < 3; ++i) add(waiters, [&] { shop.lock.lock(); });
  for (auto& waiter : waiters) waiter->wait_until_asleep();
  waiters.clear();
  killed.open();
  const int status = holder.exit_status();
  if (status == 7)
    MESSAGE("skipped 1: a sanitizer, or no seccomp here");
  else
    CHECK(status == 0);
}

TEST_CASE("where membarrier is forbidden the lock is slower, and as right") {
  const TempName name;
  const Segment segment(name);
  const shoal::Value<std::int64_t> counter(segment, "n");
  const auto work = [&](int times) {
    const Lock lock(Segment(name), "lock");
    for (int i = 0; i < times; ++i) {
      std::scoped_lock held(lock);
      counter.get_obj() = counter.get_obj() + 1;
    }
  };
  // A fresh program: a fork inherits its parent's registration.
  Children children;
  add(
      children, [&] { work(20000); }, 60s);
  for (int i = 0; i < 2; ++i)
    add(
        children,
        [&] {
          if (!forbid_membarrier()) return false;
          work(20000);
          const Lock lock(Segment(name), "lock");
          if (lock.is_locked() && lock.owner()->pid == ::getpid()) return false;
          try {
            lock.unlock();
            return false;
          } catch (const shoal::NotOwner&) {
            return true;
          }
        },
        60s);
  CHECK(all_succeed(children));
  CHECK(counter.load() == 60000);
}

// Death.

TEST_CASE("an abandoned lock throws OwnerDied from lock, try_lock and the timed forms, not held") {
  const Shop shop;
  const pid_t dead = die_holding(shop.lock);
  CHECK(tells_of(dead, [&] { return shop.lock.try_lock(); }));
  CHECK(tells_of(dead, [&] {
    shop.lock.lock();
    return 0;
  }));
  CHECK(tells_of(dead, [&] { return shop.lock.try_lock_for(0s); }));
  CHECK(tells_of(dead, [&] { return shop.lock.try_lock_for(1h); }));
  CHECK(tells_of(dead, [&] { return shop.lock.try_lock_until(steady_clock::now() + 1s); }));
  CHECK(tells_of(dead, [&] {
    std::scoped_lock held(shop.lock);
    return 0;
  }));
  CHECK(shop.lock.is_locked());
  CHECK_FALSE(shop.lock.inherited());
  Child other([&] { return tells_of(dead, [&] { return shop.lock.try_lock(); }); });
  CHECK(other.succeeds());
  ExecChild stranger("lock.told", shop.name.str(), "lock", std::to_string(dead));
  CHECK(stranger.succeeds());
}

TEST_CASE(
    "a handle that has come too early many times takes the lock, and is told, as the others are") {
  const Shop shop;
  const Lock late(shop.segment, "lock");
  come_too_early(late, shop.lock);
  take_turn(late);
  CHECK(late.try_lock());
  CHECK_FALSE(shop.lock.try_lock());
  late.unlock();
  CHECK(late.try_lock_for(1h));
  late.unlock();
  Child child([&] { take_turn(late); });
  CHECK(child.succeeds());
  const pid_t dead = die_holding(late);
  CHECK(tells_of(dead, [&] { return late.try_lock(); }));
  CHECK(tells_of(dead, [&] { return late.try_lock_for(1h); }));
  CHECK(tells_of(dead, [&] {
    late.lock();
    return 0;
  }));
  late.recover([] {});
  take_turn(late);
  CHECK_FALSE(shop.lock.is_locked());
}

TEST_CASE("OwnerDied names segment, lock, dead process and what to do; owner() the same") {
  const Shop shop;
  Holder holder(shop.lock);
  holder.kill();
  try {
    shop.lock.lock();
    FAIL("taken");
  } catch (const shoal::OwnerDied& died) {
    const std::string text = died.what();
    CHECK(text.find(shop.name.str()) != std::string::npos);
    CHECK(text.find("'lock'") != std::string::npos);
    CHECK(text.find(std::to_string(holder.pid())) != std::string::npos);
    CHECK(text.find(this_program()) != std::string::npos);
    CHECK(text.find("recover()") != std::string::npos);
    CHECK(died.code() == std::errc::owner_dead);
    CHECK(died.owner().pid == holder.pid());
    CHECK(died.owner().tid == holder.tid());
    CHECK(died.owner().process == this_program());
  }
  REQUIRE(shop.lock.owner().has_value());
  CHECK(shop.lock.owner()->pid == holder.pid());
  CHECK(shop.lock.owner()->tid == holder.tid());
  CHECK(shop.lock.owner()->process == this_program());
}

TEST_CASE("OwnerDied names the thread that had it, of the process that died") {
  const Shop shop;
  const SharedCounter tid;
  const Gate holding;
  Child holder([&] {
    std::thread([&] {
      shop.lock.lock();
      *tid = ::gettid();
    }).join();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  holder.kill();
  CHECK_THROWS_AS(shop.lock.lock(), shoal::OwnerDied);
  CHECK(shop.lock.owner()->pid == holder.pid());
  CHECK(shop.lock.owner()->tid == *tid);
}

TEST_CASE("owner() tells who died before anybody has met the lock since") {
  const Shop shop;
  const pid_t dead = die_holding(shop.lock);
  CHECK(shop.lock.is_locked());
  CHECK(shop.lock.owner()->pid == dead);
}

TEST_CASE("a dead owner is named right after hundreds of new processes have used its record") {
  const TempName name;
  shoal::SegmentOptions options;
  options.max_processes = 4;  // so that records are used again at once
  const Segment segment(name, options);
  const Lock lock(segment, "lock");
  const Lock told(segment, "told");
  Holder holder(lock);
  pid_t dead = holder.pid();
  const pid_t tid = holder.tid();
  holder.kill();
  const pid_t dead_told = die_holding(told);
  CHECK_THROWS_AS(told.lock(), shoal::OwnerDied);
  for (int i = full_programme() ? 2000 : 200; i > 0; --i) {
    Child child([&] {
      const Lock mine(Segment(name), "other");
      std::scoped_lock held(mine);
      if (i % 2 == 0) sleep_forever();
    });
    if (i % 2 == 0) {
      child.wait_until_asleep();
      child.kill();
      const Lock other(segment, "other");
      other.recover().unlock();
    } else {
      REQUIRE(child.succeeds());
    }
  }
  for (int i = 0; i < 3; ++i) {
    Child another([&] {
      return tells_of(dead, [&] { return lock.try_lock(); }) && lock.owner()->tid == tid &&
             lock.owner()->process == this_program();
    });
    CHECK(another.succeeds());
  }
  ExecChild stranger("lock.told", name.str(), "lock", std::to_string(dead));
  CHECK(stranger.succeeds());
  CHECK(tells_of(dead, [&] {
    lock.lock();
    return 0;
  }));
  CHECK(lock.owner()->tid == tid);
  CHECK(lock.owner()->process == this_program());
  CHECK(tells_of(dead_told, [&] {
    told.lock();
    return 0;
  }));
  const auto held = lock.recover();
  CHECK(lock.inherited());
  CHECK(lock.owner()->pid == ::getpid());
}

TEST_CASE("with inherit the next caller simply has it, and inherited() is true, once") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock", OnOwnerDeath::inherit);
  CHECK(lock.on_owner_death() == OnOwnerDeath::inherit);
  CHECK(Lock(segment, "lock").on_owner_death() == OnOwnerDeath::inherit);  // the creator's choice
  CHECK(Lock(segment, "plain").on_owner_death() == OnOwnerDeath::raise);
  CHECK(Lock(segment, "plain", OnOwnerDeath::inherit).on_owner_death() == OnOwnerDeath::raise);
  lock.lock();
  CHECK_FALSE(lock.inherited());
  lock.unlock();
  const auto check = [&](auto take) {
    die_holding(lock);
    Child other([&] { return !lock.inherited(); });
    CHECK(other.succeeds());
    take();
    CHECK(lock.inherited());
    CHECK(lock.owner()->pid == ::getpid());
    Child rival([&] { return !lock.inherited() && !lock.try_lock(); });
    CHECK(rival.succeeds());
    lock.unlock();
    CHECK_FALSE(lock.inherited());
    lock.lock();
    CHECK_FALSE(lock.inherited());
    lock.unlock();
  };
  check([&] { lock.lock(); });
  check([&] { CHECK(lock.try_lock()); });
  check([&] { CHECK(lock.try_lock_for(1s)); });
  check([&] { CHECK(lock.try_lock_until(steady_clock::time_point::max())); });
  check([&] { lock.recover().release(); });
}

TEST_CASE("with inherit one of those who wait has it, and the others wait on") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock", OnOwnerDeath::inherit);
  Holder holder(lock);
  const SharedCounter inherited;
  const SharedCounter had;
  Children waiters;
  for (int i = 0; i < 5; ++i)
    add(waiters, [&] {
      std::scoped_lock held(lock);
      if (lock.inherited()) ++*inherited;
      ++*had;
    });
  for (auto& waiter : waiters) waiter->wait_until_asleep();
  holder.kill();
  CHECK(all_succeed(waiters));
  CHECK(*inherited == 1);
  CHECK(*had == 5);
}

TEST_CASE("recover takes an abandoned lock, and unlocking makes it sound") {
  const Shop shop;
  die_holding(shop.lock);
  {
    const std::unique_lock<const Lock> held = shop.lock.recover();
    CHECK(held.owns_lock());
    CHECK(shop.lock.inherited());
    CHECK(shop.lock.owner()->pid == ::getpid());
    CHECK(shop.lock.owner()->tid == ::gettid());
    Child rival([&] { return !shop.lock.try_lock(); });
    CHECK(rival.succeeds());
  }
  CHECK_FALSE(shop.lock.is_locked());
  CHECK_NOTHROW(take_turn(shop.lock));
  CHECK_FALSE(shop.lock.inherited());
}

TEST_CASE("recover of a sound lock is lock: it waits, and is not inherited") {
  const Shop shop;
  {
    const auto held = shop.lock.recover();
    CHECK_FALSE(shop.lock.inherited());
    Child waiter([&] {
      const auto mine = shop.lock.recover();
      return !shop.lock.inherited();
    });
    waiter.wait_until_asleep();
    shop.lock.unlock();
    CHECK(waiter.succeeds());
    shop.lock.lock();
  }
  CHECK_FALSE(shop.lock.is_locked());
}

TEST_CASE("recover(repair) calls repair under the lock, and unlocks") {
  const Shop shop;
  const auto repaired = [&] {
    int calls = 0;
    bool inherited = false;
    shop.lock.recover([&] {
      ++calls;
      inherited = shop.lock.inherited();
      Child rival([&] { return !shop.lock.try_lock(); });
      CHECK(rival.succeeds());
    });
    CHECK(calls == 1);
    CHECK_FALSE(shop.lock.is_locked());
    return inherited;
  };
  die_holding(shop.lock);
  CHECK(repaired());
  CHECK_FALSE(repaired());
}

TEST_CASE("a repair that throws leaves the lock as it was found") {
  const Shop shop;
  const pid_t dead = die_holding(shop.lock);
  for (int i = 0; i < 3; ++i) {
    CHECK_THROWS_WITH_AS(shop.lock.recover([] { throw std::runtime_error("cannot"); }), "cannot",
                         std::runtime_error);
    CHECK_FALSE(shop.lock.inherited());
    CHECK(tells_of(dead, [&] {
      shop.lock.lock();
      return 0;
    }));
    CHECK(shop.lock.owner()->pid == dead);
  }
  Child waiter([&] { shop.lock.recover([] {}); });
  CHECK(waiter.succeeds());
  CHECK_THROWS_AS(shop.lock.recover([] { throw std::runtime_error("cannot"); }),
                  std::runtime_error);
  CHECK_FALSE(shop.lock.is_locked());
  CHECK(shop.lock.try_lock());
  shop.lock.unlock();
}

TEST_CASE("a repair that throws tells those who wait") {
  const Shop shop;
  const pid_t dead = die_holding(shop.lock);
  const Gate recovering;
  const Gate fail;
  Child recoverer([&] {
    try {
      shop.lock.recover([&] {
        recovering.open();
        fail.wait();
        throw std::runtime_error("cannot");
      });
    } catch (const std::runtime_error&) {
      return sleep_forever();
    }
    return false;
  });
  recovering.wait();
  Child told([&] {
    return tells_of(dead, [&] {
      shop.lock.lock();
      return 0;
    });
  });
  Child taker([&] {
    const auto held = shop.lock.recover();
    return shop.lock.inherited();
  });
  told.wait_until_asleep();
  taker.wait_until_asleep();
  fail.open();
  CHECK(taker.succeeds());
  // It may have been told, or have come after the second recovery: then it just has the lock.
  CHECK(told.exit_status() >= 0);
  CHECK_FALSE(told.timed_out());
}

TEST_CASE("of those who recover at once one sees inherited(), the others a plain lock") {
  for (int round = 0; round < 20; ++round) {
    const Shop shop;
    die_holding(shop.lock);
    const Gate start;
    const SharedCounter inherited;
    Children recoverers;
    for (int i = 0; i < 4; ++i)
      add(recoverers, [&] {
        start.wait();
        const auto held = shop.lock.recover();
        if (shop.lock.inherited()) ++*inherited;
      });
    start.open();
    CHECK(all_succeed(recoverers));
    CHECK(*inherited == 1);
    CHECK_FALSE(shop.lock.is_locked());
  }
}

TEST_CASE("a process that dies while it recovers leaves the lock abandoned again, by itself") {
  const Shop shop;
  die_holding(shop.lock);
  for (int i = 0; i < 3; ++i) {
    const Gate recovering;
    const SharedCounter tid;
    Child recoverer([&] {
      const auto held = shop.lock.recover();
      *tid = ::gettid();
      recovering.open();
      return sleep_forever();
    });
    recovering.wait();
    CHECK_FALSE(shop.lock.try_lock());
    recoverer.kill();
    CHECK(tells_of(recoverer.pid(), [&] {
      shop.lock.lock();
      return 0;
    }));
    CHECK(shop.lock.owner()->tid == *tid);
  }
  shop.lock.recover().unlock();
  CHECK(shop.lock.try_lock());
  shop.lock.unlock();
}

TEST_CASE("ten who sleep on a dead owner are all told") {
  const Shop shop;
  Holder holder(shop.lock);
  Children sleepers;
  for (int i = 0; i < 10; ++i)
    add(sleepers, [&] {
      return tells_of(holder.pid(), [&] {
        shop.lock.lock();
        return 0;
      });
    });
  for (auto& sleeper : sleepers) sleeper->wait_until_asleep();
  const auto begin = steady_clock::now();
  holder.kill();
  const auto end = begin + patient(5s);
  for (auto& sleeper : sleepers) {
    CHECK(sleeper->ends_by(end));
    CHECK(sleeper->succeeds());
  }
}

TEST_CASE(
    "those who sleep on a dead owner are told, also when others of them are killed as they wake") {
  for (int round = 0; round < 5; ++round) {
    const Shop shop;
    Holder holder(shop.lock);
    Children sleepers;
    for (int i = 0; i < 10; ++i)
      add(sleepers, [&] {
        return tells_of(holder.pid(), [&] {
          shop.lock.lock();
          return 0;
        });
      });
    for (auto& sleeper : sleepers) sleeper->wait_until_asleep();
    holder.kill();
    for (int i = 0; i <= round; ++i) sleepers[static_cast<std::size_t>(i)]->kill();
    for (std::size_t i = static_cast<std::size_t>(round) + 1; i < sleepers.size(); ++i)
      CHECK(sleepers[i]->succeeds());
  }
}

TEST_CASE("the woken waiter killed before it takes the lock, the others get it") {
  const Shop shop;
  for (int round = 0; round < 10; ++round) {
    shop.lock.lock();
    Children sleepers;
    for (int i = 0; i < 4; ++i) add(sleepers, [&] { std::scoped_lock held(shop.lock); });
    for (auto& sleeper : sleepers) {
      sleeper->wait_until_asleep();
      if (sleeper != sleepers.back()) sleeper->stop();  // a wake may now go to one that cannot act
    }
    shop.lock.unlock();
    CHECK(sleepers.back()->succeeds());
    for (std::size_t i = 0; i + 1 < sleepers.size(); ++i) sleepers[i]->kill();
    if (shop.lock.is_locked()) shop.lock.recover().unlock();
    CHECK(shop.lock.try_lock_for(5s));
    shop.lock.unlock();
  }
}

TEST_CASE("ten who sleep on three locks of one dead owner are all told") {
  const TempName name;
  const Segment segment(name);
  std::vector<Lock> locks;
  for (const char* object : {"a", "b", "c"}) locks.emplace_back(segment, object);
  const Gate holding;
  Child holder([&] {
    for (const Lock& lock : locks) lock.lock();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  Children sleepers;
  for (std::size_t i = 0; i < 10; ++i)
    add(sleepers, [&, i] {
      return tells_of(holder.pid(), [&] {
        locks[i % 3].lock();
        return 0;
      });
    });
  for (auto& sleeper : sleepers) sleeper->wait_until_asleep();
  holder.kill();
  CHECK(all_succeed(sleepers));
  for (const Lock& lock : locks) CHECK(tells_of(holder.pid(), [&] { return lock.try_lock(); }));
}

TEST_CASE(
    "five who sleep on a dead owner whose record is somebody else's meanwhile are told of the "
    "dead") {
  for (int round = 0; round < 5; ++round) {
    const TempName name;
    shoal::SegmentOptions options;
    options.max_processes = 7;  // this one, the holder, five sleepers
    const Segment segment(name, options);
    const Lock lock(segment, "lock");
    Holder holder(lock);
    Children sleepers;
    for (int i = 0; i < 5; ++i)
      add(sleepers, [&] {
        return tells_of(holder.pid(), [&] {
          lock.lock();
          return 0;
        });
      });
    for (auto& sleeper : sleepers) sleeper->wait_until_asleep();
    holder.kill();
    Child next([&] {
      const Lock other(segment, "other");
      std::scoped_lock held(other);
      return tells_of(holder.pid(), [&] {
        lock.lock();
        return 0;
      });
    });
    CHECK(next.succeeds());
    CHECK(all_succeed(sleepers));
  }
}

TEST_CASE("a stopped holder is not dead") {
  const Shop shop;
  const Gate go_on;
  const Gate holding;
  Child holder(
      [&] {
        shop.lock.lock();
        holding.open();
        go_on.wait(30s);
        shop.lock.unlock();
      },
      60s);
  holding.wait();
  holder.stop();
  CHECK_FALSE(shop.lock.try_lock());
  CHECK_FALSE(shop.lock.try_lock_for(400ms));
  ExecChild joins("segment.join", shop.name.str());
  CHECK(joins.succeeds());
  go_on.open();
  CHECK_FALSE(shop.lock.try_lock_for(10ms));
  holder.resume();
  CHECK(shop.lock.try_lock_for(10s));
  shop.lock.unlock();
  CHECK(holder.succeeds());
}

TEST_CASE("a stopped waiter costs the others nothing") {
  const Shop shop;
  shop.lock.lock();
  Child waiter([&] { std::scoped_lock held(shop.lock); });
  waiter.wait_until_asleep();
  waiter.stop();
  shop.lock.unlock();
  for (int i = 0; i < 1000; ++i) std::scoped_lock held(shop.lock);
  Child other([&] { return shop.lock.try_lock_for(5s); });
  CHECK(other.succeeds());
  CHECK_THROWS_AS(shop.lock.lock(), shoal::OwnerDied);
  shop.lock.recover().unlock();
  waiter.resume();
  CHECK(waiter.succeeds());
}

// Of who waits for that lock.
std::int64_t note_of(const SegmentBytes& bytes, const char* lock, std::int64_t time) {
  const auto& record = bytes.object(lock);
  return shoal::core::cpu_note(time,
                               static_cast<std::uint32_t>(&record - &bytes.tables().object(0)),
                               bytes.tables().heap() + record.offset.load());
}

TEST_CASE("a waiter that lacks its CPU gets it from the next that waits there for the same lock") {
  const Shop shop;
  const Lock another(shop.segment, "another");
  const SegmentBytes bytes(shop.name);
  const Holder holder(shop.lock);
  Child pinned([&] {
    const int cpu = ::sched_getcpu();
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    if (::sched_setaffinity(0, sizeof only, &only) != 0) return false;
    auto& notes =
        bytes.tables().cpu_notes()[static_cast<unsigned>(cpu) % shoal::format::kCpus].notes;
    const std::int64_t now = shoal::detail::steady_now();
    const std::int64_t others = note_of(bytes, "another", now - 2048);
    const std::int64_t overdue = note_of(bytes, "lock", now - 2048);
    notes[0].store(others);
    notes[1].store(overdue);
    if (shop.lock.try_lock() || notes[1].load() != overdue) return false;
    if (shop.lock.try_lock_for(100ms)) return false;
    return notes[0].load() == others && notes[1].load() == 0;
  });
  CHECK(pinned.succeeds());
}

TEST_CASE("a nap gives the CPU away, for as long as it is asked to") {
  const auto times_given_away = [] {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
  };
  const auto before = times_given_away();
  const auto began = steady_clock::now();
  shoal::detail::Machine::nap(3'000'000);
  CHECK(steady_clock::now() - began >= 3ms);
  CHECK(times_given_away() > before);
}

TEST_CASE("a program that was started by itself makes way on its CPU, too") {
  const Shop shop;
  const SegmentBytes bytes(shop.name);
  Holder holder(shop.lock);
  // On every CPU. What nobody has answered in a second counts no more.
  const auto ask = [&] {
    const std::int64_t overdue = note_of(bytes, "lock", shoal::detail::steady_now() - 2048);
    for (auto& cpu : bytes.tables().cpu_notes()) cpu.notes[1].store(overdue);
  };
  const auto is_answered = [&] {
    for (const auto& cpu : bytes.tables().cpu_notes())
      if (cpu.notes[1].load() == 0) return true;
    return false;
  };
  // Who starts too late, or makes way just as is asked anew, answers nothing: then another one may.
  std::vector<std::unique_ptr<ExecChild>> strangers;
  bool answered = false;
  for (int i = 0; i < 20 && !answered; ++i) {
    ask();
    strangers.push_back(std::make_unique<ExecChild>("lock.told", shop.name.str(), "lock",
                                                    std::to_string(holder.pid())));
    const auto until = steady_clock::now() + 500ms;
    while (!answered && steady_clock::now() < until) answered = is_answered();
  }
  CHECK(answered);
  holder.child().kill();
  for (const auto& stranger : strangers) CHECK(stranger->succeeds());
}

TEST_CASE("who sleeps for a lock says on its CPU until when it lacks nothing") {
  const Shop shop;
  const SegmentBytes bytes(shop.name);
  const Holder holder(shop.lock);
  Child waiter([&] { return shop.lock.try_lock_for(60s); });
  const auto stands_on_a_cpu = [&](std::int64_t earliest) {
    for (const auto& cpu : bytes.tables().cpu_notes())
      for (const auto& note : cpu.notes)
        if (note.load() > earliest) return true;
    return false;
  };
  // Longer than a turn: as it came it left another.
  const auto end = steady_clock::now() + patient(30s);
  bool stands = false;
  while (!stands && steady_clock::now() < end)
    stands = stands_on_a_cpu(shoal::detail::steady_now() + 5'000'000);
  CHECK(stands);
}

TEST_CASE("exec while holding is death: the program that held it has ended") {
  const Shop shop;
  const Gate holding;
  Child holder([&] {
    shop.lock.lock();
    holding.open();
    ::execl("/bin/sleep", "sleep", "30", static_cast<char*>(nullptr));
    return false;
  });
  holding.wait();
  CHECK(tells_of(holder.pid(), [&] {
    shop.lock.lock();
    return 0;
  }));
  CHECK_FALSE(holder.ends_by(steady_clock::time_point::min()));  // its pid lives
}

TEST_CASE("a holder that exits, by whatever way, has died") {
  const Shop shop;
  for (const int way : {0, 1, 2}) {
    Child holder([&] {
      shop.lock.lock();
      if (way == 1) ::abort();
      if (way == 2) throw std::runtime_error("(thrown on purpose)");
    });
    static_cast<void>(holder.exit_status());
    CHECK(tells_of(holder.pid(), [&] {
      shop.lock.lock();
      return 0;
    }));
    shop.lock.recover().unlock();
  }
}

TEST_CASE("a zombie is dead: nobody need wait for it") {
  const Shop shop;
  const Gate holding;
  Child parent([&] {
    const pid_t zombie = ::fork();
    if (zombie == 0) {
      shop.lock.lock();
      ::_exit(0);
    }
    siginfo_t info;
    ::waitid(P_PID, static_cast<id_t>(zombie), &info, WEXITED | WNOWAIT);
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  CHECK_THROWS_AS(shop.lock.lock(), shoal::OwnerDied);
}

TEST_CASE("what a dead holder did is visible to who recovers") {
  const Shop shop;
  const shoal::Value<std::array<int, 100>> data(shop.segment, "data");
  for (int round = 1; round <= 20; ++round) {
    const Gate holding;
    Child holder([&] {
      shop.lock.lock();
      data.get_obj().fill(round);
      holding.open();
      return sleep_forever();
    });
    holding.wait();
    holder.kill();
    const auto held = shop.lock.recover();
    for (const int n : data.get_obj()) CHECK(n == round);
  }
}

// Fork.

TEST_CASE("after fork the child holds nothing: its unlock does nothing, a guard may go") {
  const Shop shop;
  std::unique_lock held(shop.lock);
  Child child([&] {
    if (shop.lock.try_lock()) return 1;
    if (shop.lock.owner()->pid != ::getppid()) return 2;
    { std::unique_lock guard = std::move(held); }  // unlocks, and nothing happens
    if (!shop.lock.is_locked()) return 3;
    if (shop.lock.try_lock()) return 4;
    try {
      shop.lock.unlock();
      return 5;
    } catch (const shoal::NotOwner&) {
      return 0;
    }
  });
  CHECK(child.exit_status() == 0);
  CHECK(shop.lock.is_locked());
  CHECK(shop.lock.owner()->pid == ::getpid());
  held.unlock();
  CHECK_FALSE(shop.lock.is_locked());
}

TEST_CASE(
    "a guard alive across fork in the child: the child's turn comes when the parent lets go") {
  const Shop shop;
  std::optional<std::unique_lock<const Lock>> held(shop.lock);
  const Gate ready;
  Child child([&] {
    held->unlock();
    ready.open();
    std::scoped_lock mine(shop.lock);
    return shop.lock.owner()->pid == ::getpid();
  });
  ready.wait();
  child.wait_until_asleep();
  held.reset();
  CHECK(child.succeeds());
}

TEST_CASE("what was held before a fork is known without a handle, too") {
  const Segment segment = Segment::anonymous();
  Lock(segment, "lock").lock();
  Child child([&] {
    const Lock same(segment, "lock");
    same.unlock();
    return same.is_locked();
  });
  CHECK(child.succeeds());
  Lock(segment, "lock").unlock();
}

TEST_CASE("what was held before a fork is no other object's that takes its place") {
  const Segment segment = Segment::anonymous();
  auto lock = std::make_unique<Lock>(segment, "lock");
  lock->lock();
  const Gate gone;
  Child child([&] {
    gone.wait();
    lock.reset();
    const Lock other(segment, "other", Open::create);
    return throws<shoal::NotOwner>([&] { other.unlock(); });
  });
  CHECK(segment.erase("lock"));
  lock->unlock();
  lock.reset();
  gone.open();
  CHECK(child.succeeds());
}

TEST_CASE("a recovered lock held across fork is the parent's; the child's unlock does nothing") {
  const Shop shop;
  die_holding(shop.lock);
  auto held = shop.lock.recover();
  Child child([&] {
    if (shop.lock.inherited()) return 1;
    held.unlock();
    return shop.lock.is_locked() && !shop.lock.try_lock() ? 0 : 2;
  });
  CHECK(child.exit_status() == 0);
  CHECK(shop.lock.inherited());
  held.unlock();
  CHECK_FALSE(shop.lock.is_locked());
}

TEST_CASE("several locks held across fork: each guard of the child may go once") {
  const TempName name;
  const Segment segment(name);
  const shoal::Value<std::array<int, 100>> value(segment, "value");
  const Lock a(segment, "a");
  const Lock b(segment, "b");
  std::scoped_lock held(a, b, value.get_lock());
  Child child([&] {
    a.unlock();
    b.unlock();
    value.get_lock().unlock();
    return a.is_locked() && b.is_locked() && value.get_lock().is_locked();
  });
  CHECK(child.succeeds());
}

TEST_CASE("a fork inside recover(repair): the child gives back nothing, by returning or throwing") {
  for (const bool abandoned : {false, true})
    for (const bool throws : {false, true}) {
      CAPTURE(abandoned);
      CAPTURE(throws);
      const Shop shop;
      if (abandoned) die_holding(shop.lock);
      const pid_t parent = ::getpid();
      int status = -1;
      try {
        shop.lock.recover([&] {
          if (fork_and_wait(status) == 0 && throws) throw std::runtime_error("child");
          if (::getpid() == parent) CHECK(shop.lock.inherited() == abandoned);
          if (::getpid() == parent) CHECK(shop.lock.is_locked());
        });
      } catch (...) {
        if (::getpid() == parent) throw;
      }
      if (::getpid() != parent) ::_exit(shop.lock.is_locked() ? 0 : 1);
      CHECK(status == 0);
      CHECK_FALSE(shop.lock.is_locked());
    }
}

TEST_CASE("a fork inside update(), under get_lock(): both guards of the child may go") {
  const TempName name;
  const Segment segment(name);
  const shoal::Value<std::array<int, 100>> value(segment, "value");
  std::unique_lock held(value.get_lock());
  int status = -1;
  try {
    value.update([&](std::array<int, 100>&) {
      if (fork_and_wait(status) == 0)
        throw std::runtime_error("child");  // out of update(), whose inner guard goes
    });
  } catch (const std::runtime_error&) {
    try {
      held.unlock();
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  CHECK(status == 0);
}

TEST_CASE("the holder is forked and dies: its child, alive, keeps nothing held") {
  const Shop shop;
  const Gate holding;
  const SharedCounter child_pid;
  Child holder([&] {
    shop.lock.lock();
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(20);
      *child_pid = ::getpid();
      holding.open();
      sleep_forever();
    }
    return sleep_forever();
  });
  holding.wait();
  holder.kill();
  CHECK(tells_of(holder.pid(), [&] {
    shop.lock.lock();
    return 0;
  }));
  ::kill(static_cast<pid_t>(child_pid->load()), SIGKILL);
}

TEST_CASE("a fork whose parent exits at once, and grandchildren, work on") {
  const Shop shop;
  const SharedCounter count;
  const SharedCounter wrong;
  constexpr int kFamilies = 20;
  for (int i = 0; i < kFamilies; ++i) {
    Child parent([&] {
      for (int generation = 0; generation < 3; ++generation)
        if (::fork() != 0) ::_exit(0);
      ::alarm(30);
      for (int turn = 0; turn < 100; ++turn) {
        std::scoped_lock held(shop.lock);
        if (shop.lock.owner()->pid != ::getpid()) ++*wrong;
        count->store(count->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      }
      ::_exit(0);
    });
    CHECK(parent.succeeds());
  }
  const auto end = steady_clock::now() + patient(20s);
  while (*count < kFamilies * 100 && steady_clock::now() < end) ::sched_yield();
  CHECK(*count == kFamilies * 100);
  CHECK(*wrong == 0);
}

TEST_CASE(
    "a forked child's own lock is its own: its death tells, its parent's life does not matter") {
  const Shop shop;
  take_turn(shop.lock);
  for (int i = 0; i < 10; ++i) {
    const pid_t dead = die_holding(shop.lock);
    CHECK(tells_of(dead, [&] { return shop.lock.try_lock(); }));
    shop.lock.recover().unlock();
  }
}

// All of it together.

TEST_CASE("freshly started programs exclude each other, at whatever addresses") {
  const Shop shop;
  const shoal::Value<std::int64_t> counter(shop.segment, "counter");
  std::vector<std::unique_ptr<ExecChild>> children;
  for (int i = 0; i < 3; ++i)
    children.push_back(std::make_unique<ExecChild>("lock.count", shop.name.str(), "20000"));
  for (auto& child : children) CHECK(child->succeeds());
  CHECK(counter.load() == 60000);
}

TEST_CASE("mutual exclusion of processes and threads, some of them killed at random") {
  const TempName name;
  const Segment segment(name);
  const SharedCounter inside;  // the pid and thread within, by the rules in other memory
  const SharedCounter turns;
  const SharedCounter wrong;
  const SharedCounter recovered;
  const auto enter = [&](const Lock& lock, std::int64_t me) {
    const bool inherited = lock.inherited();
    const std::int64_t before = inside->exchange(me);
    if (before != 0 && !inherited) ++*wrong;
    if (turns->fetch_add(1) % 16 == 0) ::sched_yield();
    if (inside->exchange(0) != me) ++*wrong;
  };
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    const Lock lock(Segment(name), "lock");
    const std::int64_t me = ::gettid();
    for (;;) {
      try {
        switch (random() % 3) {
          case 0:
            lock.lock();
            break;
          case 1:
            if (!lock.try_lock()) continue;
            break;
          default:
            if (!lock.try_lock_for(std::chrono::microseconds(random() % 500))) continue;
        }
      } catch (const shoal::OwnerDied&) {
        const auto held = lock.recover();
        if (lock.inherited()) ++*recovered;
        enter(lock, me);
        continue;
      }
      enter(lock, me);
      lock.unlock();
    }
  };
  const auto process = [&](unsigned seed) {
    std::thread(work, seed + 1).detach();
    work(seed);
  };
  Children children;
  for (unsigned i = 0; i < 4; ++i)
    add(
        children, [&, i] { process(i * 100); }, 300s);
  std::mt19937 random(99);
  const int kills = full_programme() ? 5000 : 300;
  for (int kill = 0; kill < kills; ++kill) {
    const std::int64_t before = *turns;
    const auto end = steady_clock::now() + patient(10s);
    while (*turns < before + static_cast<std::int64_t>(random() % 200) && steady_clock::now() < end)
      ::sched_yield();
    REQUIRE(steady_clock::now() < end);
    const std::size_t victim = random() % children.size();
    children[victim]->kill();
    REQUIRE(children[victim]->exit_status() == -SIGKILL);
    const unsigned seed = 1000 + static_cast<unsigned>(kill) * 10;
    children[victim] = std::make_unique<Child>([&, seed] { process(seed); }, 300s);
  }
  children.clear();
  CHECK(*wrong == 0);
  CHECK(*recovered > 0);
  MESSAGE("killed " << kills << ", turns " << turns->load() << ", recovered " << recovered->load());
}
