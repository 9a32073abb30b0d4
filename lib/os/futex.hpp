// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace shoal::os {

// Sleeps while word == expected, for at most `nanoseconds`; may return at any time before. Between
// processes: the word is known by its place in the file, not by its address.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t nanoseconds);

// Sleeps while every word is as expected, for at most `nanoseconds`; may return at any time before.
// At most kMostWords. Where the kernel cannot do that (before 5.16), for a moment.
struct Expected {
  const std::atomic<std::uint32_t>* word;
  std::uint32_t value;
};
inline constexpr std::size_t kMostWords = 128;
void futex_wait_any(std::span<const Expected> words, std::int64_t nanoseconds);

// Wakes at most `count` of those that sleep on the word.
void futex_wake(const std::atomic<std::uint32_t>& word, int count);

}  // namespace shoal::os
