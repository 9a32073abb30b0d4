// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shoal/detail/machine.hpp"

namespace shoal::detail {

// What a thread is about to claim, written down before it claims it: some claims are one CAS on a
// word that has no room for the claimant's name. Whoever comes to what was claimed, and not
// finished, looks for a living thread with that intent; where there is none, its claimant is dead.
//
//   what     0; or where in the object, and which operation. Its thread's: set before the claim; 0,
//            or the next one, once the claim has been made good, or has failed
//   object   1 + the index of the object, and its generation; its thread's, set before `what`
//   more     how many places behind that one; its thread's, set before `what`
//
// A claim that was made good may leave its intent: nobody asks about that place again, for no
// place's position comes twice. A claim that failed may not: who was faster may be dead.
//
// I1 -> I2  the claim (release) follows the stores here; who has seen the claim (acquire) sees
//           them, or later ones.
// I3 -> I4  later stores here (release) follow what made the claim good; who sees one of them
//           (acquire), and so not that intent, sees that too.
template <class World>
struct BasicIntent {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  Atomic<std::uint64_t> what;
  Atomic<std::uint64_t> object;
  Atomic<std::uint64_t> more;
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

// What is stored rarely is compared first: these lines are on every fast path. Release where a
// reader might otherwise take old for new: I3.
template <class World>
[[gnu::always_inline]] inline void set_intent(BasicIntent<World>& intent, std::uint64_t object,
                                              Operation operation, std::uint64_t position,
                                              std::uint64_t more = 0) {
  if (intent.object.load(std::memory_order_relaxed) != object)
    intent.object.store(object, std::memory_order_release);  // I3
  if (intent.more.load(std::memory_order_relaxed) != more)
    intent.more.store(more, std::memory_order_release);                            // I3
  intent.what.store(intent_word(position, operation), std::memory_order_release);  // I3
}
template <class World>
void clear_intent(BasicIntent<World>& intent) {
  intent.what.store(0, std::memory_order_release);  // I3
}
}  // namespace shoal::detail
