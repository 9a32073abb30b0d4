// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "descriptors.hpp"
#include "harness.hpp"
#include "limits.hpp"
#include "shoal/event.hpp"
#include "shoal/segment.hpp"
#include "shoal/semaphore.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// What can take part: wake(), and a wait() that returns once for each.

class OfEvent {
 public:
  OfEvent(const Place& place, bool) : event_(shoal::Segment(place.name), "event") {}
  void wake() { event_.set(); }
  void wait() {
    event_.wait();
    event_.clear();
  }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  shoal::Event event_;
};

class OfSemaphore {
 public:
  OfSemaphore(const Place& place, bool) : semaphore_(shoal::Segment(place.name), "semaphore", 0) {}
  void wake() { semaphore_.release(); }
  void wait() { semaphore_.acquire(); }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  shoal::Semaphore semaphore_;
};

class OfPosixSemaphore {
 public:
  OfPosixSemaphore(const Place& place, bool first)
      : semaphore_(*static_cast<sem_t*>(place.memory)) {
    if (first) ::sem_init(&semaphore_, 1, 0);
  }
  void wake() { ::sem_post(&semaphore_); }
  void wait() {
    while (::sem_wait(&semaphore_) != 0)
      if (errno != EINTR) throw std::runtime_error("sem_wait failed");
  }

 private:
  sem_t& semaphore_;
};

// The least that can wake who sleeps: a store, and the system call.
class OfFutex {
 public:
  OfFutex(const Place& place, bool)
      : word_(*static_cast<std::atomic<std::uint32_t>*>(place.memory)) {}
  void wake() {
    word_.store(1, std::memory_order_release);
    ::syscall(SYS_futex, &word_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  void wait() {
    while (word_.load(std::memory_order_acquire) == 0)
      ::syscall(SYS_futex, &word_, FUTEX_WAIT, 0, nullptr, nullptr, 0);
    word_.store(0, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint32_t>& word_;
};

enum class Through { eventfd, pipe };
template <Through through>
class OfDescriptor {
 public:
  OfDescriptor(const Place& place, bool first) : all_(place, first, make) {}
  void wake() {
    const std::uint64_t one = 1;
    if (::write(all_[kCount - 1], &one, sizeof one) != sizeof one)
      throw std::runtime_error("write failed");
  }
  void wait() {
    std::uint64_t one = 0;
    if (::read(all_[0], &one, sizeof one) != sizeof one || one != 1)
      throw std::runtime_error("read failed");
  }

 private:
  static constexpr std::size_t kCount = through == Through::pipe ? 2 : 1;
  static std::array<int, kCount> make() {
    std::array<int, kCount> all;
    all.fill(-1);
    if constexpr (through == Through::eventfd)
      all[0] = ::eventfd(0, EFD_CLOEXEC);
    else if (::pipe2(all.data(), O_CLOEXEC) != 0)
      all.fill(-1);
    return all;
  }
  Descriptors<kCount> all_;
};

// What the waiter is doing when it is woken.
enum class Waiter { spins, just_asleep, long_asleep };

constexpr std::size_t kMost = 4'000;
constexpr std::size_t times(Waiter waiter) { return waiter == Waiter::long_asleep ? 1'000 : kMost; }

struct Wakes {
  alignas(128) std::atomic<pid_t> waiter;
  alignas(128) std::atomic<std::size_t> awaited;  // the waiter is about to wait for so many
  alignas(128) std::atomic<std::size_t> woken;
  alignas(128) Clock::rep given_at[kMost];  // read by the waiter at the end only
};

// Tells of a process whether it sleeps in the kernel.
class State {
 public:
  explicit State(pid_t process)
      : file_(::open(("/proc/" + std::to_string(process) + "/stat").c_str(), O_RDONLY)) {
    if (file_ < 0) throw std::runtime_error("cannot open a process's stat");
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ::close(file_); }
  bool is_asleep() const {
    char text[256];
    const ssize_t size = ::pread(file_, text, sizeof text, 0);
    const std::string_view all(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    const std::size_t name_end = all.rfind(") ");
    if (name_end == all.npos) throw std::runtime_error("cannot read a process's stat");
    return all[name_end + 2] == 'S';
  }

 private:
  int file_;
};

// Until the waiter is in that state.
void let_it(Waiter waiter, const State& state) {
  const auto begin = Clock::now();
  while (waiter == Waiter::spins && Clock::now() - begin < std::chrono::microseconds(2)) continue;
  while (waiter != Waiter::spins && !state.is_asleep()) continue;
  if (waiter == Waiter::long_asleep) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

template <class Contestant>
void wake_all(Contestant& contestant, Wakes& all, Waiter waiter) {
  while (all.waiter.load() == 0) std::this_thread::yield();
  const State state(all.waiter.load());
  for (std::size_t i = 0; i < times(waiter); ++i) {
    while (all.awaited.load(std::memory_order_acquire) != i + 1) continue;
    let_it(waiter, state);
    all.given_at[i] = Clock::now().time_since_epoch().count();
    contestant.wake();
    while (all.woken.load(std::memory_order_acquire) != i + 1) std::this_thread::yield();
  }
}

template <class Contestant>
std::vector<Clock::rep> wait_for_all(Contestant& contestant, Wakes& all, Waiter waiter) {
  std::vector<Clock::rep> result;
  result.reserve(kMost);
  all.waiter.store(::getpid());
  for (std::size_t i = 0; i < times(waiter); ++i) {
    all.awaited.store(i + 1, std::memory_order_release);
    contestant.wait();
    result.push_back(Clock::now().time_since_epoch().count());
    all.woken.store(i + 1, std::memory_order_release);
  }
  for (std::size_t i = 0; i < result.size(); ++i)
    if ((result[i] -= all.given_at[i]) < 0) throw std::runtime_error("went on before it was woken");
  return result;
}

// One way: from the waker's look at the clock to the waiter's.
template <class Contestant>
Sample woken(Waiter waiter) {
  const Report report = in_processes(2, [waiter](const Worker& worker, const Place& place) {
    const auto contestant = open_together<Contestant>(worker, place);
    auto& all = talk<Wakes>(place);
    if (worker.number() == 0)
      wake_all(*contestant, all, waiter);
    else
      worker.report_each(wait_for_all(*contestant, all, waiter));
    worker.meet();
  });
  return one_of(report);
}

Case waking(const char* name, const char* what, Waiter waiter, int rounds = 0) {
  return {std::string("wake.") + name,
          std::string("to wake who ") + what + ", one way: median, p99 and p99.9 of a round's " +
              std::to_string(times(waiter)),
          "raw futex",
          {{"shoal::Event", [=] { return woken<OfEvent>(waiter); }},
           {"shoal::Semaphore", [=] { return woken<OfSemaphore>(waiter); }},
           {"raw futex", [=] { return woken<OfFutex>(waiter); }, true},
           {"sem_t", [=] { return woken<OfPosixSemaphore>(waiter); }},
           {"eventfd", [=] { return woken<OfDescriptor<Through::eventfd>>(waiter); }},
           {"pipe(2)", [=] { return woken<OfDescriptor<Through::pipe>>(waiter); }}},
          kMicroseconds,
          rounds};
}

}  // namespace

std::vector<Case> wake_cases() {
  std::vector<Case> cases{waking("spinning", "has waited for 2 us", Waiter::spins),
                          waking("just_asleep", "has just gone to sleep", Waiter::just_asleep),
                          waking("long_asleep", "has slept for 2 ms", Waiter::long_asleep, 5)};
  cases.front().contenders.push_back(cache_line_one_way());
  return cases;
}

}  // namespace bench
