// SPDX-License-Identifier: MIT
#include "near.hpp"

#include <cmath>
#include <utility>

#include "spread.hpp"

namespace bench {

std::string apart_text(std::vector<double> line_ns, const std::vector<double>& left_out) {
  const std::size_t all = line_ns.size();
  std::erase_if(line_ns, [](double line) { return line <= kNear; });
  const std::size_t apart = line_ns.size();
  const auto line_text = [](const std::vector<double>& lines) {
    return ": a cache line took " + std::to_string(std::lround(spread(lines).median)) +
           " ns from one to the other.";
  };
  if (!left_out.empty())
    return "Left out: " + std::to_string(left_out.size()) +
           (left_out.size() == 1 ? " round" : " rounds") + " with the cores apart" +
           line_text(left_out);
  if (apart == 0) return "";
  return "The cores were apart in " + std::to_string(apart) + " of " + std::to_string(all) +
         " measurements" + line_text(line_ns);
}

}  // namespace bench
