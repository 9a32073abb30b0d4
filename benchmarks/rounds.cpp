// SPDX-License-Identifier: MIT
#include "rounds.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace bench {
namespace {

constexpr std::size_t kEnough = 3;  // rounds

// The longest way of a cache line beside any contender of that round.
double line_ns(const Result& result, std::size_t round) {
  double longest = 0;
  for (const auto& samples : result.samples) longest = std::max(longest, samples[round].line_ns);
  return longest;
}

std::size_t count_rounds(const Result& result) { return result.samples.front().size(); }

std::size_t count_near(const Result& result) {
  std::size_t near = 0;
  for (std::size_t i = 0; i < count_rounds(result); ++i)
    if (line_ns(result, i) <= kNear) ++near;
  return near;
}

void leave_out_apart(Result& result) {
  if (count_near(result) < std::min(kEnough, count_rounds(result))) return;
  for (std::size_t i = count_rounds(result); i-- > 0;) {
    const double line = line_ns(result, i);
    if (line <= kNear) continue;
    result.left_out.push_back(line);
    for (auto& samples : result.samples)
      samples.erase(samples.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace

Result measure_rounds(const Case& what, int rounds, Placement& placement,
                      const std::function<void(int)>& begin) {
  const bool takes_long = what.rounds > 0;
  const std::size_t count = what.contenders.size();
  Result result{what, std::vector<std::vector<Sample>>(count), {}, 0};
  const auto measure = [&](int round) {
    begin(round);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t contender = (i + static_cast<std::size_t>(round)) % count;
      result.samples[contender].push_back(
          placement.measure(what.contenders[contender], !takes_long));
    }
  };
  const Others others;
  for (int round = 0; round < rounds; ++round) measure(round);
  if (!takes_long) {
    const auto wanted = static_cast<std::size_t>(rounds);
    for (int more = 0; more < rounds && count_near(result) < wanted && placement.is_near(); ++more)
      measure(rounds + more);
    leave_out_apart(result);
  }
  result.others = others.cores();
  return result;
}

}  // namespace bench
