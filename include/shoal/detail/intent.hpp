// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shoal/detail/machine.hpp"

namespace shoal::detail {

// What a thread is about to claim, written down before it claims it: some claims are one CAS on a
// word that has no room for the claimant's name. Whoever comes to what was claimed, and not
// finished, looks for a living thread with that intent; where there is none, its claimant is dead.
//
//   what     0; or where in the object, and which operation. Its thread's: set before the claim,
//            0 once the claim has been made good
//   object   1 + the index of the object, and its generation; its thread's, set before `what`
//   count    how many places, from that one on; its thread's, set before `what`
//
// I1 -> I2  the claim (release) follows the stores here; who has seen the claim (acquire) sees
//           them, or later ones.
// I3 -> I4  `what` = 0 (release), and all later stores here, follow what made the claim good; who
//           sees one of them (acquire), and no such intent any more, sees that too.
template <class World>
struct BasicIntent {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  Atomic<std::uint64_t> what;
  Atomic<std::uint64_t> object;
  Atomic<std::uint64_t> count;
};
using Intent = BasicIntent<MachineAtomics>;
static_assert(sizeof(Intent) == 24);

enum class Operation : std::uint64_t { none = 0, push = 1, pop = 2 };
inline constexpr int kOperationBits = 2;

constexpr std::uint64_t intent_word(std::uint64_t position, Operation operation) {
  return position << kOperationBits | static_cast<std::uint64_t>(operation);
}
constexpr Operation operation_of(std::uint64_t what) {
  return static_cast<Operation>(what & ((1U << kOperationBits) - 1));
}
constexpr std::uint64_t position_of(std::uint64_t what) { return what >> kOperationBits; }

// Release where a reader might otherwise take old for new: I3.
template <class World>
void set_intent(BasicIntent<World>& intent, std::uint64_t object, Operation operation,
                std::uint64_t position, std::uint64_t count) {
  intent.object.store(object, std::memory_order_release);                          // I3
  intent.count.store(count, std::memory_order_release);                            // I3
  intent.what.store(intent_word(position, operation), std::memory_order_release);  // I3
}
template <class World>
void clear_intent(BasicIntent<World>& intent) {
  intent.what.store(0, std::memory_order_release);  // I3
}

}  // namespace shoal::detail
