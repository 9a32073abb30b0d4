// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "shoal/detail/mutant.hpp"

namespace shoal::detail {

// What a shared word is made of in production. Tests put other atomics in its place: ones that
// yield to a scheduler at each step.
struct MachineAtomics {
  template <class T>
  using Atomic = std::atomic<T>;
  static constexpr Mutant kMutant = Mutant::none;
};

// The flag in a word on which waiters sleep; see lib/core/wait.hpp.
inline constexpr std::uint32_t kSomebodySleeps = 1;

}  // namespace shoal::detail
