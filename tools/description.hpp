// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lock_view.hpp"
#include "segment_view.hpp"

namespace shoal::tool {

using Json = nlohmann::ordered_json;

// What there is to say of an object: facts for programs, and a line for people.
struct Description {
  Json facts;
  std::string line;
};

// Never throws for what the segment holds: what is damaged is described as that.
Description describe(const SegmentView& view, const ObjectView& object, std::size_t most_items);
// The segment as a whole, without its objects.
Json describe(const SegmentView& view);

Json to_json(const Who& who);
Json to_json(const std::vector<Who>& list);
Json to_json(const Participant& process);

// One document, whatever bytes its texts are of.
std::string spelled_json(const Json& json);

}  // namespace shoal::tool
