// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "description.hpp"
#include "segment_view.hpp"

namespace shoal::tool {

// The value of a T whose type_name is known: a number, bool or text. Of another: {"hex": its first
// bytes}.
Json decode(const std::string& type, const Bytes& bytes);
std::string spelled(const Json& content);

}  // namespace shoal::tool
