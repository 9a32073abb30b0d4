// SPDX-License-Identifier: MIT
#pragma once

// Processes that use objects at the same time, and what they saw: short histories, of eight calls
// each, one of each object.
//
// Who comes next takes the next ticket, which says of which object and the how manieth call it is: so
// those who run at the same time are at the same object. Two tickets are used at the same moment, if
// anybody else comes in time. And now and then a signal makes one of them sleep, in the middle of
// whatever it is at, while the others go on.

#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

#include "linearizability/call.hpp"
#include "support/child.hpp"
#include "support/patience.hpp"
#include "support/shared.hpp"

namespace shoal_test {

using Random = std::minstd_rand;

// The objects that are used. Made before the processes are; each of them has its own copy of what is
// not in shared memory.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual void reset(std::size_t object) = 0;  // to the model's initial state; nobody is at work
  virtual Call draw(Random& random, int process, std::size_t object) = 0;
  virtual void perform(Call& call, std::size_t object) = 0;
  virtual void tidy(std::size_t /*object*/) {
  }  // by each process in the end: gives back what it has
  virtual bool is_linearizable(History history) = 0;
};

class Crew {
 public:
  static constexpr std::size_t kObjects = 200;
  static constexpr std::size_t kCalls = 8;      // of each object
  static constexpr std::size_t kLateCalls = 3;  // more, once somebody is dead
  static constexpr int kProcesses = 4;

  enum class Deaths { none, one };

  // All of it once, with so many of the objects. With a death, one of the processes is killed in
  // between; the others go on, and in the end look at each object once more.
  void work(Subject& subject, std::size_t objects, unsigned seed, Deaths deaths) {
    clear(objects);
    for (std::size_t object = 0; object < objects; ++object) subject.reset(object);
    std::vector<Child> crew;
    for (int process = 0; process < kProcesses; ++process)
      crew.emplace_back([&, process] { live(subject, seed, process, deaths); }, kDeadline);
    book_->open = 1;
    if (deaths == Deaths::one) {
      if (crew[0].exit_status() != -SIGKILL || crew[0].timed_out())
        throw std::runtime_error("the victim ended otherwise");
      note_death();
    }
    for (int process = deaths == Deaths::one ? 1 : 0; process < kProcesses; ++process)
      if (!crew[static_cast<std::size_t>(process)].succeeds())
        throw std::runtime_error("one of the crew failed");
  }

  // What was seen of an object.
  [[nodiscard]] std::vector<Recorded<Call>> history(std::size_t object) const {
    std::vector<Recorded<Call>> history;
    const auto add = [&](const Recorded<Call>& one) {
      if (one.invoked != 0) history.push_back(one);
    };
    for (std::size_t i = 0; i < kCalls; ++i) add(book_->calls[object * kCalls + i]);
    for (std::size_t i = 0; i < kLateCalls; ++i) add(book_->late[object * kLateCalls + i]);
    add(book_->death);
    note_contention(std::span(history));
    return history;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kDeadline{60};
  // A call takes 100 to 500 ns; a signal some 2 us to come.
  static constexpr std::chrono::microseconds kNap{10};
  static constexpr std::chrono::microseconds kSpin{20};
  static constexpr std::chrono::microseconds kMeeting{150};
  static constexpr unsigned kNapsWithin = 20'000;  // ns  // ns  // ns  // ns  // ns  // ns  // ns
  static constexpr unsigned kDiesWithin = 40'000;

  // Those of one phase.
  struct Tickets {
    std::atomic<std::size_t>* next;
    std::size_t each;  // for each object
    Recorded<Call>* calls;
    std::atomic<int>* meetings;
  };
  struct Book {
    std::array<Recorded<Call>, kObjects * kCalls> calls;
    std::array<Recorded<Call>, kObjects * kLateCalls> late;
    std::array<std::atomic<int>, kObjects * kCalls / 2 + 1> meetings;
    std::array<std::atomic<int>, kObjects * kLateCalls / 2 + 1> late_meetings;
    Recorded<Call> death;
    std::size_t objects;
    alignas(64) std::atomic<std::size_t> tickets;
    alignas(64) std::atomic<std::size_t> late_tickets;
    alignas(64) std::atomic<int> open;  // they may begin
    std::atomic<int> done;              // so many have come to the end
    std::atomic<int> dead;

    Tickets calls_of() { return {&tickets, kCalls, calls.data(), meetings.data()}; }
    Tickets late_calls_of() {
      return {&late_tickets, kLateCalls, late.data(), late_meetings.data()};
    }
  };

  // Sends this process a signal when it is told to.
  class Timer {
   public:
    explicit Timer(int signal) {
      sigevent event{};
      event.sigev_notify = SIGEV_SIGNAL;
      event.sigev_signo = signal;
      if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0)
        throw std::runtime_error("no timer");
    }
    ~Timer() { ::timer_delete(timer_); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void ring_in(std::chrono::nanoseconds time) const {
      const itimerspec once{{0, 0}, {0, time.count()}};
      ::timer_settime(timer_, 0, &once, nullptr);
    }

   private:
    timer_t timer_{};
  };

  // Each second one on another CPU, where there are two.
  static void stay_on_a_cpu(int process) {
    cpu_set_t allowed;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    int skip = process % std::min(2, CPU_COUNT(&allowed));
    for (std::size_t cpu = 0; cpu < std::size_t{CPU_SETSIZE}; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed) || skip-- > 0) continue;
      CPU_ZERO(&allowed);
      CPU_SET(cpu, &allowed);
      ::sched_setaffinity(0, sizeof allowed, &allowed);
      return;
    }
  }

  static void sleep(std::chrono::nanoseconds time) {
    const timespec length{0, time.count()};
    ::nanosleep(&length, nullptr);
  }
  // Takes a nap whenever it comes.
  static void be_interrupted(int /*signal*/) {
    const int error = errno;
    sleep(kNap);
    errno = error;
  }

  static std::int64_t now() { return Clock::now().time_since_epoch().count(); }

  void clear(std::size_t objects) {
    book_->objects = objects;
    book_->calls = {};
    book_->late = {};
    book_->death = {};
    for (auto& arrived : book_->meetings) arrived = 0;
    for (auto& arrived : book_->late_meetings) arrived = 0;
    book_->tickets = 0;
    book_->late_tickets = 0;
    book_->open = 0;
    book_->done = 0;
    book_->dead = 0;
  }

  static void await(const std::atomic<int>& mark, int least) {
    const auto end = Clock::now() + patient(kDeadline);
    while (mark.load(std::memory_order_acquire) < least) {
      sleep(kNap);
      if (Clock::now() > end) throw std::runtime_error("one of the crew is late");
    }
  }

  void live(Subject& subject, unsigned seed, int process, Deaths deaths) {
    Random random(seed * 31 + static_cast<unsigned>(process) + 1);
    ::prctl(PR_SET_TIMERSLACK, 1);  // ns
    std::signal(SIGUSR1, be_interrupted);
    stay_on_a_cpu(process);
    await(book_->open, 1);
    const bool dies = deaths == Deaths::one && process == 0;
    use(subject, random, process, dies ? 1 + random() % book_->objects : 0, book_->calls_of());
    if (dies) ::raise(SIGKILL);  // it had fewer calls than that
    ++book_->done;
    if (deaths == Deaths::one) {
      await(book_->dead, 1);
      use(subject, random, process, 0, book_->late_calls_of());
      ++book_->done;
    }
    await(book_->done, deaths == Deaths::one ? 2 * (kProcesses - 1) : kProcesses);
    for (std::size_t object = 0; object < book_->objects; ++object) subject.tidy(object);
  }

  // `fatal`: the how manieth call it is told to die before; from then on it does not meet others,
  // but calls, until it is dead.
  void use(Subject& subject, Random& random, int process, std::size_t fatal,
           const Tickets& tickets) {
    const Timer nap(SIGUSR1);
    const Timer end(SIGKILL);
    for (std::size_t made = 1;; ++made) {
      const std::size_t ticket = (*tickets.next)++;
      if (ticket >= book_->objects * tickets.each) return;
      Call call = subject.draw(random, process, ticket / tickets.each);
      call.by = process;
      if (random() % 16 == 0) nap.ring_in(std::chrono::nanoseconds(1 + random() % kNapsWithin));
      if (made == fatal) end.ring_in(std::chrono::nanoseconds(1 + random() % kDiesWithin));
      if (fatal == 0 || made < fatal) meet(tickets.meetings[ticket / 2]);
      perform(subject, call, ticket / tickets.each, tickets.calls[ticket]);
    }
  }

  // Waits for whoever has the other ticket of two, for a while.
  static void meet(std::atomic<int>& arrived) {
    ++arrived;
    const auto begin = Clock::now();
    auto end_of_spin = begin + kSpin;
    for (auto now = begin; arrived.load() < 2 && now < begin + kMeeting; now = Clock::now()) {
      if (now < end_of_spin) continue;
      sleep(kNap);
      end_of_spin = Clock::now() + kSpin;
    }
  }

  // The fences: whatever else a call is, it is not before the clock was read, and not after.
  static void perform(Subject& subject, Call call, std::size_t object, Recorded<Call>& record) {
    record.operation = call;
    const std::int64_t invoked = now();
    std::atomic_ref(record.invoked).store(invoked, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    subject.perform(call, object);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::int64_t returned = now();
    record.operation = call;
    std::atomic_ref(record.returned).store(returned, std::memory_order_release);
  }

  // The victim was alive at the last time that it wrote down, and is dead now.
  void note_death() {
    Recorded<Call>& death = book_->death;
    death.operation.verb = Verb::die;
    death.operation.answer = Answer::done;
    death.invoked = 1;
    death.returned = now();
    for (Recorded<Call>& record : book_->calls) {
      if (record.invoked == 0 || record.operation.by != 0) continue;
      death.invoked = std::max({death.invoked, record.invoked, record.returned});
      if (record.returned != 0) continue;
      record.pending = true;
      record.returned = death.returned;
      record.operation.answer = Answer::unknown;
    }
    book_->dead.store(1, std::memory_order_release);
  }

  const Shared<Book> book_;
};

}  // namespace shoal_test
