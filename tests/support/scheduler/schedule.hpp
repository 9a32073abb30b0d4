// SPDX-License-Identifier: MIT
#pragma once

// A schedule is everything that was chosen in one run, and enough to run it again. As text:
//
//   a       participant a (the first) takes one step; a12 is twelve of them
//   a.      a takes one step, in which it reads the value before the newest; a.. the one before
//   A       a is killed, before its next step
//   @a      a's sleep is over before it was woken, and a takes one step
//
// What follows without a choice, such as time passing when nobody can run, is not written down.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace shoal_test {

struct Choice {
  enum class Kind { step, timeout, kill };

  Choice(Kind kind_of_choice, int number) : kind(kind_of_choice), participant(number) {}

  // Not packed: one is made at each step, and passing on bytes just written is slow.
  Kind kind;
  int participant;
  std::size_t age = 0;  // of the value read: 0 is the newest

  bool operator==(const Choice&) const = default;
};

// A stale read is the age of the step that did it.
using Schedule = std::vector<Choice>;

std::string to_text(const Schedule& schedule);

// Throws std::invalid_argument where the text is no schedule.
Schedule schedule_from(std::string_view text);

}  // namespace shoal_test
