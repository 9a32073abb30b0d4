// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "spread.hpp"

namespace bench {

// A bar chart of times: the bar ends at the median, a line goes from the least to the most.
struct Chart {
  enum class Kind { ours, peer, limit };
  struct Bar {
    std::string label;
    Kind kind;
    Spread ns;
  };
  std::string title;
  std::vector<Bar> bars;  // at least one, of more than 0 ns
};

// An SVG file, readable on light and on dark. The same chart is the same bytes.
std::string svg(const Chart& chart);

}  // namespace bench
