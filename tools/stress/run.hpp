// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalogue.hpp"
#include "engine.hpp"

namespace shoal::stress {

// A subject that has been under stress, and what came of it: what the reports are about.
struct Run {
  std::string name;
  std::string about;
  std::string why = {};      // of a broken one: why it is wrong
  std::string source = {};   // and where it is from; may be empty
  std::string skipped = {};  // why it was not run; empty: it was
  Outcome outcome = {};

  [[nodiscard]] bool is_broken() const { return !why.empty(); }
  [[nodiscard]] bool has_failed() const { return !outcome.failures.empty(); }
  // Did it as one could wish? Of a broken one: it was caught.
  [[nodiscard]] bool is_well() const { return !skipped.empty() || is_broken() == has_failed(); }
};

// "PASS", "FAIL", "CAUGHT", "MISSED", "SKIPPED" or "INTERRUPTED".
const char* verdict(const Run& run);

// --- For people

std::string spelled(Inject inject);
std::string spelled_count(std::uint64_t count);           // "1,234,567"
std::string spelled_duration(std::uint64_t nanoseconds);  // "1.23 us"
std::string spelled_share(double share);                  // "0.998"
std::string spelled_milliseconds(double ms);              // "0.34 ms", "12 ms", "1,234 ms"
std::string spelled_plan(const Plan& plan);               // all that it takes to do it again
std::string spelled_progress(const Run& run, const Sample& now);
std::string spelled_result(const Run& run);

// --- For programs, and for those who read it tomorrow

// `verdict` is that of all of them together: "PASS", "FAIL" or "INTERRUPTED".
std::string json_report(const std::vector<Run>& runs, const std::string& verdict);
std::string json_list(const std::vector<Entry>& entries);
// One HTML page, complete in itself.
std::string page_report(const std::vector<Run>& runs, const std::string& verdict);

}  // namespace shoal::stress
