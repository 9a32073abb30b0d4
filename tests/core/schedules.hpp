// SPDX-License-Identifier: MIT
#pragma once

// How the tests of the cores use the scheduler.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "shoal/detail/owner_value.hpp"
#include "support/full_programme.hpp"
#include "support/scheduler.hpp"

namespace shoal_test {

// Who a participant is: the first process of a record of its own.
inline shoal::detail::OwnerValue process(int participant) {
  return shoal::detail::owner_value(static_cast<std::uint32_t>(participant), 1);
}

// All schedules of two participants within these budgets; a random choice for more.
inline const Options kExhaustive{.schedules = full_programme() ? std::uint64_t{3'000'000} : 60'000,
                                 .preemptions = 3,
                                 .stale_reads = 2};

inline Options random_choice(int kills) {
  Options options;
  options.mode = Mode::pct;
  options.schedules = full_programme() ? 200'000 : 6'000;
  options.kills = kills;
  options.depth = 4;
  return options;
}

inline Options with_kills(Options options, int kills) {
  options.kills = kills;
  return options;
}

// At random, all that were asked for; else `floor` at least.
template <class Model>
Report passes(const char* name, const Options& options, std::uint64_t floor) {
  const Report report = explore<Model>(name, options);
  MESSAGE(report);
  CHECK(report.passed());
  CHECK(report.schedules >= (options.mode == Mode::pct ? options.schedules : floor));
  return report;
}

// The name of the test that is to find a mutant, and how it is found.
template <class Model>
void catches(const char* name, Options options) {
  options.schedules = 3'000'000;  // it ends with the first that is wrong
  const Report report = explore<Model>(name, options);
  MESSAGE(std::string(name) << ": caught after " << report.schedules << " schedules, "
                            << report.seconds << " s: " << report.violation);
  CHECK_FALSE(report.passed());
}

}  // namespace shoal_test
