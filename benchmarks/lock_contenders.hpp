// SPDX-License-Identifier: MIT
#pragma once

// What can take part in the benchmarks of locks. A contender is a class with
//
//   Contender(const Place& place, bool first);   first: makes it. Else finds it: it has been made
//   void lock();
//   void unlock();
//   static void remove(const Place& place);      optional: takes away what has a name
//   bool await_death();                              optional: locks; true: not had, its holder died
//
// and a line in lock_bench.cpp.

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include <atomic>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <cerrno>
#include <new>
#include <stdexcept>

#include "harness.hpp"
#include "shoal/error.hpp"
#include "shoal/lock.hpp"
#include "shoal/segment.hpp"

namespace bench {

class ShoalLock {
 public:
  ShoalLock(const Place& place, bool) : lock_(shoal::Segment(place.name), "lock") {}
  void lock() { lock_.lock(); }
  void unlock() { lock_.unlock(); }
  bool await_death() {
    try {
      lock_.lock();
      return false;
    } catch (const shoal::OwnerDied&) {
      return true;
    }
  }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  shoal::Lock lock_;
};

// The least that keeps others out: one CAS, one store. It cannot sleep, and if its holder dies
// everybody waits for ever.
class BareWord {
 public:
  BareWord(const Place& place, bool) : word_(*static_cast<std::atomic<int>*>(place.memory)) {}
  void lock() {
    for (int looks = 1, free = 0;
         !word_.compare_exchange_strong(free, 1, std::memory_order_acquire); free = 0, ++looks)
      if (looks % 64 == 0)
        ::sched_yield();
      else
        while (word_.load(std::memory_order_relaxed) != 0 && looks % 64 != 0) ++looks, pause();
  }
  void unlock() { word_.store(0, std::memory_order_release); }

 private:
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  std::atomic<int>& word_;
};

// As bare, and it never lets go of its core: about the least that a hand-over between two cores can
// cost.
class NeverYields {
 public:
  NeverYields(const Place& place, bool) : word_(*static_cast<std::atomic<int>*>(place.memory)) {}
  void lock() {
    while (word_.exchange(1, std::memory_order_acquire) != 0)
      while (word_.load(std::memory_order_relaxed) != 0) continue;
  }
  void unlock() { word_.store(0, std::memory_order_release); }

 private:
  std::atomic<int>& word_;
};

enum class Pthread { plain, robust, adaptive, recursive, recursive_robust };

template <Pthread kind>
class PthreadMutex {
 public:
  PthreadMutex(const Place& place, bool first)
      : mutex_(*static_cast<pthread_mutex_t*>(place.memory)) {
    if (!first) return;
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (kind == Pthread::robust || kind == Pthread::recursive_robust)
      ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (kind == Pthread::recursive || kind == Pthread::recursive_robust)
      ::pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    if (kind == Pthread::adaptive)
      ::pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    ::pthread_mutex_init(&mutex_, &attributes);
  }
  void lock() {
    if (::pthread_mutex_lock(&mutex_) != 0) throw std::runtime_error("pthread_mutex_lock failed");
  }
  void unlock() { ::pthread_mutex_unlock(&mutex_); }
  bool await_death() { return ::pthread_mutex_lock(&mutex_) == EOWNERDEAD; }

 private:
  pthread_mutex_t& mutex_;
};

class BoostMutex {
 public:
  BoostMutex(const Place& place, bool first)
      : mutex_(*static_cast<boost::interprocess::interprocess_mutex*>(place.memory)) {
    if (first) new (place.memory) boost::interprocess::interprocess_mutex;
  }
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  boost::interprocess::interprocess_mutex& mutex_;
};

class PosixSemaphore {
 public:
  PosixSemaphore(const Place& place, bool first) : semaphore_(*static_cast<sem_t*>(place.memory)) {
    if (first) ::sem_init(&semaphore_, 1, 1);
  }
  void lock() {
    while (::sem_wait(&semaphore_) != 0)
      if (errno != EINTR) throw std::runtime_error("sem_wait failed");
  }
  void unlock() { ::sem_post(&semaphore_); }

 private:
  sem_t& semaphore_;
};

}  // namespace bench
