// SPDX-License-Identifier: MIT
#include "step_kill/programme.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace shoal_test {
namespace {

struct Sums {
  std::size_t scenes = 0, points = 0, pairs = 0, states = 0, hangs = 0, wrong = 0, strays = 0;
  double seconds = 0;
};
Sums sums;

void add(const StepReport& report) {
  ++sums.scenes;
  sums.states += report.states;
  sums.hangs += report.hangs;
  sums.wrong += report.wrong;
  sums.strays += report.strays;
  sums.seconds += report.seconds;
}

// Of the pairs, the selection has each sixth first kill.
constexpr std::size_t kSelected = 6;

void check(const StepReport& report, const Floors& floors) {
  CHECK(report.instructions >= floors.instructions);
  CHECK(report.points >= floors.points);
  CHECK(report.states >= floors.states);
  CHECK((floors.strays || report.strays * 2 <= report.points));
  CHECK(report.hangs == 0);
  CHECK(report.wrong == 0);
}

// For step_kill_sums.sh, which adds up those of all programs.
void append_sums() {
  const char* const name = std::getenv("SHOAL_TEST_SUMS");
  if (name == nullptr) return;
  std::FILE* const file = std::fopen(name, "a");
  if (file == nullptr) return;
  std::fprintf(file, "%zu %zu %zu %zu\n", sums.points, sums.pairs, sums.hangs, sums.wrong);
  std::fclose(file);
}

// Prints the sums when the last test has run.
struct Printer : doctest::IReporter {
  explicit Printer(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {
    if (sums.scenes == 0) return;
    std::printf("step-kill in all: %zu scenes, %zu points, %zu pairs, %zu states, ", sums.scenes,
                sums.points, sums.pairs, sums.states);
    std::printf("%zu hangs, %zu wrong, %zu strays, %.1f s\n", sums.hangs, sums.wrong, sums.strays,
                sums.seconds);
    append_sums();
  }
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
REGISTER_LISTENER("step-kill sums", 1, Printer);

}  // namespace

StepOptions thorough() {
  StepOptions options;
  options.points = full_programme() ? Points::every_instruction : Points::at_changes;
  return options;
}

StepOptions every_instruction() { return {}; }

StepOptions where_changed() {
  StepOptions options;
  options.points = Points::at_changes;
  return options;
}

StepOptions waiting_for_lock() {
  StepOptions options = where_changed();
  options.instructions = 6000;
  return options;
}

void kill_everywhere(const std::string& name, const SceneFactory& make, const Floors& floors,
                     const StepOptions& options) {
  INFO("scene ", name);
  const StepReport report = step_kill(name, make, options);
  add(report);
  sums.points += report.points;
  check(report, floors);
}

void kill_repairers(const std::string& name, const SceneFactory& make, const Floors& floors,
                    const StepOptions& options) {
  INFO("scene ", name);
  StepOptions selected = options;
  Floors least = floors;
  if (!full_programme()) {
    selected.stride *= kSelected;
    least.points = std::max<std::size_t>(1, floors.points / (2 * kSelected));
    least.states = 1;
  }
  const StepReport report = step_kill_repair(name, make, selected);
  add(report);
  sums.pairs += report.points;
  check(report, least);
}

shoal::SegmentOptions small_segment(std::size_t max_processes) {
  shoal::SegmentOptions options;
  options.capacity = 64 << 10;
  options.max_objects = 8;
  options.max_processes = max_processes;
  options.max_threads = 8;
  return options;
}

}  // namespace shoal_test
