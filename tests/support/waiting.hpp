// SPDX-License-Identifier: MIT
#pragma once

// Waits until others wait, or have ended.

#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

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

// Has that process ended, whoever is to wait for it?
inline bool ends_soon(pid_t pid) {
  const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (descriptor < 0) return true;
  pollfd ended{descriptor, POLLIN, 0};
  const auto patience = patient(std::chrono::seconds(20));
  const bool has = ::poll(&ended, 1, static_cast<int>(patience.count())) > 0;
  ::close(descriptor);
  return has;
}

}  // namespace shoal_test
