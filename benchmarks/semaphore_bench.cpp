// SPDX-License-Identifier: MIT
#include <semaphore.h>

#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <cerrno>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.hpp"
#include "limits.hpp"
#include "shoal/segment.hpp"
#include "shoal/semaphore.hpp"

namespace bench {
namespace {

// A contender is a class with
//
//   Contender(const Place& place, bool first, int number, int initial);   two may share a place
//   void acquire();
//   bool try_acquire();
//   void release();
//   static void remove(const Place& place);                               optional

// Where number 0 and number 1 live that live in memory.
void* room(const Place& place, int number) {
  return static_cast<std::byte*>(place.memory) + 1024 * number;
}

template <class Semaphore>
class OfShoal {
 public:
  OfShoal(const Place& place, bool, int number, int initial)
      : semaphore_(shoal::Segment(place.name), "semaphore-" + std::to_string(number), initial) {}
  void acquire() { semaphore_.acquire(); }
  bool try_acquire() { return semaphore_.try_acquire(); }
  void release() { semaphore_.release(); }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  Semaphore semaphore_;
};

class OfPosix {
 public:
  OfPosix(const Place& place, bool first, int number, int initial)
      : semaphore_(*static_cast<sem_t*>(room(place, number))) {
    if (first) ::sem_init(&semaphore_, 1, static_cast<unsigned>(initial));
  }
  void acquire() {
    while (::sem_wait(&semaphore_) != 0)
      if (errno != EINTR) throw std::runtime_error("sem_wait failed");
  }
  bool try_acquire() { return ::sem_trywait(&semaphore_) == 0; }
  void release() { ::sem_post(&semaphore_); }

 private:
  sem_t& semaphore_;
};

class OfBoost {
 public:
  OfBoost(const Place& place, bool first, int number, int initial)
      : semaphore_(*static_cast<Semaphore*>(room(place, number))) {
    if (first) new (&semaphore_) Semaphore(static_cast<unsigned>(initial));
  }
  void acquire() { semaphore_.wait(); }
  bool try_acquire() { return semaphore_.try_wait(); }
  void release() { semaphore_.post(); }

 private:
  using Semaphore = boost::interprocess::interprocess_semaphore;
  Semaphore& semaphore_;
};

// Afterwards there must be as many permits as before.
template <class Semaphore>
Sample uncontended() {
  return alone([](const Worker& worker, const Place& place) {
    const auto semaphore = open_together<Semaphore>(worker, place, 0, 1);
    report_time_of(worker, [&](std::uint64_t n) {
      for (std::uint64_t i = 0; i < n; ++i) {
        semaphore->acquire();
        semaphore->release();
      }
    });
    if (!semaphore->try_acquire()) throw std::runtime_error("lost its permit");
    if (semaphore->try_acquire()) throw std::runtime_error("has a permit too many");
    semaphore->release();
  });
}

// Whose turn it is has a permit.
template <class Semaphore>
class Turns {
 public:
  Turns(const Place& place, bool first)
      : semaphores_{Semaphore(place, first, 0, 1), Semaphore(place, first, 1, 0)} {}
  void await(int worker) { semaphores_[worker].acquire(); }
  void give(int worker) { semaphores_[worker].release(); }
  static void remove(const Place& place) {
    if constexpr (requires { Semaphore::remove(place); }) Semaphore::remove(place);
  }

 private:
  Semaphore semaphores_[2];
};

}  // namespace

// A BoundedSemaphore takes no part in the second: its permits come back from who acquired them.
std::vector<Case> semaphore_cases() {
  return {{"semaphore.uncontended",
           "acquire and release, there is a permit",
           "sem_t",
           {{"shoal::Semaphore", uncontended<OfShoal<shoal::Semaphore>>},
            {"shoal::BoundedSemaphore", uncontended<OfShoal<shoal::BoundedSemaphore>>},
            {"sem_t", uncontended<OfPosix>},
            {"boost semaphore", uncontended<OfBoost>},
            one_rmw()},
           kNanoseconds,
           0,
           {{"shoal::Semaphore", "sem_t", 1}}},
          {"semaphore.contended.2",
           "2 processes release each other's semaphore and wait for their own; time of one way",
           "sem_t",
           {{"shoal::Semaphore", take_turns<Turns<OfShoal<shoal::Semaphore>>>},
            {"sem_t", take_turns<Turns<OfPosix>>},
            {"boost semaphore", take_turns<Turns<OfBoost>>},
            cache_line_one_way()}}};
}

}  // namespace bench
