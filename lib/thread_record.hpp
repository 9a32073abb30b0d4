// SPDX-License-Identifier: MIT
#pragma once

#include "format.hpp"

namespace shoal::detail {

class Mapping;

// This thread's record in the segment, taken on first use and kept until the thread ends. nullptr
// where the table is full, or /dev/shm is: then do without.
format::ThreadRecord* thread_record(const Mapping& mapping);

}  // namespace shoal::detail
