// SPDX-License-Identifier: MIT
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "limits.hpp"

namespace bench {
namespace {

// operation(word), again and again.
template <class Operation>
Sample on_a_word(Operation operation) {
  return alone([operation](const Worker& worker, const Place& place) {
    auto& word = *static_cast<std::atomic<std::uint32_t>*>(place.memory);
    report_time_of(worker, [&](std::uint64_t n) {
      for (std::uint64_t i = 0; i < n; ++i) operation(word);
    });
  });
}

Sample fetch_add() {
  return on_a_word([](auto& word) { word.fetch_add(1, std::memory_order_acq_rel); });
}

Sample cas_and_store() {
  return on_a_word([](auto& word) {
    std::uint32_t free = 0;
    if (!word.compare_exchange_strong(free, 1, std::memory_order_acquire))
      throw std::runtime_error("somebody else was there");
    word.store(0, std::memory_order_release);
  });
}

Sample wake_nobody() {
  return on_a_word([](auto& word) {
    if (::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0) != 0)
      throw std::runtime_error("woke somebody");
  });
}

// Two workers write one word in turn; neither lets go of its core. The last thing the first one
// writes sends the other one home.
Sample pass_word() {
  return one_of(in_processes(2, [](const Worker& worker, const Place& place) {
    constexpr std::uint32_t kOver = ~0U;
    auto& word = *static_cast<std::atomic<std::uint32_t>*>(place.memory);
    worker.meet();
    if (worker.number() == 0) {
      report_time_of(worker, [&](std::uint64_t n) {
        for (std::uint64_t i = 0; i < n; i += 2) {
          word.store(1, std::memory_order_release);
          while (word.load(std::memory_order_acquire) != 0) continue;
        }
      });
      return word.store(kOver, std::memory_order_release);
    }
    for (std::uint32_t found = 0; found != kOver;) {
      found = word.load(std::memory_order_acquire);
      if (found == 1) word.store(0, std::memory_order_release);
    }
  }));
}

template <std::size_t kBytes>
Sample copy() {
  return alone([](const Worker& worker, const Place&) {
    const std::vector<std::byte> from(kBytes, std::byte{1});
    std::vector<std::byte> into(kBytes);
    report_time_of(worker, [&](std::uint64_t n) {
      for (std::uint64_t i = 0; i < n; ++i) {
        std::memcpy(into.data(), from.data(), kBytes);
        keep(into.data());
      }
    });
    if (into != from) throw std::runtime_error("is no copy");
  });
}

// The first worker writes, the second one copies and is timed; each when it is its turn.
Sample copy_across() {
  constexpr std::size_t kBytes = 1 << 20;
  constexpr std::uint32_t kTimes = 400;
  Report report = in_processes(2, [](const Worker& worker, const Place& place) {
    using Clock = std::chrono::steady_clock;
    auto& turn = talk<std::atomic<std::uint32_t>>(place);
    std::vector<std::byte> into(kBytes);
    std::vector<std::int64_t> times;
    const auto me = static_cast<std::uint32_t>(worker.number());
    worker.meet();
    for (std::uint32_t i = me; i < 2 * kTimes; i += 2) {
      while (turn.load(std::memory_order_acquire) != i) continue;
      const auto begin = Clock::now();
      if (me == 0)
        std::memset(place.memory, static_cast<int>(i / 2 % 256), kBytes);
      else
        std::memcpy(into.data(), place.memory, kBytes);
      times.push_back((Clock::now() - begin) / std::chrono::nanoseconds(1));
      if (me == 1 && (into.front() != into.back() || into.back() != std::byte(i / 2 % 256)))
        throw std::runtime_error("is no copy");
      turn.store(i + 1, std::memory_order_release);
    }
    if (me == 1) worker.report_each(std::move(times));
  });
  report.p99 = report.p999 = 0;  // the median is enough
  return one_of(report);
}

}  // namespace

Contender one_rmw() { return {"one atomic RMW", fetch_add, true}; }

Contender cache_line_one_way() { return {"cache line, one way", pass_word, true}; }

template <std::size_t kBytes>
Contender one_memcpy() {
  return {"1 memcpy", copy<kBytes>, true};
}

Contender one_memcpy_across() { return {"memcpy across cores", copy_across, true}; }

template Contender one_memcpy<1 << 10>();
template Contender one_memcpy<1 << 20>();

std::vector<Case> limit_cases() {
  return {{"limit",
           "what the machine allows, whoever asks",
           "one atomic RMW",
           {one_rmw(),
            {"CAS and store", cas_and_store, true},
            cache_line_one_way(),
            {"memcpy of 1 KiB", copy<1 << 10>, true},
            {"memcpy of 1 MiB", copy<1 << 20>, true},
            {"memcpy of 1 MiB across", copy_across, true},
            {"futex wake, nobody waits", wake_nobody, true}}}};
}

}  // namespace bench
