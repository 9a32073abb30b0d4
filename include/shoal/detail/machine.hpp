// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include "shoal/detail/mutant.hpp"

namespace shoal::detail {

// What a shared word is made of in production. Tests put other atomics in its place: ones that
// yield to a scheduler at each step.
struct MachineAtomics {
  template <class T>
  using Atomic = std::atomic<T>;
  static constexpr Mutant kMutant = Mutant::none;
};

}  // namespace shoal::detail
