// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <type_traits>

#include "shoal/detail/lock_word.hpp"

namespace shoal::detail {

// What a JoinableQueue has behind its blocks; the algorithm is in lib/core/joinable.hpp.
//
//   lock       inner, of the inherit kind: held for each pop, and for whatever else is said here
//   pending    0; or 1 + the position that the lock's holder is popping from
//   taker      of that pop: the index of its account
//   held       of that pop: what the account is to say, if the pop came to pass
//   joiners    sleepers word of those who join(): lib/core/wait.hpp
//
// Behind it, for each process record, an account: whose it is; how many items that process has
// popped and not called task_done() for; and how many were lost with processes that had the account
// before. The two counts are one word: when an owner has died, what it held becomes lost in one
// store.
template <class World>
struct BasicJoinWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  BasicLockWord<World> lock;
  Atomic<std::uint64_t> pending;
  Atomic<std::uint64_t> taker;
  Atomic<std::uint64_t> held;
  Atomic<std::uint32_t> joiners;
};
template <class World>
struct BasicAccount {
  typename World::template Atomic<OwnerValue> owner;
  typename World::template Atomic<std::uint64_t> counts;
};
using JoinWord = BasicJoinWord<MachineAtomics>;
using Account = BasicAccount<MachineAtomics>;
static_assert(std::is_standard_layout_v<JoinWord> && sizeof(JoinWord) == 192, "docs/format.md");
static_assert(std::is_standard_layout_v<Account> && sizeof(Account) == 16, "docs/format.md");

struct AccountCounts {
  std::uint32_t held;
  std::uint32_t lost;
};
constexpr AccountCounts counts_in(std::uint64_t word) {
  return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
}
constexpr std::uint64_t counts_word(AccountCounts counts) {
  return std::uint64_t{counts.lost} << 32 | counts.held;
}

}  // namespace shoal::detail
