// SPDX-License-Identifier: MIT
#pragma once

// Whether what several processes saw of an object could have been seen of one that does a call after
// the other, each at some moment between its beginning and its end.
//
//   LinearizabilityChecker checker(CounterModel{});
//   CHECK(checker.check(history));
//
// A Model says what one call does. It has
//   Operation   a call: its arguments, and what it returned
//   State       of the object. Compared by its bytes, so it must have no padding
//   State initial() const
//   template <class Then> bool apply(const State&, const Recorded<Operation>&, Then then) const
//               calls then(State) for each state that the call may leave, until that returns true,
//               and returns it; false, then never having been called, where the call could not have
//               returned what it did. Of a pending call nobody knows what it returned.
//
// The search is that of Jeannette Wing and Chun Gong, "Testing and verifying concurrent objects"
// (1993): try each call that may come first. What has been tried in vain is not tried again: Gavin
// Lowe, "Testing for linearizability" (2017).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <unordered_set>
#include <utility>

#include "support/state_hash.hpp"

namespace shoal_test {

// One call of a history. Of two calls that overlap either may come first; times that are equal
// overlap.
template <class Operation>
struct Recorded {
  Operation operation{};
  std::int64_t invoked = 0;
  std::int64_t returned = 0;
  // Its process was killed in the middle of it, and was dead at `returned`: it has had its effect by
  // then, or never.
  bool pending = false;
  bool contended = false;  // it overlaps another one: see note_contention()
  // Part of a call that may be interrupted by others; its part before, by its place in the history.
  std::size_t after = kNothing;
  static constexpr std::size_t kNothing = ~std::size_t{0};
};

template <class Operation>
bool precedes(const Recorded<Operation>& first, const Recorded<Operation>& second) {
  return first.returned < second.invoked;
}

// For models of what may answer otherwise while somebody else is at work.
template <class Operation>
void note_contention(std::span<Recorded<Operation>> history) {
  for (Recorded<Operation>& one : history)
    one.contended = std::any_of(history.begin(), history.end(), [&](const auto& other) {
      return &one != &other && !precedes(one, other) && !precedes(other, one);
    });
}

template <class Model>
class LinearizabilityChecker {
 public:
  using State = typename Model::State;
  using History = std::span<const Recorded<typename Model::Operation>>;
  static_assert(std::has_unique_object_representations_v<State>);

  static constexpr std::size_t kMostCalls = 64;

  explicit LinearizabilityChecker(Model model) : model_(std::move(model)) {}

  // Requires: no more than kMostCalls.
  bool check(History history) {
    history_ = history;
    tried_.clear();
    mandatory_ = 0;
    for (std::size_t i = 0; i < history.size(); ++i)
      if (!history[i].pending) mandatory_ |= bit(i);
    return extend(0, model_.initial());
  }
  // How many configurations the last search came to.
  [[nodiscard]] std::size_t configurations() const { return tried_.size(); }

 private:
  using Calls = std::uint64_t;  // a set of them

  struct Configuration {
    Calls done;
    State state;
    bool operator==(const Configuration& other) const {
      return done == other.done && std::memcmp(&state, &other.state, sizeof state) == 0;
    }
  };
  struct Hash {
    std::size_t operator()(const Configuration& configuration) const {
      return hash_of_both(configuration.done, hash_of(configuration.state));
    }
  };

  static Calls bit(std::size_t call) { return Calls{1} << call; }

  // Whether the rest can follow what has been done.
  bool extend(Calls done, const State& state) {
    if ((done & mandatory_) == mandatory_) return true;
    if (!tried_.insert({done, state}).second) return false;
    for (std::size_t i = 0; i < history_.size(); ++i)
      if (may_come_next(i, done) && model_.apply(state, history_[i], [&](const State& next) {
            return extend(done | bit(i), next);
          }))
        return true;
    return false;
  }

  // Not before what was over when it began; and a dead process's call not after what began later.
  bool may_come_next(std::size_t call, Calls done) const {
    const std::size_t after = history_[call].after;
    if ((done & bit(call)) != 0 || (after < history_.size() && (done & bit(after)) == 0))
      return false;
    for (std::size_t i = 0; i < history_.size(); ++i) {
      const bool is_done = (done & bit(i)) != 0;
      if (!is_done && !history_[i].pending && precedes(history_[i], history_[call])) return false;
      if (is_done && precedes(history_[call], history_[i])) return false;
    }
    return true;
  }

  const Model model_;
  History history_;
  Calls mandatory_ = 0;
  std::unordered_set<Configuration, Hash> tried_;
};

}  // namespace shoal_test
