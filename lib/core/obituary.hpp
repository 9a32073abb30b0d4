// SPDX-License-Identifier: MIT
#pragma once

// Writing and reading who died holding an object.
//
// Many may write at once, each may be killed or stopped at any step, and none may overwrite a
// later death with an earlier one. So each word is changed by one CAS, from what it was *before*
// the writer saw the object still in the dead one's hands: once the object has moved on, all the
// words have, and such a CAS fails.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/world.hpp"
#include "shoal/detail/obituary.hpp"

namespace shoal::core {

using detail::BasicObituary;
using detail::Facts;

constexpr std::uint32_t obituary_tag(OwnerValue dead) { return static_cast<std::uint32_t>(dead); }

constexpr std::uint64_t obituary_word(std::uint32_t fact, OwnerValue dead) {
  return std::uint64_t{fact} << 32 | obituary_tag(dead);
}

// Where still_held() says, after the facts were read, that the object is still in the dead one's
// hands, then the facts are that one's: its record is not given away before the object is swept.
template <class World, class StillHeld>
void write_obituary(BasicObituary<World>& obituary, const Facts& facts, OwnerValue dead,
                    StillHeld still_held) {
  std::uint64_t before[Facts::kCount];
  for (std::size_t i = 0; i < Facts::kCount; ++i)
    before[i] = obituary.words[i].load(std::memory_order_acquire);  // not after still_held()'s load
  if (!still_held()) return;
  for (std::size_t i = 0; i < Facts::kCount; ++i) {
    // Relaxed: the CAS that declares the object abandoned releases them (R2). Failure: somebody
    // else has written the same, or a later death.
    obituary.words[i].compare_exchange_strong(before[i], obituary_word(facts.words[i], dead),
                                              std::memory_order_relaxed, std::memory_order_relaxed);
  }
}

// Nothing where the words are not about this death (any more).
template <class World>
std::optional<Facts> read_obituary(const BasicObituary<World>& obituary, OwnerValue dead) {
  Facts facts;
  for (std::size_t i = 0; i < Facts::kCount; ++i) {
    const std::uint64_t word = obituary.words[i].load(std::memory_order_relaxed);
    if (static_cast<std::uint32_t>(word) != obituary_tag(dead)) return std::nullopt;
    facts.words[i] = static_cast<std::uint32_t>(word >> 32);
  }
  return facts;
}

}  // namespace shoal::core
