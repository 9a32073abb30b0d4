// SPDX-License-Identifier: MIT
#include "support/scheduler/strategy.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace shoal_test {

namespace {

constexpr std::uint64_t kStaleOneIn = 3;    // loads that could read an older value
constexpr std::uint64_t kTimeoutOneIn = 8;  // moments at which a sleep could be over

bool has(std::span<const Choice> offered, Choice::Kind kind) {
  return std::ranges::any_of(offered, [kind](const Choice& it) { return it.kind == kind; });
}

}  // namespace

std::size_t Exhaustive::choose(std::span<const Choice> offered, const Moment&) {
  if (depth_ == path_.size()) path_.push_back({0, static_cast<std::uint8_t>(offered.size())});
  return path_[depth_++].taken;
}

bool Exhaustive::advance() {
  path_.resize(depth_);
  depth_ = 0;
  while (!path_.empty() && path_.back().taken + 1 == path_.back().offered) path_.pop_back();
  if (path_.empty()) return false;
  ++path_.back().taken;
  return true;
}

Pct::Pct(std::uint64_t seed, int participants, int depth, int kills)
    : random_(seed), participants_(participants), depth_(depth), kills_(kills) {}

std::uint64_t Pct::random(std::uint64_t below) { return random_() % below; }

void Pct::advance(int most_steps, int last_steps) {
  const auto end = priority_.begin() + participants_;
  std::iota(priority_.begin(), end, depth_);
  for (auto left = static_cast<std::uint64_t>(participants_); left > 1; --left) {
    std::swap(priority_[left - 1], priority_[random(left)]);
  }
  const auto points = [&](int count, int steps) {
    std::vector<int> drawn(static_cast<std::size_t>(count));
    for (int& step : drawn) step = static_cast<int>(random(static_cast<unsigned>(steps)));
    std::ranges::sort(drawn, std::greater{});
    return drawn;
  };
  change_points_ = points(depth_ - 1, most_steps);
  kill_points_ = points(static_cast<int>(random(static_cast<unsigned>(kills_) + 1)), last_steps);
}

void Pct::fall_behind(const Moment& moment) {
  while (!change_points_.empty() && moment.steps >= change_points_.back()) {
    change_points_.pop_back();
    if (moment.running < 0) continue;
    priority_[static_cast<std::size_t>(moment.running)] = static_cast<int>(change_points_.size());
  }
}

std::size_t Pct::pick(std::span<const Choice> offered, Choice::Kind kind) {
  const auto matches = [kind](const Choice& it) { return it.kind == kind; };
  auto nth = random(static_cast<std::uint64_t>(std::ranges::count_if(offered, matches)));
  std::size_t at = 0;
  while (!matches(offered[at]) || nth-- > 0) ++at;
  return at;
}

std::size_t Pct::pick_highest(std::span<const Choice> offered) const {
  std::size_t best = 0;
  for (std::size_t i = 1; i < offered.size(); ++i) {
    if (offered[i].kind == Choice::Kind::step &&
        (offered[best].kind != Choice::Kind::step ||
         priority_[offered[i].participant] > priority_[offered[best].participant])) {
      best = i;
    }
  }
  return best;
}

std::size_t Pct::choose(std::span<const Choice> offered, const Moment& moment) {
  if (offered[0].kind == Choice::Kind::read) {
    return random(kStaleOneIn) == 0 ? random(offered.size()) : 0;
  }
  fall_behind(moment);
  if (!kill_points_.empty() && moment.steps >= kill_points_.back() &&
      has(offered, Choice::Kind::kill)) {
    kill_points_.pop_back();
    return pick(offered, Choice::Kind::kill);
  }
  if (has(offered, Choice::Kind::timeout) && random(kTimeoutOneIn) == 0) {
    return pick(offered, Choice::Kind::timeout);
  }
  return pick_highest(offered);
}

std::size_t Replay::choose_age(std::span<const Choice> offered, std::size_t position) {
  const std::size_t age = position <= schedule_.size() ? schedule_[position - 1].age : 0;
  if (age < offered.size()) return age;
  strayed_ = true;
  return 0;
}

std::size_t Replay::choose(std::span<const Choice> offered, const Moment& moment) {
  if (offered[0].kind == Choice::Kind::read) return choose_age(offered, moment.position);
  if (moment.position >= schedule_.size()) return 0;
  Choice wanted = schedule_[moment.position];
  wanted.age = 0;
  const auto found = std::ranges::find(offered, wanted);
  if (found == offered.end()) strayed_ = true;
  return found == offered.end() ? 0 : static_cast<std::size_t>(found - offered.begin());
}

}  // namespace shoal_test
