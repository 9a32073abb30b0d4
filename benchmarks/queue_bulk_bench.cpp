// SPDX-License-Identifier: MIT
#include <sys/mman.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "queue_contenders.hpp"
#include "shoal/queue.hpp"
#include "shoal/segment.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// 64 items at a time, or one; 64 are measured as one operation.
enum class Portion { one, many };
template <Portion portion>
Sample pass_sixty_four() {
  constexpr std::size_t kMany = 64;
  const auto work = [](const Worker& worker, const Place& place) {
    const auto queue = [&] {
      if (worker.number() != 0) worker.meet();
      shoal::Queue<std::uint64_t> opened(shoal::Segment(place.name), "queue", kCapacity);
      if (worker.number() == 0) worker.meet();
      return opened;
    }();
    worker.meet();
    if (worker.number() == 0) shoal::Segment::remove(place.name);
    std::array<std::uint64_t, kMany> items{};
    const auto pass_all = [&](auto some, auto single) {
      if (portion == Portion::one)
        for (auto& item : items) single(item);
      else
        for (std::span<std::uint64_t> left(items); !left.empty();) {
          const std::size_t passed = some(left);
          left = left.subspan(passed);
          if (passed > 0) continue;
          single(left.front());  // which waits
          left = left.subspan(1);
        }
    };
    std::uint64_t times = 0;
    const auto begin = Clock::now();
    if (worker.number() == 0) {
      for (bool last = false; !last; ++times) {
        last = worker.stopped();
        items.fill(last ? kEnd : times + 1);
        pass_all([&](auto left) { return queue.try_push_some(left); },
                 [&](auto& item) { queue.push(item); });
      }
      return;
    }
    for (; times == 0 || items[0] != kEnd; ++times) {
      pass_all([&](auto left) { return queue.try_pop_some(left); },
               [&](auto& item) { item = queue.pop(); });
      const std::uint64_t expected = items[0] == kEnd ? kEnd : times + 1;
      std::uint64_t difference = 0;  // without a branch an item, so that little of the time is this
      for (const std::uint64_t item : items) difference |= item ^ expected;
      if (difference != 0) throw std::runtime_error("not what was pushed");
    }
    worker.report(times, Clock::now() - begin);
  };
  return one_of(in_processes(2, work, std::chrono::milliseconds(150)));
}

// One process lends room, pushes, takes and gives back: nothing is copied.
template <std::size_t kBytes>
Sample lend() {
  return alone([](const Worker& worker, const Place& place) {
    const shoal::Queue<Item<kBytes>> queue(shoal::Segment(place.name), "queue", 4);
    shoal::Segment::remove(place.name);
    std::uint64_t number = 0;
    report_time_of(worker, [&](std::uint64_t n) {
      for (std::uint64_t i = 0; i < n; ++i) {
        auto loan = queue.loan();
        loan->words.front() = loan->words.back() = ++number;
        queue.push(std::move(loan));
        if (queue.take()->words.back() != number) throw std::runtime_error("not what was pushed");
      }
    });
  });
}
// The same by copies: into the queue, and out of it.
template <std::size_t kBytes>
Sample copy_twice() {
  return alone([](const Worker& worker, const Place& place) {
    void* const shared =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) throw std::runtime_error("mmap failed");
    static_cast<void>(place);
    const auto in = std::make_unique<Item<kBytes>>();
    const auto out = std::make_unique<Item<kBytes>>();
    report_time_of(worker, [&](std::uint64_t n) {
      for (std::uint64_t i = 0; i < n; ++i) {
        std::memcpy(shared, in.get(), kBytes);
        keep(shared);
        std::memcpy(out.get(), shared, kBytes);
        keep(*out);
      }
    });
    ::munmap(shared, kBytes);
  });
}

}  // namespace

std::vector<Case> queue_bulk_cases() {
  return {{"queue.bulk",
           "1 producer, 1 consumer, items of 8 bytes; time of 64 items",
           "one at a time",
           {{"64 at a time", pass_sixty_four<Portion::many>},
            {"one at a time", pass_sixty_four<Portion::one>}},
           kNanoseconds,
           0,
           {{"64 at a time", "one at a time", 0.25}}},
          {"queue.loan",
           "lend room, push, take and give back, by one process",
           "64 bytes",
           {{"64 bytes", lend<64>},
            {"1 MiB", lend<1 << 20>},
            {"1 MiB, 2 memcpy", copy_twice<1 << 20>, true}},
           kNanoseconds,
           0,
           {{"1 MiB", "64 bytes", 1}, {"1 MiB", "1 MiB, 2 memcpy", 1}}}};
}

}  // namespace bench
