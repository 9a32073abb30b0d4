// SPDX-License-Identifier: MIT
#include <boost/interprocess/sync/interprocess_recursive_mutex.hpp>
#include <cstdint>
#include <new>
#include <vector>

#include "harness.hpp"
#include "lock_contenders.hpp"
#include "shoal/rlock.hpp"

namespace bench {
namespace {

class ShoalRLock {
 public:
  ShoalRLock(const Place& place, bool) : lock_(shoal::Segment(place.name), "lock") {}
  void lock() { lock_.lock(); }
  void unlock() { lock_.unlock(); }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  shoal::RLock lock_;
};

class BoostRecursiveMutex {
 public:
  BoostRecursiveMutex(const Place& place, bool first) : mutex_(*static_cast<Mutex*>(place.memory)) {
    if (first) new (place.memory) Mutex;
  }
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  using Mutex = boost::interprocess::interprocess_recursive_mutex;
  Mutex& mutex_;
};

template <class Lock>
void time_pairs(Lock& lock, const Worker& worker) {
  report_time_of(worker, [&](std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i) {
      lock.lock();
      lock.unlock();
    }
  });
}

template <class Lock>
void count_one_twice_locked(Lock& lock, const Worker& worker) {
  lock.lock();
  lock.lock();
  worker.protected_number() = worker.protected_number() + 1;
  lock.unlock();
  worker.protected_number() = worker.protected_number() + 1;
  lock.unlock();
}

// The first worker is measured while the other one sleeps; then both count at once, to see that it
// is a lock, and stays one until it has been unlocked as often as it was locked.
template <class Lock>
Sample measured(bool nested) {
  constexpr std::uint64_t kTimes = 20'000;
  const Report report = in_processes(2, [nested](const Worker& worker, const Place& place) {
    const auto lock = open_together<Lock>(worker, place);
    if (worker.number() == 0) {
      if (nested) lock->lock();
      time_pairs(*lock, worker);
      if (nested) lock->unlock();
    }
    worker.meet();
    worker.meet_awake();
    for (std::uint64_t i = 0; i < kTimes; ++i) count_one_twice_locked(*lock, worker);
  });
  return judged(one_of(report), report, 4 * kTimes);
}

std::vector<Contender> contenders(bool nested) {
  return {{"shoal::RLock", [=] { return measured<ShoalRLock>(nested); }},
          {"pthread recursive", [=] { return measured<PthreadMutex<Pthread::recursive>>(nested); }},
          {"pthread rec. robust",
           [=] { return measured<PthreadMutex<Pthread::recursive_robust>>(nested); }},
          {"boost recursive mutex", [=] { return measured<BoostRecursiveMutex>(nested); }}};
}

}  // namespace

std::vector<Case> rlock_cases() {
  return {{"rlock.uncontended", "lock and unlock, nobody else wants it", "pthread recursive",
           contenders(false)},
          {"rlock.nested", "lock again and unlock, by the thread that holds it",
           "pthread recursive", contenders(true)}};
}

}  // namespace bench
