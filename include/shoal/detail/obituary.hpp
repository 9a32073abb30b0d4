// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace shoal::detail {

// Who died holding an object, kept in the object: the dead process's record is soon somebody
// else's. Six 32-bit facts (pid, tid, and 16 bytes of name), each in a word beside a tag that says
// whose death it tells of.
//
//   bits 0-31   tag    low half of the dead owner's value
//   bits 32-63  fact
struct Facts {
  static constexpr std::size_t kCount = 6;
  std::array<std::uint32_t, kCount> words{};
};

template <class World>
struct BasicObituary {
  std::array<typename World::template Atomic<std::uint64_t>, Facts::kCount> words;
};

}  // namespace shoal::detail
