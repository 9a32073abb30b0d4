// SPDX-License-Identifier: MIT
#pragma once

// A strategy decides what a run does wherever it could do more than one thing. The simulation
// offers only what the budgets of the run still allow, the default (go on as before) first.

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "support/scheduler/crowd.hpp"
#include "support/scheduler/schedule.hpp"

namespace shoal_test {

// What a run could do next, in this order: a step of whoever took the last one, steps of others,
// sleeps that could be over, kills.
struct Offers {
  Crowd goes_on;  // one, or nobody
  Crowd others;
  Crowd timeouts;
  Crowd kills;

  bool empty() const { return (goes_on | others).empty(); }  // without a step there is nothing
  bool is_one() const { return (timeouts | kills).empty() && !(goes_on | others).has_several(); }
  std::size_t size() const;
  Choice operator[](std::size_t index) const;
  bool has(const Choice& choice) const;
};

// Where a run is when it asks.
struct Moment {
  int steps;             // taken so far
  int running;           // who took the last one, or -1
  std::size_t position;  // length of the schedule so far
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  // One of `offers`, of which there are at least two.
  virtual Choice choose(const Offers& offers, const Moment& moment) = 0;
  // Which value the step just begun reads: less than `ages`, 0 for the newest.
  virtual std::size_t choose_age(std::size_t ages, const Moment& moment) = 0;
};

// Depth-first search without stored states: a run repeats the choices of the run before, except
// that the last one with something left untried takes its next alternative.
class Exhaustive final : public Strategy {
 public:
  Choice choose(const Offers& offers, const Moment& moment) override;
  std::size_t choose_age(std::size_t ages, const Moment& moment) override;
  // Prepares the next run; false when every choice has been tried.
  bool advance();

 private:
  template <class Ways>
  std::size_t branch(Ways ways);

  struct Branch {
    std::uint8_t taken;
    std::uint8_t offered;
  };
  std::vector<Branch> path_;
  std::size_t depth_ = 0;
};

// Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized
// Scheduler with Probabilistic Guarantees of Finding Bugs, ASPLOS 2010): participants have random
// priorities, the highest runs, and at depth - 1 random steps whoever runs falls behind all
// others. A bug that needs `depth` ordering constraints is hit with a probability of at least
// 1 / (participants * steps^(depth - 1)) in each run. Kills come at random steps, too.
class Pct final : public Strategy {
 public:
  Pct(std::uint64_t seed, int participants, int depth, int kills);
  // Prepares the next run, from the steps of those before: change points lie anywhere in the
  // longest, kills where a run like the last can be hit.
  void advance(int most_steps, int last_steps);
  Choice choose(const Offers& offers, const Moment& moment) override;
  std::size_t choose_age(std::size_t ages, const Moment& moment) override;

 private:
  std::uint64_t random(std::uint64_t below);
  void fall_behind(const Moment& moment);
  int pick(Crowd crowd) { return crowd.nth(random(crowd.size())); }
  int highest(Crowd crowd) const;

  std::mt19937_64 random_;
  int participants_;
  int depth_;
  int kills_;
  std::array<int, kMaxParticipants> priority_{};
  std::vector<int> change_points_;  // steps, the latest first
  std::vector<int> kill_points_;    // likewise
};

// Repeats a schedule; beyond its end, takes the default.
class Replay final : public Strategy {
 public:
  explicit Replay(Schedule schedule) : schedule_(std::move(schedule)) {}
  Choice choose(const Offers& offers, const Moment& moment) override;
  std::size_t choose_age(std::size_t ages, const Moment& moment) override;
  // Was there a moment that did not offer what the schedule says?
  bool strayed() const { return strayed_; }

 private:
  Schedule schedule_;
  bool strayed_ = false;
};

}  // namespace shoal_test
