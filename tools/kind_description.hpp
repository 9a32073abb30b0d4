// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "description.hpp"
#include "segment_view.hpp"

namespace shoal::tool {

// What is described, and how much of it.
struct Subject {
  const SegmentView& view;
  const ObjectView& object;
  std::size_t most_items;
};

// Words that belong together are read again where they do not: others may be between two stores.
inline constexpr int kMostLooks = 8;

// What is to be said of one kind of object only. Throw Damaged.
void describe_kind(const Subject& subject, Description& description);
void describe_queue(const Subject& subject, Description& description);
void describe_pipe(const Subject& subject, Description& description);

}  // namespace shoal::tool
