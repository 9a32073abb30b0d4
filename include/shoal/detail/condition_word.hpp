// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "shoal/detail/machine.hpp"
#include "shoal/detail/owner_value.hpp"

namespace shoal::detail {

// A condition in shared memory; the algorithm is in lib/core/condition.hpp.
//
//   next   the next waiter's ticket. Anyone, by fetch_add
template <class World>
struct alignas(64) BasicConditionWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  Atomic<std::uint64_t> next;
};
using ConditionWord = BasicConditionWord<MachineAtomics>;
static_assert(std::is_standard_layout_v<ConditionWord> && sizeof(ConditionWord) == 64);

}  // namespace shoal::detail
