// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace shoal::os {

// Sleeps while word == expected, for at most `nanoseconds`; may return at any time before. Between
// processes: the word is known by its place in the file, not by its address.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t nanoseconds);

// Wakes at most `count` of those that sleep on the word.
void futex_wake(const std::atomic<std::uint32_t>& word, int count);

}  // namespace shoal::os
