// SPDX-License-Identifier: MIT
#include "near.hpp"

#include <cmath>
#include <utility>

#include "spread.hpp"

namespace bench {

std::string apart_text(std::vector<double> line_ns) {
  const std::size_t all = line_ns.size();
  std::erase_if(line_ns, [](double line) { return line <= kNear; });
  const std::size_t apart = line_ns.size();
  if (apart == 0) return "";
  return "The cores were apart in " + std::to_string(apart) + " of " + std::to_string(all) +
         " measurements: a cache line took " +
         std::to_string(std::lround(spread(std::move(line_ns)).median)) +
         " ns from one to the other.";
}

}  // namespace bench
