// SPDX-License-Identifier: MIT
#pragma once

// Waits until others wait.

#include <sched.h>

#include <chrono>
#include <stdexcept>

#include "support/patience.hpp"

namespace shoal_test {

// Until so many wait for the object. Yields, so that they get there; throws where they do not.
template <class T>
void await_waiting(const T& object, int count) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + patient(std::chrono::seconds(10));
  while (object.waiting() != count) {
    if (Clock::now() > end) throw std::runtime_error("they never waited");
    ::sched_yield();
  }
}

}  // namespace shoal_test
