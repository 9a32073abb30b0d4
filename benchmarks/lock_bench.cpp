// SPDX-License-Identifier: MIT
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "lock_contenders.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// Time that a process spends without touching memory: `steps` of a chain that cannot be shortened.
void spend(std::uint64_t steps) {
  std::uint64_t value = steps;
  for (std::uint64_t i = 0; i < steps; ++i) {
    value = value * 6364136223846793005U + 1;
    keep(value);
  }
}

std::uint64_t steps_in(std::chrono::nanoseconds time) {
  static const double steps_per_ns = [] {
    constexpr std::uint64_t kSteps = 20'000'000;
    const auto begin = Clock::now();
    spend(kSteps);
    const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
    return static_cast<double>(kSteps) / took.count();
  }();
  return static_cast<std::uint64_t>(steps_per_ns * static_cast<double>(time.count()));
}

template <class Lock>
void count_one(Lock& lock, const Worker& worker, std::uint64_t steps) {
  lock.lock();
  worker.protected_number() = worker.protected_number() + 1;
  spend(steps);
  lock.unlock();
}

// The first worker is measured while the other one sleeps; then both count at once, to see that it
// is a lock.
template <class Lock>
Sample uncontended() {
  constexpr std::uint64_t kTimes = 20'000;
  const Report report = in_processes(2, [](const Worker& worker, const Place& place) {
    const auto lock = open_together<Lock>(worker, place);
    if (worker.number() == 0)
      report_time_of(worker, [&](std::uint64_t n) {
        for (std::uint64_t i = 0; i < n; ++i) {
          lock->lock();
          lock->unlock();
        }
      });
    worker.meet();
    worker.meet_awake();
    for (std::uint64_t i = 0; i < kTimes; ++i) count_one(*lock, worker, 0);
  });
  return judged({report.ns / static_cast<double>(report.operations), 0, report.broken}, report,
                2 * kTimes);
}

// Workers take turns for a while: each `section` nanoseconds under the lock, and as many outside.
template <class Lock>
Sample contended(int workers, std::chrono::nanoseconds section) {
  const std::uint64_t steps = steps_in(section);
  const auto work = [steps](const Worker& worker, const Place& place) {
    const auto lock = open_together<Lock>(worker, place);
    std::uint64_t mine = 0;
    const auto begin = Clock::now();
    for (; !worker.stopped(); ++mine) {
      count_one(*lock, worker, steps);
      spend(steps);
    }
    worker.report(mine, Clock::now() - begin);
  };
  const Report report = in_processes(workers, work, std::chrono::milliseconds(120));
  const Sample sample{report.ns / static_cast<double>(report.operations),
                      static_cast<double>(report.most) / static_cast<double>(report.least),
                      report.broken};
  return judged(sample, report, report.operations);
}

constexpr std::uint64_t kHandOvers = 2'001;

// What holder and waiter of a hand-over tell each other: how many of each there have been. The
// waiter reads the times at the end only: a line that it had read before would have to be fetched
// back from it, and unlock() would wait for that.
struct HandOvers {
  alignas(128) std::atomic<std::uint64_t> held;
  alignas(128) std::atomic<std::uint64_t> awaited;
  alignas(128) std::atomic<std::uint64_t> taken;
  alignas(128) Clock::rep given_at[kHandOvers];
};

// Waits without sleeping: both sides are to be awake. On a machine with one core it lets go of that.
void until(const std::atomic<std::uint64_t>& number, std::uint64_t value) {
  for (std::uint64_t looks = 1; number.load(std::memory_order_acquire) != value; ++looks)
    if (looks % 10'000 == 0) std::this_thread::yield();
}

// Long enough for the other side to have asked for the lock, and found it held.
constexpr std::chrono::microseconds kHeldFor(2);

template <class Lock>
void give(Lock& lock, const Worker& worker, HandOvers& all, std::uint64_t i) {
  lock.lock();
  worker.protected_number() = worker.protected_number() + 1;
  all.held.store(i + 1, std::memory_order_release);
  until(all.awaited, i + 1);
  const auto asked = Clock::now();
  auto now = asked;
  while (now - asked < kHeldFor) now = Clock::now();
  all.given_at[i] = now.time_since_epoch().count();
  lock.unlock();
  until(all.taken, i + 1);
}

// Returns when it had the lock.
template <class Lock>
Clock::rep take(Lock& lock, const Worker& worker, HandOvers& all, std::uint64_t i) {
  until(all.held, i + 1);
  all.awaited.store(i + 1, std::memory_order_release);
  lock.lock();
  const auto now = Clock::now();
  worker.protected_number() = worker.protected_number() + 1;
  lock.unlock();
  all.taken.store(i + 1, std::memory_order_release);
  return now.time_since_epoch().count();
}

std::chrono::nanoseconds median_hand_over(const HandOvers& all, std::vector<Clock::rep> taken_at) {
  for (std::size_t i = 0; i < kHandOvers; ++i)
    if ((taken_at[i] -= all.given_at[i]) < 0)
      throw std::runtime_error("was taken before it was given");
  const auto middle = taken_at.begin() + kHandOvers / 2;
  std::nth_element(taken_at.begin(), middle, taken_at.end());
  return Clock::duration(*middle);
}

// From the holder's look at the clock, just before it unlocks, to the waiter's, just after lock()
// has returned; the median of many.
template <class Lock>
Sample handed_over() {
  const Report report = in_processes(2, [](const Worker& worker, const Place& place) {
    const auto lock = open_together<Lock>(worker, place);
    auto& all = talk<HandOvers>(place);
    if (worker.number() == 0) {
      for (std::uint64_t i = 0; i < kHandOvers; ++i) give(*lock, worker, all, i);
      return;
    }
    std::vector<Clock::rep> taken_at(kHandOvers);
    for (std::uint64_t i = 0; i < kHandOvers; ++i) taken_at[i] = take(*lock, worker, all, i);
    worker.report(1, median_hand_over(all, std::move(taken_at)));
  });
  return judged({report.ns, 0, report.broken}, report, 2 * kHandOvers);
}

// The longest that any of the workers, more than there are cores, had to wait for the lock.
template <class Lock>
Sample starved(int workers, int cores, std::chrono::seconds time) {
  const auto work = [](const Worker& worker, const Place& place) {
    const auto lock = open_together<Lock>(worker, place);
    std::uint64_t mine = 0;
    std::chrono::nanoseconds longest{};
    for (; !worker.stopped(); ++mine) {
      const auto begin = Clock::now();
      lock->lock();
      longest = std::max<std::chrono::nanoseconds>(longest, Clock::now() - begin);
      worker.protected_number() = worker.protected_number() + 1;
      lock->unlock();
    }
    worker.report(mine, longest);
  };
  const Report report = in_processes(workers, work, time, cores);
  const Sample sample{report.ns,
                      static_cast<double>(report.most) / static_cast<double>(report.least),
                      report.broken};
  return judged(sample, report, report.operations);
}

// What who holds the lock, who kills it and who waits tell each other.
struct Death {
  std::atomic<bool> held;
  std::atomic<bool> awaited;
  std::atomic<Clock::rep> at;  // 0: not yet
};

template <class Lock>
[[noreturn]] void hold(Lock& lock, const Worker& worker, Death& death) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(20);
  lock.lock();
  worker.protected_number() = worker.protected_number() + 1;
  death.held.store(true);
  for (;;) ::pause();
}

// Long enough for the waiter's sleeps to have grown as long as they get, and at any moment of one.
std::chrono::microseconds since_long() {
  return std::chrono::milliseconds(500) +
         std::chrono::microseconds(std::random_device()() % 100'000);
}

template <class Lock>
void kill_holder(Lock& lock, const Worker& worker, Death& death) {
  const pid_t holder = ::fork();
  if (holder == 0) hold(lock, worker, death);
  if (holder < 0) throw std::runtime_error("fork failed");
  while (!death.awaited.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(since_long());
  death.at.store(Clock::now().time_since_epoch().count());
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
}

// From just before the kill to the waiter's look at the clock, after lock() has told it.
template <class Lock>
Sample told() {
  const Report report = in_processes(2, [](const Worker& worker, const Place& place) {
    const auto lock = open_together<Lock>(worker, place);
    auto& death = talk<Death>(place);
    if (worker.number() == 0) return kill_holder(*lock, worker, death);
    while (!death.held.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    death.awaited.store(true);
    const bool is_told = lock->await_death();
    const auto now = Clock::now().time_since_epoch().count();
    if (!is_told || death.at.load() == 0) throw std::runtime_error("has it, and nobody told it");
    worker.report(1, Clock::duration(now - death.at.load()));
  });
  return judged({report.ns, 0, report.broken}, report, 1);
}

// Whoever is measured: a new contender is one line here.
template <class Measure>
std::vector<Contender> contenders(Measure measure) {
  return {{"shoal::Lock", [=] { return measure(Type<ShoalLock>{}); }},
          {"CAS and store, spins", [=] { return measure(Type<BareWord>{}); }},
          {"pthread mutex", [=] { return measure(Type<PthreadMutex<Pthread::plain>>{}); }},
          {"pthread robust", [=] { return measure(Type<PthreadMutex<Pthread::robust>>{}); }},
          {"pthread adaptive", [=] { return measure(Type<PthreadMutex<Pthread::adaptive>>{}); }},
          {"boost mutex", [=] { return measure(Type<BoostMutex>{}); }},
          {"sem_t", [=] { return measure(Type<PosixSemaphore>{}); }}};
}

}  // namespace

std::vector<Case> lock_cases() {
  std::vector<Case> cases;
  auto of_hand_over = contenders([]<class Lock>(Type<Lock>) { return handed_over<Lock>(); });
  of_hand_over.push_back({"exchange, never yields", handed_over<NeverYields>});
  cases.push_back({"lock.uncontended", "lock and unlock, nobody else wants it", "pthread mutex",
                   contenders([]<class Lock>(Type<Lock>) { return uncontended<Lock>(); })});
  for (const int workers : {2, 4})
    for (const int section : {0, 200})
      cases.push_back(
          {"lock.contended." + std::to_string(workers) + "." + std::to_string(section),
           std::to_string(workers) + " processes, each " + std::to_string(section) +
               " ns under the lock and as long outside it; time per turn, of whichever process",
           "pthread mutex", contenders([=]<class Lock>(Type<Lock>) {
             return contended<Lock>(workers, std::chrono::nanoseconds(section));
           })});
  cases.push_back({"lock.handover",
                   "unlock to the return of lock() in another process, which has waited for 2 us",
                   "pthread mutex", of_hand_over});
  cases.push_back({"lock.starvation",
                   "4 processes on 2 cores, 10 s each contender, once; the longest wait of any",
                   "pthread mutex", contenders([]<class Lock>(Type<Lock>) {
                     return starved<Lock>(4, 2, std::chrono::seconds(10));
                   }),
                   kMilliseconds, 1});
  cases.push_back(
      {"lock.death",
       "kill -9 of the holder to the return of lock() in another process, told of it, "
       "which has slept in it for more than 500 ms; a round is a death",
       "pthread robust",
       {{"shoal::Lock", told<ShoalLock>}, {"pthread robust", told<PthreadMutex<Pthread::robust>>}},
       kMilliseconds,
       25});
  return cases;
}

}  // namespace bench
