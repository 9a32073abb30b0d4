// SPDX-License-Identifier: MIT
#include "placement.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace bench {
namespace {

using Word = std::atomic<std::uint32_t>;

// Two workers store 1, 2, 3, ... in one word, in turn: so many times each. Until it is a worker's turn
// it calls wait(word, what it found there).
template <class Wait>
void store_in_turn(Word& word, int worker, std::uint32_t times, Wait wait) {
  const std::uint32_t begin = word.load(std::memory_order_acquire) / 2 * 2;
  for (std::uint32_t i = 0; i < times; ++i) {
    const std::uint32_t turn = begin + 2 * i + static_cast<std::uint32_t>(worker);
    for (std::uint32_t found; (found = word.load(std::memory_order_acquire)) != turn;)
      wait(word, found);
    word.store(turn + 1, std::memory_order_release);
    if constexpr (requires { wait.wake(word); }) wait.wake(word);
  }
}

struct Spin {
  void operator()(Word&, std::uint32_t) const {}
};
struct Sleep {
  void operator()(Word& word, std::uint32_t found) const {
    ::syscall(SYS_futex, &word, FUTEX_WAIT, found, nullptr, nullptr, 0);
  }
  static void wake(Word& word) { ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }
};

// The least of several portions: whatever else runs on the machine only adds to it.
double one_way_of_a_line() {
  using Clock = std::chrono::steady_clock;
  constexpr int kPortions = 9;
  constexpr std::uint32_t kTimes = 200;
  const Report report = in_processes(2, [](const Worker& worker, const Place& place) {
    Word& word = *static_cast<Word*>(place.memory);
    Clock::duration least = Clock::duration::max();
    worker.meet_awake();
    for (int i = 0; i < kPortions; ++i) {
      const auto begin = Clock::now();
      store_in_turn(word, worker.number(), kTimes, Spin{});
      least = std::min(least, Clock::now() - begin);
      worker.meet_awake();
    }
    worker.report(std::uint64_t{2} * kTimes, least);
  });
  return report.ns / (2 * kTimes);
}

void wake_each_other() {
  constexpr std::uint32_t kTimes = 1000;  // some 50 ms
  in_processes(2, [](const Worker& worker, const Place& place) {
    store_in_turn(*static_cast<Word*>(place.memory), worker.number(), kTimes, Sleep{});
    worker.report(1, {});
  });
}

}  // namespace

Placement::Placement(unsigned cores) : is_given_(cores > 1) { look(); }

void Placement::look() {
  if (is_given_) line_ns_ = one_way_of_a_line();
}

void Placement::bring_together() {
  constexpr std::chrono::seconds kMost(3);
  constexpr std::chrono::seconds kPause(30);
  const auto begin = Clock::now();
  if (begin < in_vain_until_) return;
  while (!is_near() && Clock::now() - begin < kMost) {
    wake_each_other();
    look();
  }
  if (!is_near()) in_vain_until_ = Clock::now() + kPause;
}

Sample Placement::measure(const Contender& contender, bool again) {
  constexpr int kMostTimes = 3;
  Sample sample;
  for (int i = 0; i < kMostTimes; ++i) {
    bring_together();
    const bool began_near = is_near();
    sample = contender.measure();
    look();
    sample.line_ns = line_ns_;
    if (!again || !began_near || is_near()) break;
  }
  return sample;
}

}  // namespace bench
