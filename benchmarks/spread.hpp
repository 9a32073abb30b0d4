// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

namespace bench {

// What many values are like. None may be told from the order they come in.
struct Spread {
  double median = 0;
  double least = 0;
  double most = 0;
};

// Requires: there are some.
Spread spread(std::vector<double> values);

// Of value by value: what disturbed a whole round is in both. Requires: as many of each.
Spread spread_of_ratios(const std::vector<double>& values, const std::vector<double>& baseline);

}  // namespace bench
