// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "segment_file.hpp"

namespace shoal::detail {

class Mapping;

// The mappings of this process: one a file. Never destroyed; handles may be statics.

// The mapping of that file: the one there is, or a new one.
std::shared_ptr<Mapping> map_segment(const std::string& name, SegmentFile segment);

// Guards the list, and a mapping's beginning and end against a fork.
std::mutex& registry_mutex();
// Requires the mutex.
void remove_from_registry(const Mapping& mapping);

// Whether every membarrier reaches this process; found out when the first segment is opened.
bool membarrier_reaches_us();

}  // namespace shoal::detail
