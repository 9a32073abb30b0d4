// SPDX-License-Identifier: MIT
#pragma once

// Who waits for whom, in one segment or across several.
//
// What was read of a running program is of no one moment: a lock may have been given back between
// the look at its waiter and the look at its holder. So a cycle counts as a deadlock only where two
// looks found the same. In between each of its locks was held without a break: to give one back
// while somebody sleeps changes its `sleepers` word, and the word is the same. So there was a moment
// at which all of the cycle's waits held at once.

#include <cstdint>
#include <string>
#include <vector>

#include "lock_view.hpp"
#include "segment_view.hpp"

namespace shoal::tool {

// A thread that waits for an object.
struct Wait {
  std::string segment;
  std::string object;
  detail::Kind kind = detail::Kind::none;
  Who waiter;
  Who holder;  // of the lock that it waits for; pid 0: it waits for no lock, or for a free one

  // To tell this wait from another of the same names.
  std::uint64_t instance = 0;
  std::uint64_t generation = 0;  // of the object
  detail::OwnerValue process = 0;
  detail::OwnerValue owner = 0;
  std::uint32_t sleepers = 0;
};

std::vector<Wait> find_waits(const SegmentView& view);

// Those of the first that are among the second too, nothing having moved.
std::vector<Wait> unchanged(const std::vector<Wait>& first, const std::vector<Wait>& second);

// Each waits for what the next one holds, and the last for what the first one holds. Threads of
// different segments are the same where pid, thread and name are.
std::vector<std::vector<Wait>> find_cycles(const std::vector<Wait>& waits);

}  // namespace shoal::tool
