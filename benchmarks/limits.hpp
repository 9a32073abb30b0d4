// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "harness.hpp"

namespace bench {

// What the machine allows, to stand in the tables beside those who use it.

// One fetch_add on a word that is in this core's cache.
Contender one_rmw();
// A word that two cores pass to and fro, spinning: half of a round trip of its cache line.
Contender cache_line_one_way();
// A memcpy from memory to memory, both in the cache where they fit.
template <std::size_t kBytes>
Contender one_memcpy();

// The same, of 1 MiB that another core has written.
Contender one_memcpy_across();

extern template Contender one_memcpy<1 << 10>();
extern template Contender one_memcpy<1 << 20>();

}  // namespace bench
