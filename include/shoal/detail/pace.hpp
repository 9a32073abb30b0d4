// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace shoal::detail {

// When to look at a lock for the first time: learned by each handle from its own looks.
//
// A look at a lock takes its cache line from whoever holds it, who must fetch it back to unlock: with
// the way back to the waiter, a hand-over takes three ways of that line instead of one. Where turns
// are long, and each caller comes a little before the other one unlocks, all of them save time by
// coming a little later. How much later nobody knows, so it is sought: more after looks that came too
// early, less after those that did not (additive increase and decrease).
//
//   misses   wait    the next look   becomes, if it finds the lock held
//   0        0       at once         1, 0
//   n        0       at once         n + 1, 0; after kMisses of them: 0, kFirstWait
//   0        some    after `wait`    1, the same
//   1        some    after `wait`    1, longer by kMore, up to kLongestWait
//
// If it finds it free: no misses, and a wait that is shorter by kLess, if there is one.
//
// A handle's threads share it. Relaxed: what one of them learns may be lost to another. Waits are in
// ticks of the processor's counter (World::ticks()), and were measured where there are 2.3 in a
// nanosecond; where there are more or fewer, what is learned is so many times shorter or longer.
class Pace {
 public:
  static constexpr std::uint32_t kMisses = 16;
  static constexpr std::uint32_t kFirstWait = 250;
  static constexpr std::uint32_t kLongestWait = 400;
  static constexpr std::uint32_t kMore = 40;
  static constexpr std::uint32_t kLess = 2;

  Pace() = default;
  Pace(const Pace& /*another*/) noexcept {}  // a copy learns for itself
  Pace& operator=(const Pace& /*another*/) noexcept { return *this; }

  // Whether there is anything to learn from a look, or to wait for before it.
  [[nodiscard]] bool is_known() const { return state() != 0; }
  [[nodiscard]] std::uint32_t wait() const { return state() >> kMissBits; }

  void found_held() {
    const std::uint32_t misses = this->misses() + 1;
    const std::uint32_t wait = this->wait();
    if (wait == 0)
      become(misses < kMisses ? misses : 0, misses < kMisses ? 0 : kFirstWait);
    else
      become(1, misses < 2 ? wait : std::min(wait + kMore, kLongestWait));
  }
  void found_free() {
    const std::uint32_t wait = this->wait();
    become(0, wait > kLess ? wait - kLess : 0);
  }

 private:
  static constexpr int kMissBits = 8;
  [[nodiscard]] std::uint32_t state() const { return state_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t misses() const { return state() & ((1U << kMissBits) - 1); }
  void become(std::uint32_t misses, std::uint32_t wait) {
    state_.store(wait << kMissBits | misses, std::memory_order_relaxed);
  }

  std::atomic<std::uint32_t> state_{0};
};

}  // namespace shoal::detail
