// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cmath>
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

// Anything below a century is exact to the nanosecond; what is longer, or infinite, is for ever.
inline constexpr long double kCentury = 100.0L * 366 * 24 * 3600 * 1'000'000'000;

// Whatever the unit: std's conversions overflow, of integers (20 minutes in units of 2^-32 s) and of
// ratios (terasecond to nanosecond).
template <class Rep, class Period>
long double nanoseconds_of(std::chrono::duration<Rep, Period> time) {
  return static_cast<long double>(time.count()) * (1e9L * Period::num / Period::den);
}

// Zero, negative and NaN: do not wait. (The comparison is false for NaN.)
template <class Rep, class Period>
Deadline deadline_after(std::chrono::duration<Rep, Period> wait) {
  const long double ns = nanoseconds_of(wait);
  if (!(ns > 0)) return kDoNotWait;
  if (ns > kCentury) return kForever;
  return steady_now() + static_cast<Deadline>(std::ceil(ns));
}

template <class Duration>
Deadline deadline_at(std::chrono::time_point<std::chrono::steady_clock, Duration> time) {
  const long double ns = nanoseconds_of(time.time_since_epoch());
  if (!(ns > 0)) return kDoNotWait;
  if (ns > kCentury) return kForever;
  return static_cast<Deadline>(std::ceil(ns));
}

}  // namespace shoal::detail
