// SPDX-License-Identifier: MIT
#include <pthread.h>

#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

#include "harness.hpp"
#include "limits.hpp"
#include "shoal/condition.hpp"
#include "shoal/lock.hpp"
#include "shoal/segment.hpp"

namespace bench {
namespace {

// A contender is a mutex, a condition and, under the mutex, whose turn it is: see take_turns(), and
//
//   void notify();   notify one

// Kept where the contender does not need it.
int& whose_turn(const Place& place) {
  return *reinterpret_cast<int*>(static_cast<std::byte*>(place.memory) + 1024);
}

class OfShoal {
 public:
  OfShoal(const Place& place, bool)
      : lock_(shoal::Segment(place.name), "lock"),
        changed_(shoal::Segment(place.name), "changed"),
        turn_(whose_turn(place)) {}
  void await(int worker) {
    std::unique_lock held(lock_);
    changed_.wait(held, [&] { return turn_ == worker; });
  }
  void give(int worker) {
    const std::scoped_lock held(lock_);
    turn_ = worker;
    changed_.notify_one();
  }
  void notify() { changed_.notify_one(); }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  const shoal::Lock lock_;
  shoal::Condition changed_;
  int& turn_;
};

class OfPthread {
 public:
  OfPthread(const Place& place, bool first)
      : shared_(*static_cast<Shared*>(place.memory)), turn_(whose_turn(place)) {
    if (!first) return;
    pthread_mutexattr_t of_mutex;
    ::pthread_mutexattr_init(&of_mutex);
    ::pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    ::pthread_mutex_init(&shared_.mutex, &of_mutex);
    pthread_condattr_t of_condition;
    ::pthread_condattr_init(&of_condition);
    ::pthread_condattr_setpshared(&of_condition, PTHREAD_PROCESS_SHARED);
    ::pthread_cond_init(&shared_.changed, &of_condition);
  }
  void await(int worker) {
    ::pthread_mutex_lock(&shared_.mutex);
    while (turn_ != worker) ::pthread_cond_wait(&shared_.changed, &shared_.mutex);
    ::pthread_mutex_unlock(&shared_.mutex);
  }
  void give(int worker) {
    ::pthread_mutex_lock(&shared_.mutex);
    turn_ = worker;
    notify();
    ::pthread_mutex_unlock(&shared_.mutex);
  }
  void notify() { ::pthread_cond_signal(&shared_.changed); }

 private:
  struct Shared {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
  };
  Shared& shared_;
  int& turn_;
};

class OfBoost {
 public:
  OfBoost(const Place& place, bool first)
      : shared_(*static_cast<Shared*>(place.memory)), turn_(whose_turn(place)) {
    if (first) new (&shared_) Shared;
  }
  void await(int worker) {
    Held held(shared_.mutex);
    while (turn_ != worker) shared_.changed.wait(held);
  }
  void give(int worker) {
    const Held held(shared_.mutex);
    turn_ = worker;
    notify();
  }
  void notify() { shared_.changed.notify_one(); }

 private:
  using Held = boost::interprocess::scoped_lock<boost::interprocess::interprocess_mutex>;
  struct Shared {
    boost::interprocess::interprocess_mutex mutex;
    boost::interprocess::interprocess_condition changed;
  };
  Shared& shared_;
  int& turn_;
};

// The first worker is measured while the other one sleeps; then they take turns, to see that a
// notify still reaches who waits.
template <class Turns>
Sample notify() {
  constexpr int kTurns = 1'000;
  const Report report = in_processes(2, [](const Worker& worker, const Place& place) {
    const auto turns = open_together<Turns>(worker, place);
    if (worker.number() == 0)
      report_time_of(worker, [&](std::uint64_t n) {
        for (std::uint64_t i = 0; i < n; ++i) turns->notify();
      });
    worker.meet();
    for (int i = 0; i < kTurns; ++i) {
      turns->await(worker.number());
      worker.count_turn();
      turns->give(1 - worker.number());
    }
  });
  return judged(one_of(report), report, 2 * kTurns);
}

}  // namespace

std::vector<Case> condition_cases() {
  return {{"condition.notify",
           "notify one, nobody waits",
           "pthread condition",
           {{"shoal::Condition", notify<OfShoal>},
            {"pthread condition", notify<OfPthread>},
            {"boost condition", notify<OfBoost>}}},
          {"condition.pingpong",
           "2 processes give each other the turn under a lock, and notify; time of one way",
           "pthread condition",
           {{"shoal::Condition", take_turns<OfShoal>},
            {"pthread condition", take_turns<OfPthread>},
            {"boost condition", take_turns<OfBoost>},
            cache_line_one_way()}}};
}

}  // namespace bench
