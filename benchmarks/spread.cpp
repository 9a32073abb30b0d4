// SPDX-License-Identifier: MIT
#include "spread.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace bench {

Spread spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

Spread spread_of_ratios(const std::vector<double>& values, const std::vector<double>& baseline) {
  std::vector<double> ratios;
  ratios.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) ratios.push_back(values[i] / baseline[i]);
  return spread(std::move(ratios));
}

}  // namespace bench
