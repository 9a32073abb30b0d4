// SPDX-License-Identifier: MIT
//
// What a lock's handle learns from looks that came too early.

#include "shoal/detail/pace.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using shoal::detail::Pace;

namespace {

void miss(Pace& pace, std::uint32_t times) {
  for (std::uint32_t i = 0; i < times; ++i) pace.found_held();
}

}  // namespace

TEST_SUITE_BEGIN("Pace");

TEST_CASE("looks at once, until so many looks in a row have found the lock held") {
  Pace pace;
  CHECK_FALSE(pace.is_known());
  miss(pace, Pace::kMisses - 1);
  CHECK(pace.is_known());
  CHECK(pace.wait() == 0);
  pace.found_free();
  CHECK_FALSE(pace.is_known());
  miss(pace, Pace::kMisses - 1);
  CHECK(pace.wait() == 0);
  miss(pace, 1);
  CHECK(pace.wait() == Pace::kFirstWait);
}

TEST_CASE("each look that comes too early, but the first of them, makes the wait longer") {
  Pace pace;
  miss(pace, Pace::kMisses);
  miss(pace, 1);
  CHECK(pace.wait() == Pace::kFirstWait);
  miss(pace, 1);
  CHECK(pace.wait() == Pace::kFirstWait + Pace::kMore);
  miss(pace, 100);
  CHECK(pace.wait() == Pace::kLongestWait);
}

TEST_CASE("each look that finds it free makes the wait shorter, down to none") {
  Pace pace;
  miss(pace, Pace::kMisses + 1);
  pace.found_free();
  CHECK(pace.wait() == Pace::kFirstWait - Pace::kLess);
  miss(pace, 1);
  CHECK(pace.wait() == Pace::kFirstWait - Pace::kLess);
  for (std::uint32_t i = 0; i < Pace::kFirstWait; ++i) pace.found_free();
  CHECK_FALSE(pace.is_known());
}

TEST_CASE("a copy learns for itself") {
  Pace pace;
  miss(pace, Pace::kMisses);
  Pace copy(pace);
  CHECK(copy.wait() == 0);
  pace = copy;
  CHECK(pace.wait() == Pace::kFirstWait);
}

TEST_SUITE_END();
