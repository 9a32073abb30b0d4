// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace shoal::detail {

// When a wait ends, in nanoseconds of the steady clock; there is no other clock in this library.
using Deadline = std::int64_t;
inline constexpr Deadline kForever = std::numeric_limits<Deadline>::max();
inline constexpr Deadline kDoNotWait = std::numeric_limits<Deadline>::min();

inline Deadline steady_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Anything below a century is exact; what is longer, or infinite, is for ever.
inline constexpr double kCentury = 100.0 * 366 * 24 * 3600;

// Zero, negative and NaN: do not wait. (The comparison is false for NaN.)
template <class Rep, class Period>
Deadline deadline_after(std::chrono::duration<Rep, Period> wait) {
  const double seconds = std::chrono::duration<double>(wait).count();
  if (!(seconds > 0)) return kDoNotWait;
  if (seconds > kCentury) return kForever;
  return steady_now() + std::chrono::ceil<std::chrono::nanoseconds>(wait).count();
}

template <class Duration>
Deadline deadline_at(std::chrono::time_point<std::chrono::steady_clock, Duration> time) {
  const double seconds = std::chrono::duration<double>(time.time_since_epoch()).count();
  if (!(seconds > 0)) return kDoNotWait;
  if (seconds > kCentury) return kForever;
  return std::chrono::ceil<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace shoal::detail
