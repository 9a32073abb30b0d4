// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace bench {

// What one contender did in one round.
struct Sample {
  double ns = 0;        // of one operation; less is better
  double fairness = 0;  // most / fewest operations of one process; 0: there was only one
  std::string broken;   // why it is wrong; then the rest means nothing
  double p99 = 0;       // where ns is the median of many: what 99 of 100 took at most; 0: it is not
  double p999 = 0;      // and 999 of 1,000
  double line_ns = 0;   // how far apart the cores were: see placement.hpp
};

// Who takes part in a case. measure() runs in processes of its own, and checks what it did.
struct Contender {
  std::string name;
  std::function<Sample()> measure;
  bool is_limit = false;  // nothing to use, but what the machine allows: no contender goes under it
};

// What a contender is to reach: so many times the time of another one at most, in the same round.
// Where none is named: so many nanoseconds; or so many times the operations of whichever process had
// the fewest.
struct Target {
  std::string contender;
  std::string against;
  double most;
  double most_shared = 0;  // with the library as a shared one; 0: nothing is said of that
  bool is_fairness = false;
};

// What the times of a table are printed in.
struct Unit {
  const char* name;
  double ns;
};
inline constexpr Unit kNanoseconds{"ns", 1};
inline constexpr Unit kMicroseconds{"us", 1e3};
inline constexpr Unit kMilliseconds{"ms", 1e6};

// What is compared. In each round every contender is measured once, each time another one first, so
// that whatever disturbs the machine disturbs all alike.
struct Case {
  std::string name;
  std::string what;
  std::string baseline;  // the contender whose time is 1.00
  std::vector<Contender> contenders;
  Unit unit = kNanoseconds;
  int rounds =
      0;  // so many, however many are asked for: each takes long; 0: as many as are asked for
  std::vector<Target> targets = {};
};

// All there are: one function a file.
std::vector<Case> barrier_cases();
std::vector<Case> condition_cases();
std::vector<Case> event_cases();
std::vector<Case> limit_cases();
std::vector<Case> lock_cases();
std::vector<Case> pipe_cases();
std::vector<Case> pool_cases();
std::vector<Case> queue_bulk_cases();
std::vector<Case> queue_cases();
std::vector<Case> recovery_cases();
std::vector<Case> rlock_cases();
std::vector<Case> segment_cases();
std::vector<Case> semaphore_cases();
std::vector<Case> value_cases();
std::vector<Case> wake_cases();
// Who would take part, and is not installed here.
std::vector<std::string> absent_contenders();

// What the processes of one measurement share. `memory` is zero at first, and `name` is nobody
// else's: for contenders that are found by name.
struct Place {
  static constexpr std::size_t kBytes = 4 << 20;
  void* memory;  // its second half is for what the processes tell each other: see talk()
  std::string name;
};

// What the processes of a measurement tell each other: a T, which zeroes must make a valid one.
template <class T>
T& talk(const Place& place) {
  static_assert(sizeof(T) <= Place::kBytes / 2);
  return *reinterpret_cast<T*>(static_cast<std::byte*>(place.memory) + Place::kBytes / 2);
}

// What a process that is measured can do. Those of one measurement have numbers from 0; each is
// alone on its core where there are enough.
class Worker {
 public:
  struct Shared;
  Worker(Shared& shared, int number);

  int number() const { return number_; }
  // Waits for all the others of this measurement.
  void meet() const;
  // The same without sleeping: all go on at once. Only where none of them is being measured.
  void meet_awake() const;
  // True when the time given to in_processes() is over.
  bool stopped() const { return stop_.load(std::memory_order_relaxed); }
  // A number that the workers share, for the contender to protect.
  volatile std::uint64_t& protected_number() const;
  // Counts a turn there, of two workers that take turns; throws if it is the other one's.
  void count_turn() const;
  // What this worker did.
  void report(std::uint64_t operations, std::chrono::nanoseconds time) const;
  // The same, where each of many took its own time: their percentiles. Nanoseconds.
  void report_each(std::vector<std::int64_t> times) const;

 private:
  void meet(int looks_before_sleeping) const;

  Shared& shared_;
  const std::atomic<bool>& stop_;
  int number_;
};

// What the workers reported, all of them.
struct Report {
  std::uint64_t operations = 0;
  std::uint64_t least = 0;  // of one worker
  std::uint64_t most = 0;
  double ns = 0;   // of the slowest worker
  double p99 = 0;  // of who reported each
  double p999 = 0;
  std::uint64_t protected_number = 0;  // as they left it
  std::string broken;                  // a worker threw, was killed, or did not end in time

  // The turns of the worker that had the most of them, for one of whoever had the fewest.
  [[nodiscard]] double fairness() const {
    return static_cast<double>(most) / static_cast<double>(std::max<std::uint64_t>(least, 1));
  }
};

using Work = std::function<void(const Worker&, const Place&)>;

// Does the work in that many new processes at once, on that many cores at most. They are stopped()
// after that time, if any.
Report in_processes(int workers, const Work& work, std::chrono::milliseconds time = {},
                    int cores = 1 << 16);

// The same in that many threads of one new process.
Report in_threads(int workers, const Work& work, std::chrono::milliseconds time = {},
                  int cores = 1 << 16);

// The one or the other: a contender that has kThreads cannot be shared by processes.
template <class Contestant, class... Rest>
Report in_workers(int workers, const Work& work, Rest... rest) {
  if constexpr (requires { Contestant::kThreads; })
    return in_threads(workers, work, rest...);
  else
    return in_processes(workers, work, rest...);
}

// The time of one operation.
Sample one_of(const Report& report);

// The sample of a measurement with one worker.
Sample alone(const Work& work);

// That sample; broken, where the workers did not leave that number: two were let in at once.
Sample judged(Sample sample, const Report& report, std::uint64_t protected_number);

// The contender, made by the first worker before the others find it. Its name, if it has one, goes
// at once.
template <class Contestant, class... Arguments>
std::unique_ptr<Contestant> open_together(const Worker& worker, const Place& place,
                                          const Arguments&... arguments) {
  std::unique_ptr<Contestant> contestant;
  const auto make = [&](bool first) {
    contestant = std::make_unique<Contestant>(place, first, arguments...);
  };
  if (worker.number() == 0) make(true);
  worker.meet();
  if (worker.number() != 0) make(false);
  worker.meet();
  if constexpr (requires { Contestant::remove(place); })
    if (worker.number() == 0) Contestant::remove(place);
  return contestant;
}

// Names a class to a lambda.
template <class T>
struct Type {};

// Two workers pass a turn to and fro for a while: the time of one way. A Turns is a contender with
//
//   void await(int worker);   returns when it is that worker's turn; worker 0 has the first
//   void give(int worker);    makes it that worker's turn
template <class Turns>
Sample take_turns() {
  const auto work = [](const Worker& worker, const Place& place) {
    const auto turns = open_together<Turns>(worker, place);
    auto& over = talk<std::atomic<bool>>(place);  // relaxed: who has the turn has it alone
    const int me = worker.number();
    std::uint64_t mine = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (bool last = false; !last; ++mine) {
      turns->await(me);
      last = over.load(std::memory_order_relaxed);
      worker.count_turn();
      if (worker.stopped()) over.store(true, std::memory_order_relaxed);
      turns->give(1 - me);
    }
    worker.report(mine, std::chrono::steady_clock::now() - begin);
  };
  const Report report = in_processes(2, work, std::chrono::milliseconds(120));
  return judged(one_of(report), report, report.operations);
}

// Waits as one does who cannot sleep.
template <class Predicate>
void spin_until(Predicate predicate) {
  for (int looks = 1; !predicate(); ++looks) {
    if (looks % 64 == 0) std::this_thread::yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

// Measures one call: how many fill 2 ms is found first, and warms up; then as many are timed again
// and again, and the least is reported: whatever else runs on the machine only adds to it.
// `times(n)` makes n calls.
template <class Times>
void report_time_of(const Worker& worker, Times&& times) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kLongEnough(2);
  constexpr int kPortions = 15;
  const auto time_of = [&](std::uint64_t n) -> std::chrono::nanoseconds {
    const auto begin = Clock::now();
    times(n);
    return Clock::now() - begin;
  };
  std::uint64_t n = 16;
  while (time_of(n) < kLongEnough) n *= 2;
  std::chrono::nanoseconds least = time_of(n);
  for (int i = 1; i < kPortions; ++i) least = std::min(least, time_of(n));
  worker.report(n, least);
}

// Keeps the compiler from leaving out what computes `value`.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

}  // namespace bench
