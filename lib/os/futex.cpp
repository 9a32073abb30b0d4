// SPDX-License-Identifier: MIT
#include "os/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

namespace {

// As in linux/futex.h since 5.16.
struct FutexToWaitFor {
  std::uint64_t value;
  std::uint64_t address;
  std::uint32_t flags;
  std::uint32_t reserved;
};
constexpr std::uint32_t kOf32Bits = 2;
constexpr long kFutexWaitv = 449;  // the same everywhere but on alpha

// Of CLOCK_MONOTONIC.
timespec in(std::int64_t nanoseconds) {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  const std::int64_t sum = time.tv_nsec + nanoseconds % 1'000'000'000;
  time.tv_sec += static_cast<time_t>(nanoseconds / 1'000'000'000 + sum / 1'000'000'000);
  time.tv_nsec = static_cast<long>(sum % 1'000'000'000);
  return time;
}

}  // namespace

void futex_wait_any(std::span<const Expected> words, std::int64_t nanoseconds) {
  constexpr std::int64_t kMoment = 2'000'000;
  std::array<FutexToWaitFor, kMostWords> futexes;
  const auto count = static_cast<unsigned>(std::min(words.size(), futexes.size()));
  for (unsigned i = 0; i < count; ++i)
    futexes[i] = {words[i].value, reinterpret_cast<std::uintptr_t>(words[i].word), kOf32Bits, 0};
  const timespec end = in(nanoseconds);
  const int saved = errno;
  const bool missing =
      ::syscall(kFutexWaitv, futexes.data(), count, 0, &end, CLOCK_MONOTONIC) < 0 &&
      errno != EAGAIN && errno != EINTR && errno != ETIMEDOUT;
  errno = saved;
  if (missing) futex_wait(*words[0].word, words[0].value, std::min(nanoseconds, kMoment));
}

void futex_wake(const std::atomic<std::uint32_t>& word, int count) {
  const int saved = errno;
  ::syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0);
  errno = saved;
}

}  // namespace shoal::os
