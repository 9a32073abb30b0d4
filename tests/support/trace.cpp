// SPDX-License-Identifier: MIT
#include "support/trace.hpp"

#include <algorithm>
#include <bit>
#include <set>

namespace shoal_test {

void Trace::add(const Stop& stop) {
  const bool repeated = !stops_.empty() && stops_.back().stop.where == stop.where;
  const int times = repeated ? times_[stop.where] : ++times_[stop.where];
  stops_.push_back({stop, times, repeated ? stops_.back().round + 1 : 0});
}

std::size_t Trace::changes() const {
  std::size_t count = 0;
  for (std::size_t stop = 1; stop < stops_.size(); ++stop) count += changed(stop);
  return count;
}

std::vector<std::size_t> Trace::points(Points which) const {
  std::set<std::size_t> chosen{0, last()};
  for (std::size_t stop = 1; stop < stops_.size(); ++stop) {
    const std::size_t round = stops_[stop].round;
    if (which == Points::every_instruction) {
      if (round == 0) chosen.insert(stop);
    } else if (notable(stop) && (round == 0 || std::has_single_bit(round))) {
      chosen.insert({stop - 1, stop, std::min(stop + 1, last())});
    }
  }
  return {chosen.begin(), chosen.end()};
}

// Counted in steps: what it costs to be at an address for the nth time, and from there to the stop.
Route Trace::route(std::size_t stop) const {
  Route best{0, 0, stop};
  std::size_t cost = stop;
  std::size_t from = std::min(stop, stops_.size() - 1);
  for (; from > 0 && stop - from < cost; --from) {
    const Visit& visit = stops_[from];
    const std::size_t detour = stop - from + 2 * static_cast<std::size_t>(visit.times);
    if (visit.round != 0 || detour >= cost) continue;
    cost = detour;
    best = {visit.stop.where, visit.times, stop - from};
  }
  return best;
}

bool Trace::changed(std::size_t stop) const {
  return stops_[stop].stop.state != stops_[stop - 1].stop.state;
}

bool Trace::notable(std::size_t stop) const {
  return changed(stop) || stops_[stop - 1].stop.at_system_call;
}

}  // namespace shoal_test
