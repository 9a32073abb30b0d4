// SPDX-License-Identifier: MIT
#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "shoal/event.hpp"
#include "shoal/segment.hpp"

namespace bench {
namespace {

class ShoalEvent {
 public:
  ShoalEvent(const Place& place, bool) : event_(shoal::Segment(place.name), "event") {}
  void set() { event_.set(); }
  void clear() { event_.clear(); }
  bool is_set() { return event_.is_set(); }
  void wait() { event_.wait(); }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  shoal::Event event_;
};

// No event to use: who waits cannot sleep, and may miss a set() that a clear() follows.
class BareFlag {
 public:
  BareFlag(const Place& place, bool) : flag_(*static_cast<std::atomic<bool>*>(place.memory)) {}
  void set() { flag_.store(true, std::memory_order_release); }
  void clear() { flag_.store(false, std::memory_order_release); }
  bool is_set() { return flag_.load(std::memory_order_acquire); }
  void wait() {
    spin_until([this] { return is_set(); });
  }

 private:
  std::atomic<bool>& flag_;
};

// What one writes with what there is.
class PthreadFlag {
 public:
  PthreadFlag(const Place& place, bool first) : shared_(*static_cast<Shared*>(place.memory)) {
    if (!first) return;
    pthread_mutexattr_t of_mutex;
    ::pthread_mutexattr_init(&of_mutex);
    ::pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    ::pthread_mutex_init(&shared_.mutex, &of_mutex);
    pthread_condattr_t of_condition;
    ::pthread_condattr_init(&of_condition);
    ::pthread_condattr_setpshared(&of_condition, PTHREAD_PROCESS_SHARED);
    ::pthread_cond_init(&shared_.condition, &of_condition);
  }
  void set() {
    locked([this] {
      shared_.flag = true;
      ::pthread_cond_broadcast(&shared_.condition);
    });
  }
  void clear() {
    locked([this] { shared_.flag = false; });
  }
  bool is_set() {
    bool flag = false;
    locked([&] { flag = shared_.flag; });
    return flag;
  }
  void wait() {
    locked([this] {
      while (!shared_.flag) ::pthread_cond_wait(&shared_.condition, &shared_.mutex);
    });
  }

 private:
  struct Shared {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    bool flag;
  };
  template <class F>
  void locked(F work) {
    ::pthread_mutex_lock(&shared_.mutex);
    work();
    ::pthread_mutex_unlock(&shared_.mutex);
  }
  Shared& shared_;
};

// Each leaves the event set.
struct IsSet {
  template <class Event>
  void operator()(Event& event) const {
    keep(event.is_set());
  }
};
struct Set {
  template <class Event>
  void operator()(Event& event) const {
    event.set();
  }
};
struct ClearAndSet {
  template <class Event>
  void operator()(Event& event) const {
    event.clear();
    event.set();
  }
};

// The first worker is measured while the other one sleeps; then that one waits for it.
template <class Event, class Operation>
Sample measure() {
  const Report report = in_processes(2, [](const Worker& worker, const Place& place) {
    const auto event = open_together<Event>(worker, place);
    if (worker.number() == 0) {
      event->set();
      report_time_of(worker, [&](std::uint64_t n) {
        for (std::uint64_t i = 0; i < n; ++i) Operation{}(*event);
      });
      if (!event->is_set()) throw std::runtime_error("is not set after set()");
      event->clear();
      if (event->is_set()) throw std::runtime_error("is set after clear()");
    }
    worker.meet();
    if (worker.number() == 0)
      event->set();
    else
      event->wait();
  });
  return one_of(report);
}

template <class Operation>
Case compare(const char* name, const char* what, std::vector<Target> targets = {}) {
  return {std::string("event.") + name,
          what,
          "mutex and condition",
          {{"shoal::Event", measure<ShoalEvent, Operation>},
           {"std::atomic, spins", measure<BareFlag, Operation>, true},
           {"mutex and condition", measure<PthreadFlag, Operation>}},
          kNanoseconds,
          0,
          std::move(targets)};
}

}  // namespace

std::vector<Case> event_cases() {
  return {compare<IsSet>("is_set", "ask whether it is set", {{"shoal::Event", "", 1}}),
          compare<Set>("set", "set what is set already, nobody waits", {{"shoal::Event", "", 10}}),
          compare<ClearAndSet>("clear_set", "clear and set, nobody waits")};
}

}  // namespace bench
