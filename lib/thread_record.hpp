// SPDX-License-Identifier: MIT
#pragma once

#include "format.hpp"

namespace shoal::detail {

class Mapping;

// This thread's record in the segment, taken on first use and kept until the thread ends. nullptr
// where the table is full of the living's, or /dev/shm is: then do without. Not to be called with the
// directory lock: what the dead have left is buried, where nothing else is free.
format::ThreadRecord* thread_record(Mapping& mapping);

}  // namespace shoal::detail
