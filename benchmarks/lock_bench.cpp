// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
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

// The contender, made by the first worker before the others find it. Its name goes at once.
template <class Lock>
std::unique_ptr<Lock> open(const Worker& worker, const Place& place) {
  std::unique_ptr<Lock> lock;
  if (worker.number() == 0) lock = std::make_unique<Lock>(place, true);
  worker.meet();
  if (!lock) lock = std::make_unique<Lock>(place, false);
  worker.meet();
  if constexpr (requires { Lock::remove(place); })
    if (worker.number() == 0) Lock::remove(place);
  return lock;
}

template <class Lock>
void count_one(Lock& lock, const Worker& worker, std::uint64_t steps) {
  lock.lock();
  worker.protected_number() = worker.protected_number() + 1;
  spend(steps);
  lock.unlock();
}

// What was counted under the lock must be there.
Sample judged(Sample sample, const Report& report, std::uint64_t counted) {
  if (sample.broken.empty() && report.protected_number != counted)
    sample.broken = "is no lock: " + std::to_string(report.protected_number) + " of " +
                    std::to_string(counted) + " counted";
  return sample;
}

// The first worker is measured while the other one sleeps; then both count at once, to see that it
// is a lock.
template <class Lock>
Sample uncontended() {
  constexpr std::uint64_t kTimes = 20'000;
  const Report report = in_processes(2, [](const Worker& worker, const Place& place) {
    const auto lock = open<Lock>(worker, place);
    if (worker.number() == 0)
      report_time_of(worker, [&](std::uint64_t n) {
        for (std::uint64_t i = 0; i < n; ++i) {
          lock->lock();
          lock->unlock();
        }
      });
    worker.meet();
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
    const auto lock = open<Lock>(worker, place);
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

template <class Lock>
struct Type {};

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
  return cases;
}

}  // namespace bench
