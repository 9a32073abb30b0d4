// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "limits.hpp"
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
  const Report report = in_workers<Lock>(2, [](const Worker& worker, const Place& place) {
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
  return judged(one_of(report), report, 2 * kTimes);
}

// Workers take turns for a while: each `section` nanoseconds under the lock, and as many outside. More
// of them than cores: for so long that each has a core many times.
template <class Lock>
Sample contended(int workers, std::chrono::nanoseconds section) {
  const std::chrono::milliseconds time(workers > 2 ? 400 : 120);
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
  const Report report = in_workers<Lock>(workers, work, time);
  const Sample sample{report.ns / static_cast<double>(report.operations), report.fairness(),
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

// From the holder's look at the clock, just before it unlocks, to the waiter's, just after lock()
// has returned; the median of many.
template <class Lock>
Sample handed_over() {
  const Report report = in_workers<Lock>(2, [](const Worker& worker, const Place& place) {
    const auto lock = open_together<Lock>(worker, place);
    auto& all = talk<HandOvers>(place);
    if (worker.number() == 0) {
      for (std::uint64_t i = 0; i < kHandOvers; ++i) give(*lock, worker, all, i);
      return;
    }
    std::vector<Clock::rep> times(kHandOvers);
    for (std::uint64_t i = 0; i < kHandOvers; ++i) times[i] = take(*lock, worker, all, i);
    for (std::size_t i = 0; i < kHandOvers; ++i)
      if ((times[i] -= all.given_at[i]) < 0)
        throw std::runtime_error("was taken before it was given");
    worker.report_each(std::move(times));
  });
  return judged(one_of(report), report, 2 * kHandOvers);
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
  const Report report = in_workers<Lock>(workers, work, time, cores);
  const Sample sample{report.ns, report.fairness(), report.broken};
  return judged(sample, report, report.operations);
}

// Whoever is measured: a new contender is one line here.
enum class Whom { all, some };
template <class Measure>
std::vector<Contender> contenders(Measure measure, Whom whom = Whom::all) {
  std::vector<Contender> some{
      {"shoal::Lock", [=] { return measure(Type<ShoalLock>{}); }},
      {"CAS and store, spins", [=] { return measure(Type<BareWord>{}); }, true},
      {"pthread mutex", [=] { return measure(Type<PthreadMutex<Pthread::plain>>{}); }},
      {"pthread robust", [=] { return measure(Type<PthreadMutex<Pthread::robust>>{}); }},
      {"boost mutex", [=] { return measure(Type<BoostMutex>{}); }},
      {"sem_t", [=] { return measure(Type<PosixSemaphore>{}); }}};
  if (whom == Whom::some) return some;
  const Contender more[] = {
      {"pthread adaptive", [=] { return measure(Type<PthreadMutex<Pthread::adaptive>>{}); }},
      {"pthread PI", [=] { return measure(Type<PthreadMutex<Pthread::inheriting>>{}); }},
      {"boost named mutex", [=] { return measure(Type<BoostNamedMutex>{}); }},
      {"flock", [=] { return measure(Type<FileLock>{}); }},
      {"SysV semop", [=] { return measure(Type<SystemVSemaphore>{}); }},
      {"std::mutex, threads", [=] { return measure(Type<StdMutex>{}); }}};
  some.insert(some.end(), std::begin(more), std::end(more));
  return some;
}

}  // namespace

std::vector<Case> lock_cases() {
  std::vector<Case> cases;
  auto of_one = contenders([]<class Lock>(Type<Lock>) { return uncontended<Lock>(); });
  of_one.push_back(one_rmw());
  cases.push_back({"lock.uncontended",
                   "lock and unlock, nobody else wants it",
                   "pthread mutex",
                   of_one,
                   kNanoseconds,
                   0,
                   {{"shoal::Lock", "pthread mutex", 0.55, 0.65}}});
  for (const int workers : {2, 4})
    for (const int section : {0, 200}) {
      std::vector<Target> targets{
          {"shoal::Lock", "pthread mutex", workers == 2 ? 1 / 1.7 : 1 / 1.4}};
      if (workers == 4) targets.push_back({"shoal::Lock", "", 2, 0, true});
      cases.push_back(
          {"lock.contended." + std::to_string(workers) + "." + std::to_string(section),
           std::to_string(workers) + " processes, each " + std::to_string(section) +
               " ns under the lock and as long outside it; time per turn, of whichever process",
           "pthread mutex", contenders([=]<class Lock>(Type<Lock>) {
             return contended<Lock>(workers, std::chrono::nanoseconds(section));
           }),
           kNanoseconds, 0, std::move(targets)});
    }
  auto of_hand_over = contenders([]<class Lock>(Type<Lock>) { return handed_over<Lock>(); });
  of_hand_over.push_back({"exchange, never yields", handed_over<NeverYields>, true});
  of_hand_over.push_back(cache_line_one_way());
  cases.push_back({"lock.handover",
                   "unlock to the return of lock() in another process, which has waited for 2 us",
                   "pthread mutex",
                   of_hand_over,
                   kNanoseconds,
                   0,
                   {{"shoal::Lock", "", 100}}});
  const auto starving = []<class Lock>(Type<Lock>) {
    return starved<Lock>(4, 2, std::chrono::seconds(10));
  };
  cases.push_back({"lock.starvation",
                   "4 processes on 2 cores, for 10 s; the longest wait of any",
                   "pthread mutex",
                   contenders(starving, Whom::some),
                   kMilliseconds,
                   3,
                   {{"shoal::Lock", "pthread mutex", 1}}});
  return cases;
}

}  // namespace bench
