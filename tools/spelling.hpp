// SPDX-License-Identifier: MIT
#pragma once

// How things are written for people.

#include <cstdint>
#include <string>
#include <vector>

namespace shoal::tool {

std::string plural(std::uint64_t count, const char* one, const char* many);  // "3 items"
std::string join(const std::vector<std::string>& parts, const char* between);
std::string spelled_bytes(std::uint64_t bytes);    // "64.0 MiB"
std::string spelled_time(std::int64_t unix_time);  // in ns, as local time
std::string user_name(std::uint32_t user);         // its number, where it has none

}  // namespace shoal::tool
