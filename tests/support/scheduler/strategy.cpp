// SPDX-License-Identifier: MIT
#include "support/scheduler/strategy.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace shoal_test {

namespace {

constexpr std::uint64_t kStaleOneIn = 3;    // loads that could read an older value
constexpr std::uint64_t kTimeoutOneIn = 8;  // moments at which a sleep could be over

}  // namespace

std::size_t Offers::size() const {
  return goes_on.size() + others.size() + timeouts.size() + kills.size();
}

Choice Offers::operator[](std::size_t index) const {
  for (const Crowd steps : {goes_on, others}) {
    for (const int it : steps) {
      if (index-- == 0) return {Choice::Kind::step, it};
    }
  }
  for (const int it : timeouts) {
    if (index-- == 0) return {Choice::Kind::timeout, it};
  }
  return {Choice::Kind::kill, kills.nth(index)};
}

bool Offers::has(const Choice& choice) const {
  if (choice.kind == Choice::Kind::step) return (goes_on | others).has(choice.participant);
  return (choice.kind == Choice::Kind::kill ? kills : timeouts).has(choice.participant);
}

template <class Ways>
std::size_t Exhaustive::branch(Ways ways) {
  if (depth_ == path_.size()) path_.push_back({0, static_cast<std::uint8_t>(ways())});
  return path_[depth_++].taken;
}

Choice Exhaustive::choose(const Offers& offers, const Moment&) {
  return offers[branch([&] { return offers.size(); })];
}

std::size_t Exhaustive::choose_age(std::size_t ages, const Moment&) {
  return branch([&] { return ages; });
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

int Pct::highest(Crowd crowd) const {
  const auto priority = [&](int participant) {
    return priority_[static_cast<std::size_t>(participant)];
  };
  int best = *crowd.begin();
  for (const int it : crowd) {
    if (priority(it) > priority(best)) best = it;
  }
  return best;
}

Choice Pct::choose(const Offers& offers, const Moment& moment) {
  fall_behind(moment);
  if (!kill_points_.empty() && moment.steps >= kill_points_.back() && !offers.kills.empty()) {
    kill_points_.pop_back();
    return {Choice::Kind::kill, pick(offers.kills)};
  }
  if (!offers.timeouts.empty() && random(kTimeoutOneIn) == 0) {
    return {Choice::Kind::timeout, pick(offers.timeouts)};
  }
  return {Choice::Kind::step, highest(offers.goes_on | offers.others)};
}

std::size_t Pct::choose_age(std::size_t ages, const Moment&) {
  return random(kStaleOneIn) == 0 ? random(ages) : 0;
}

Choice Replay::choose(const Offers& offers, const Moment& moment) {
  if (moment.position >= schedule_.size()) return offers[0];
  Choice wanted = schedule_[moment.position];
  wanted.age = 0;
  if (offers.has(wanted)) return wanted;
  strayed_ = true;
  return offers[0];
}

std::size_t Replay::choose_age(std::size_t ages, const Moment& moment) {
  const std::size_t age =
      moment.position <= schedule_.size() ? schedule_[moment.position - 1].age : 0;
  if (age < ages) return age;
  strayed_ = true;
  return 0;
}

}  // namespace shoal_test
