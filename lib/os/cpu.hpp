// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace shoal::os {

// Makes this process one that every membarrier() reaches. 4 us in a process of one thread, 6 to
// 12 ms once there are more. False where the kernel or a filter of system calls forbids it. It
// lasts until exec; fork passes it on.
bool register_for_membarrier();

// A full memory barrier in every running thread of every registered process, and in the caller.
// False where it cannot be had.
bool membarrier();

// Gives the CPU to whoever else wants it.
void yield();

// Which CPU runs the caller, or did a moment ago; -1 where that cannot be known.
int this_cpu();

// Tells the CPU that this is a spin.
inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

// Asks for the cache lines of that memory, all at the same time, to write there. Changes nothing.
inline void prefetch_to_write(const std::byte* from, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += 64) {
#if defined(__x86_64__)
    asm volatile("prefetchw %0" : : "m"(from[at]));  // a builtin would ask to read, for older CPUs
#else
    __builtin_prefetch(from + at, 1);
#endif
  }
}

// Counts up all the time, alike on all CPUs, by some hundreds to some thousands a microsecond. What it
// takes to know that a moment has passed, for less than a look at the clock.
inline std::uint64_t ticks() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  std::uint64_t count;
  asm volatile("mrs %0, cntvct_el0" : "=r"(count));
  return count << 4;  // it counts some tens a microsecond
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}
#if defined(__aarch64__)
inline constexpr std::uint64_t kLeastTicksPerMicrosecond = 300;  // of a counter of 19 MHz
#else
inline constexpr std::uint64_t kLeastTicksPerMicrosecond = 1000;
#endif

}  // namespace shoal::os
