// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "core/world.hpp"
#include "os/cpu.hpp"
#include "os/futex.hpp"
#include "shoal/detail/machine.hpp"

namespace shoal::detail {

// A World for processes that are one another's parents and children, in memory that they share:
// nobody's end has to be asked of the kernel here, for parents are told of it.
class Family : public MachineAtomics {
 public:
  using Atomics = MachineAtomics;

  static constexpr int kLooks = 200;
  static constexpr int kYields = 20;
  static constexpr int kLooksAfterYield = 1;

  static std::int64_t now() { return steady_now(); }
  static void pause() { os::pause(); }
  static void yield() { os::yield(); }
  // Those who wake have a fence of their own between the change and the look for sleepers.
  static bool barrier() {
    fence();
    return true;
  }
  static void fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
  static void sleep(Atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t nanoseconds) {
    os::futex_wait(word, expected, nanoseconds);
  }
  static void wake(Atomic<std::uint32_t>& word, int count) { os::futex_wake(word, count); }
  static void begin_wait() {}
  static void end_wait() {}
};

}  // namespace shoal::detail
