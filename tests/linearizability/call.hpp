// SPDX-License-Identifier: MIT
#pragma once

// A call of any of the library's types, and what it returned, in a form that all models share.

#include <array>
#include <cstdint>
#include <string>

#include "support/linearizability.hpp"

namespace shoal_test {

enum class Verb : std::int32_t {
  push,
  pop,
  push_some,
  pop_some,
  close,
  load,
  store,
  exchange,
  compare_exchange,
  fetch_add,
  update,
  lock,
  unlock,
  acquire,
  release,
  set,
  clear,
  wait,
  look,  // closed(), is_locked(), value(), is_set(), poll()
  die,   // not a call: kill -9
};

enum class Answer : std::int32_t {
  unknown,
  done,
  refused,  // full, empty, held, none there, not set, another value: no error
  stopped,  // refused, or closed
  closed,
  owner_died,
  not_owner,
  other,  // nothing of the kind
};

struct Call {
  Verb verb = Verb::look;
  std::int32_t by = 0;  // which process
  Answer answer = Answer::unknown;
  std::int32_t count = 0;                  // how many values: of what is given, or comes
  std::array<std::int64_t, 2> given{};     // arguments
  std::array<std::int64_t, 2> returned{};  // what came back
};

using History = std::span<const Recorded<Call>>;

// One line a call.
inline std::string describe(History history) {
  static constexpr const char* kVerbs[] = {
      "push",   "pop",      "push_some",        "pop_some",  "close",  "load",
      "store",  "exchange", "compare_exchange", "fetch_add", "update", "lock",
      "unlock", "acquire",  "release",          "set",       "clear",  "wait",
      "look",   "die"};
  static constexpr const char* kAnswers[] = {"pending", "done",       "refused",   "stopped",
                                             "closed",  "owner died", "not owner", "other"};
  std::string text;
  for (const Recorded<Call>& one : history) {
    const Call& call = one.operation;
    const auto both = [](const std::array<std::int64_t, 2>& values) {
      return std::to_string(values[0]) + ", " + std::to_string(values[1]);
    };
    text += "  " + std::to_string(one.invoked) + " to " + std::to_string(one.returned) + " by " +
            std::to_string(call.by) + ": " + kVerbs[static_cast<int>(call.verb)] + "(" +
            both(call.given) + ") -> " + kAnswers[static_cast<int>(call.answer)] + " " +
            std::to_string(call.count) + " (" + both(call.returned) + ")\n";
  }
  return text;
}

}  // namespace shoal_test
