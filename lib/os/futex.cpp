// SPDX-License-Identifier: MIT
#include "os/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace shoal::os {

// Not FUTEX_PRIVATE_FLAG, which would never wake another process. errno is the caller's.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t nanoseconds) {
  const timespec time{static_cast<time_t>(nanoseconds / 1'000'000'000),
                      static_cast<long>(nanoseconds % 1'000'000'000)};
  const int saved = errno;
  ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, &time, nullptr, 0);
  errno = saved;
}

void futex_wake(const std::atomic<std::uint32_t>& word, int count) {
  const int saved = errno;
  ::syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0);
  errno = saved;
}

}  // namespace shoal::os
