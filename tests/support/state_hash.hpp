// SPDX-License-Identifier: MIT
#pragma once

// Hashes by which step-kill tells one state of shared memory from another.

#include <cstddef>
#include <cstdint>
#include <string>

namespace shoal_test {

// Of memory mapped here.
std::uint64_t hash_of(const void* memory, std::size_t bytes);

template <class T>
std::uint64_t hash_of(const T& object) {
  return hash_of(&object, sizeof object);
}

// Of two hashes, in this order.
std::uint64_t hash_of_both(std::uint64_t first, std::uint64_t second);

// Of a file, which need not be mapped here and may come and go: its size and what has been written
// to it. Holes are skipped, and not filled.
std::uint64_t hash_of_file(const std::string& path);

}  // namespace shoal_test
