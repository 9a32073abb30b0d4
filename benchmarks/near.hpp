// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace bench {

// One way of a cache line between two cores that are near each other takes so many nanoseconds at
// most. Seen: 25 to 40 where they share a cache, 75 to 180 where they do not.
inline constexpr double kNear = 60;

// Says in how many of these measurements the cores were not, and how many rounds were left out since
// they were not in these, where there are any: a sentence.
std::string apart_text(std::vector<double> line_ns, const std::vector<double>& left_out);

}  // namespace bench
