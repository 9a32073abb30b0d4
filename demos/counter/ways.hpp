// SPDX-License-Identifier: MIT
#pragma once

// The three ways to add 1.

#include <cstdint>
#include <mutex>
#include <shoal/shoal.hpp>

using Counter = shoal::Value<std::int64_t>;

// The bug. Two processes load the same number, and both store that number plus one: it has grown by
// one and not by two.
inline void count_racing(const Counter& counter, std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) {
    counter.store(counter.load() + 1);
  }
}

// Another process that is killed while it holds the lock does not hang us: lock() throws OwnerDied.
// It has stored its 1 or it has not, so the counter is sound: recover the lock, and go on.
inline std::unique_lock<const shoal::Lock> hold(const shoal::Lock& lock) {
  try {
    return std::unique_lock<const shoal::Lock>(lock);
  } catch (const shoal::OwnerDied&) {
    return lock.recover();
  }
}

inline void count_locked(const Counter& counter, const shoal::Lock& lock, std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) {
    const auto held = hold(lock);
    counter.store(counter.load() + 1);
  }
}

inline void count_atomically(const Counter& counter, std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) {
    counter.fetch_add(1);
  }
}
