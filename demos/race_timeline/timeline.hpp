// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "recording.hpp"

// One addition in its place among the others.
struct Step {
  Addition what;
  int built_on = -1;        // the step whose number it loaded; -1: the beginning
  std::int64_t loaded = 0;  // when, in nanoseconds: the earliest moment that fits its own clock
  std::int64_t stored = 0;  // readings and the order of all loads and stores
  int loss = -1;            // the loss in which it was lost; -1: it counts
};

// A store over a number that its process had not seen: what that number had counted is lost.
struct Loss {
  int by = 0;             // the step that stored; the one overwritten is by - 1
  std::vector<int> lost;  // steps; the last of them is by - 1
};

struct Timeline {
  int processes = 0;
  bool locked = false;
  std::vector<Step> steps;   // in the order of their stores
  std::vector<Loss> losses;  // likewise
  int expected() const { return static_cast<int>(steps.size()); }
  int got() const { return steps.empty() ? 0 : steps.back().what.stored.value; }
  int lost() const { return expected() - got(); }
};

// Throws std::logic_error where no order of loads and stores explains the recording.
Timeline timeline_of(const Recording& recording);

// "P1 stored 7 over P0's 7, having read P2's 6 before it."
std::string sentence(const Timeline& timeline, const Loss& loss);
