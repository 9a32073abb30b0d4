// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "histogram.hpp"
#include "plan.hpp"

namespace shoal::stress {

// What the engine and its participants share, in zeroed memory. Everything is relaxed unless it says
// otherwise: these words must not order what is under test.

// Of one participant, through all of its lives.
struct alignas(128) Slot {
  std::atomic<std::uint64_t> operations;  // participant: steps that are done
  std::atomic<std::int64_t> begun;  // participant: when its current step began to wait; 0 never
  std::atomic<std::int64_t> longest_step;  // participant: nanoseconds from one wait to the next
  std::atomic<std::uint32_t> life;         // engine: 1, 2, ...; stored before the fork
  std::atomic<std::uint32_t> condemned;    // engine: that life is going to be killed, or has been
  std::atomic<std::int32_t> pid;           // engine: of that life
  std::atomic<bool> ready;                 // participant: waits to begin
  SharedHistogram waits;                   // participant
};

struct FailureSlot {
  std::atomic<bool> written;  // release, after the rest; read acquire
  std::int64_t when;          // steady, nanoseconds
  char what[240];
};
inline constexpr std::size_t kMostFailures = 8;

struct Control {
  std::atomic<bool> go;                      // engine: all are there. release; read acquire
  std::atomic<bool> stop;                    // engine: leave after the current step
  std::atomic<std::uint32_t> failure_count;  // anyone; may be more than there is room for
  std::array<FailureSlot, kMostFailures> failures;
  std::array<Slot, kMostProcesses> slots;

  [[nodiscard]] bool is_condemned(unsigned index, std::uint32_t life) const {
    return slots[index].condemned.load(std::memory_order_relaxed) >= life;
  }
  // "P2"; of somebody else, "process 4711".
  [[nodiscard]] std::string name_of(std::int32_t pid) const;
  void fail(std::string_view what, std::int64_t when);
};

}  // namespace shoal::stress
