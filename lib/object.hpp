// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "shoal/detail/object.hpp"
#include "shoal/segment.hpp"

namespace shoal::detail {

// What the handles of all types have in common.

// Who this process is in the object's segment; after a fork without handlers it joins first.
OwnerValue join(const Object& object);

// How many threads of live processes wait for the object.
int count_waiting(const Object& object);

// "segment 'shop', lock 'till'": how errors begin.
std::string described(const Object& object);

std::uint32_t max_processes(const Segment& segment);

}  // namespace shoal::detail
