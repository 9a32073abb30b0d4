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

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shoal_test {

struct Choice {
  enum class Kind : std::uint8_t { step, kill, timeout, read };

  Kind kind;
  std::uint8_t participant;
  std::uint8_t age = 0;  // of the value read: 0 is the newest

  bool operator==(const Choice&) const = default;
};

// In a schedule a stale read is the age of the step that did it; Kind::read does not occur.
using Schedule = std::vector<Choice>;

std::string to_text(const Schedule& schedule);

// Throws std::invalid_argument where the text is no schedule.
Schedule schedule_from(std::string_view text);

}  // namespace shoal_test
