// SPDX-License-Identifier: MIT
#pragma once

// What can take part in the benchmarks of locks. A contender is a class with
//
//   Contender(const Place& place, bool first);   first: makes it. Else finds it: it has been made
//   void lock();
//   void unlock();
//   static void remove(const Place& place);      optional: takes away what has a name
//   static constexpr bool kThreads = true;       optional: it is for threads of one process
//
// and a line in lock_bench.cpp.

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <unistd.h>

#include <atomic>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/named_mutex.hpp>
#include <cerrno>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>

#include "harness.hpp"
#include "shoal/lock.hpp"
#include "shoal/segment.hpp"

namespace bench {

class ShoalLock {
 public:
  ShoalLock(const Place& place, bool) : lock_(shoal::Segment(place.name), "lock") {}
  void lock() { lock_.lock(); }
  void unlock() { lock_.unlock(); }
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

enum class Pthread { plain, robust, adaptive, inheriting, recursive, recursive_robust };

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
    if (kind == Pthread::inheriting)
      ::pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    if (kind == Pthread::adaptive)
      ::pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    ::pthread_mutex_init(&mutex_, &attributes);
  }
  void lock() {
    if (::pthread_mutex_lock(&mutex_) != 0) throw std::runtime_error("pthread_mutex_lock failed");
  }
  void unlock() { ::pthread_mutex_unlock(&mutex_); }

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

class BoostNamedMutex {
 public:
  BoostNamedMutex(const Place& place, bool)
      : mutex_(boost::interprocess::open_or_create, place.name.c_str()) {}
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }
  static void remove(const Place& place) {
    boost::interprocess::named_mutex::remove(place.name.c_str());
  }

 private:
  boost::interprocess::named_mutex mutex_;
};

// For comparison: threads of one process share it, processes cannot.
class StdMutex {
 public:
  static constexpr bool kThreads = true;
  StdMutex(const Place& place, bool first) : mutex_(*static_cast<std::mutex*>(place.memory)) {
    if (first) new (place.memory) std::mutex;
  }
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex& mutex_;
};

class FileLock {
 public:
  FileLock(const Place& place, bool first)
      : file_(::open(path(place).c_str(), O_RDWR | (first ? O_CREAT : 0), 0600)) {
    if (file_ < 0) throw std::runtime_error("cannot open a file");
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() { ::close(file_); }
  void lock() {
    while (::flock(file_, LOCK_EX) != 0)
      if (errno != EINTR) throw std::runtime_error("flock failed");
  }
  void unlock() { ::flock(file_, LOCK_UN); }
  static void remove(const Place& place) { ::unlink(path(place).c_str()); }

 private:
  static std::string path(const Place& place) { return "/dev/shm/" + place.name; }
  int file_;
};

// With SEM_UNDO: the kernel gives back what the dead held.
class SystemVSemaphore {
 public:
  SystemVSemaphore(const Place& place, bool first) : shared_(*static_cast<Shared*>(place.memory)) {
    if (first) {
      shared_.id = ::semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
      change(1, 0);
    }
    ++shared_.users;
  }
  SystemVSemaphore(const SystemVSemaphore&) = delete;
  SystemVSemaphore& operator=(const SystemVSemaphore&) = delete;
  ~SystemVSemaphore() {
    if (--shared_.users == 0) ::semctl(shared_.id, 0, IPC_RMID);
  }
  void lock() { change(-1, SEM_UNDO); }
  void unlock() { change(1, SEM_UNDO); }

 private:
  struct Shared {
    int id;
    std::atomic<int> users;
  };
  void change(short by, short flags) {
    sembuf operation{0, by, flags};
    while (::semop(shared_.id, &operation, 1) != 0)
      if (errno != EINTR) throw std::runtime_error("semop failed");
  }
  Shared& shared_;
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
