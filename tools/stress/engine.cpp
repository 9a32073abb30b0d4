// SPDX-License-Identifier: MIT
#include "engine.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <numeric>
#include <system_error>

#include "control.hpp"
#include "interruptible.hpp"
#include "members.hpp"
#include "random.hpp"
#include "watch.hpp"

namespace shoal::stress {
namespace {

using detail::steady_now;

constexpr std::int64_t kMilli = 1'000'000;
constexpr std::int64_t kSecond = 1'000 * kMilli;
constexpr std::int64_t kLookEvery = 20 * kMilli;
constexpr std::int64_t kTellEvery = 100 * kMilli;
constexpr std::uint64_t kMostPause = 20 * kMilli;
constexpr std::int64_t kSamples = 100;
constexpr std::size_t kPage = 4096;
// Whoever has not left then is a failure, even where the machine had no time for anybody.
constexpr std::int64_t kLeaveWithin = 60 * kSecond;

// --- Memory, zeroed and shared, for as long as this is there

class SharedMemory {
 public:
  explicit SharedMemory(std::size_t size)
      : size_(size),
        data_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (data_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { ::munmap(data_, size_); }
  [[nodiscard]] void* data() const { return data_; }

 private:
  const std::size_t size_;
  void* const data_;
};

// --- Events that come at random, so many a second

class Rate {
 public:
  Rate(double per_second, std::int64_t now) : per_second_(per_second) { plan(now, kSecond / 2); }
  [[nodiscard]] std::int64_t next() const { return next_; }
  // Is it time? Then the one after it is planned.
  bool is_due(std::int64_t now, Random& random) {
    if (now < next_) return false;
    plan(now, static_cast<std::int64_t>(random.below(kSecond)));
    return true;
  }

 private:
  // Between a half and one and a half of the mean time.
  void plan(std::int64_t now, std::int64_t part) {
    const std::int64_t seconds = kSecond / 2 + part;
    next_ = per_second_ <= 0
                ? detail::kForever
                : now + static_cast<std::int64_t>(static_cast<double>(seconds) / per_second_);
  }
  double per_second_;
  std::int64_t next_ = 0;
};

void sleep_until(std::int64_t time) {
  const timespec until{static_cast<time_t>(time / kSecond), static_cast<long>(time % kSecond)};
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);  // a signal ends it
}

// --- The engine

class Engine {
 public:
  using Progress = std::function<void(const Sample&, const Outcome&)>;

  Engine(Subject& subject, const Plan& plan)
      : subject_(subject),
        subject_at_((sizeof(Control) + kPage - 1) / kPage * kPage),
        memory_(subject_at_ + subject.memory_size()),
        control_(*::new (memory_.data()) Control()),
        plan_(plan),
        random_(plan.seed),
        members_(control_, subject, plan_),
        watch_(plan.processes) {
    outcome_.plan = plan;
  }

  Outcome run(const Progress& on_progress);

 private:
  void start_all();
  void torment(std::int64_t now);
  void observe(std::int64_t now, const Progress& on_progress);
  void look(std::int64_t now);
  void leave();
  void conclude();

  void note_stalls(std::int64_t now);
  [[nodiscard]] Sample sample(std::int64_t now) const;
  void fail(const std::string& what) { control_.fail(what, steady_now()); }
  void fail_if(const std::string& wrong) {
    if (!wrong.empty() && !is_over()) fail(wrong);
  }
  [[nodiscard]] bool is_over() const {
    return control_.failure_count.load(std::memory_order_relaxed) > 0 ||
           Interruptible::signal() != 0;
  }
  [[nodiscard]] std::int64_t patience() const {
    return static_cast<std::int64_t>(plan_.patience * static_cast<double>(kSecond));
  }

  Subject& subject_;
  const std::size_t subject_at_;
  const SharedMemory memory_;
  Control& control_;
  const Plan plan_;
  Random random_;
  Members members_;
  Watch watch_;
  Outcome outcome_;
  std::int64_t begun_ = 0;
  Rate kills_{0, 0};
  Rate pauses_{0, 0};
  std::int64_t next_look_ = 0;
  std::int64_t next_tell_ = 0;
  std::int64_t next_sample_ = 0;
};

// None begins before all are there: else the first ones would have had it to themselves.
void Engine::start_all() {
  subject_.set_up(static_cast<std::byte*>(memory_.data()) + subject_at_, plan_);
  for (unsigned i = 0; i < members_.count(); ++i) members_.start(i);
  while (!members_.all_ready() && !is_over()) {
    fail_if(members_.note_ends());
    sleep_until(steady_now() + kMilli);
  }
  begun_ = steady_now();
  kills_ = Rate(plan_.kills, begun_);
  pauses_ = Rate(plan_.pauses, begun_);
  next_look_ = begun_ + kLookEvery;
  next_tell_ = begun_ + kTellEvery;
  next_sample_ = begun_;
  control_.go.store(true, std::memory_order_release);
}

void Engine::torment(std::int64_t now) {
  members_.resume(now);
  const auto victim = static_cast<unsigned>(random_.below(members_.count()));
  if (kills_.is_due(now, random_)) {
    members_.kill(victim);
    members_.start(victim);
    ++outcome_.kills;
  } else if (pauses_.is_due(now, random_)) {
    const auto pause = static_cast<std::int64_t>(random_.below(kMostPause));
    if (members_.stop(victim, now + pause)) ++outcome_.pauses;
  }
}

void Engine::look(std::int64_t now) {
  fail_if(members_.note_ends());
  watch_.look(members_.looks(), now);
  if (watch_.longest_stall() < patience()) return;
  const std::string more = subject_.diagnose(control_);
  fail_if(watch_.describe(patience()) + (more.empty() ? "" : "; " + more));
}

void Engine::observe(std::int64_t now, const Progress& on_progress) {
  if (now >= next_look_) {
    look(now);
    next_look_ = now + kLookEvery;
  }
  if (now >= next_sample_) {
    outcome_.samples.push_back(sample(now));
    next_sample_ =
        now + std::max(static_cast<std::int64_t>(plan_.seconds * kSecond) / kSamples, kLookEvery);
  }
  if (now >= next_tell_) {
    if (on_progress) on_progress(sample(now), outcome_);
    next_tell_ = now + kTellEvery;
  }
}

// Gracefully, so that sums can be checked.
void Engine::leave() {
  control_.stop.store(true, std::memory_order_relaxed);
  members_.resume(detail::kForever);  // first: release() may take a lock that a stopped one holds
  subject_.release();
  const std::int64_t deadline = steady_now() + kLeaveWithin + 10 * patience();
  while (!members_.all_left() && !is_over()) {
    const std::int64_t now = steady_now();
    if (now > deadline) fail("not all have left, a minute after they should have");
    fail_if(members_.note_ends());
    if (now >= next_look_) {
      look(now);
      next_look_ = now + kLookEvery;
    }
    if (!members_.all_left()) sleep_until(now + kMilli);
  }
  if (!is_over()) fail_if(subject_.check());
}

void Engine::note_stalls(std::int64_t now) {
  for (unsigned i = 0; i < members_.count(); ++i) {
    const Slot& slot = control_.slots[i];
    const std::int64_t begun = std::max(slot.begun.load(std::memory_order_relaxed), begun_);
    const std::int64_t longest =
        std::max(slot.longest_step.load(std::memory_order_relaxed), now - begun);
    const double ms = static_cast<double>(longest) / kMilli;
    if (ms <= outcome_.longest_stall_ms) continue;
    outcome_.longest_stall_ms = ms;
    outcome_.longest_stall_of = i;
  }
}

// All have ended.
void Engine::conclude() {
  for (unsigned i = 0; i < members_.count(); ++i) outcome_.waits.add(control_.slots[i].waits);
  for (const FailureSlot& slot : control_.failures)
    if (slot.written.load(std::memory_order_acquire))
      outcome_.failures.push_back(
          {slot.what, static_cast<double>(std::max(slot.when - begun_, std::int64_t{0})) / kMilli});
  if (outcome_.failures.empty() && control_.failure_count.load(std::memory_order_relaxed) > 0)
    outcome_.failures.push_back({"somebody was killed while he told of a failure", 0});
  outcome_.interrupted_by = Interruptible::signal();
}

Sample Engine::sample(std::int64_t now) const {
  Sample sample{static_cast<double>(now - begun_) / kSecond, {}};
  for (unsigned i = 0; i < members_.count(); ++i)
    sample.operations.push_back(control_.slots[i].operations.load(std::memory_order_relaxed));
  return sample;
}

Outcome Engine::run(const Progress& on_progress) {
  const Interruptible interruptible;
  start_all();
  const std::int64_t end = begun_ + static_cast<std::int64_t>(plan_.seconds * kSecond);
  for (std::int64_t now = begun_; now < end && !is_over(); now = steady_now()) {
    torment(now);
    observe(now, on_progress);
    sleep_until(std::min({end, next_look_, kills_.next(), pauses_.next(), members_.next_resume()}));
  }
  const std::int64_t now = steady_now();
  note_stalls(now);
  outcome_.samples.push_back(sample(now));
  outcome_.seconds = outcome_.samples.back().seconds;
  outcome_.operations = outcome_.samples.back().operations;
  if (!is_over()) leave();
  members_.end_all();
  conclude();
  return outcome_;
}

}  // namespace

std::uint64_t Outcome::total() const {
  return std::accumulate(operations.begin(), operations.end(), std::uint64_t{0});
}

double Outcome::rate() const { return seconds > 0 ? static_cast<double>(total()) / seconds : 0; }

double Outcome::fairness() const {
  double sum = 0;
  double squares = 0;
  for (const std::uint64_t count : operations) {
    const auto x = static_cast<double>(count);
    sum += x;
    squares += x * x;
  }
  return squares > 0 ? sum * sum / (static_cast<double>(operations.size()) * squares) : 1;
}

Outcome run(Subject& subject, const Plan& plan,
            const std::function<void(const Sample&, const Outcome&)>& on_progress) {
  return Engine(subject, plan).run(on_progress);
}

}  // namespace shoal::stress
