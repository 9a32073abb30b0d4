// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "harness.hpp"
#include "placement.hpp"
#include "report.hpp"
#include "rounds.hpp"

namespace {

using namespace bench;

struct Options {
  std::vector<std::string> filters;
  int rounds = 9;
  std::string json;
  bool list = false;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& some :
       {limit_cases(), lock_cases(), rlock_cases(), semaphore_cases(), event_cases(),
        condition_cases(), barrier_cases(), wake_cases(), recovery_cases(), queue_cases(),
        queue_bulk_cases(), pipe_cases(), pool_cases(), value_cases(), segment_cases()})
    cases.insert(cases.end(), some.begin(), some.end());
  return cases;
}

std::vector<Case> wanted_cases(const Options& options) {
  std::vector<Case> cases = all_cases();
  const auto is_unwanted = [&](const Case& what) {
    return std::none_of(options.filters.begin(), options.filters.end(), [&](const auto& filter) {
      return what.name.find(filter) != std::string::npos;
    });
  };
  if (!options.filters.empty()) std::erase_if(cases, is_unwanted);
  return cases;
}

// On a terminal: how far it has got.
class Progress {
 public:
  explicit Progress(std::size_t cases) : cases_(cases) {}
  void begin_case() { ++case_; }
  void show(const std::string& name, int round, int rounds) const {
    if (is_terminal_)
      std::fprintf(stderr, "\r\033[K%s (%zu of %zu): round %d of %d", name.c_str(), case_, cases_,
                   round + 1, rounds);
  }
  void clear() const {
    if (is_terminal_) std::fprintf(stderr, "\r\033[K");
  }

 private:
  const bool is_terminal_ = ::isatty(STDERR_FILENO) != 0;
  const std::size_t cases_;
  std::size_t case_ = 0;
};

Result run(const Case& what, const Options& options, Placement& placement, Progress& progress) {
  const int rounds = what.rounds > 0 ? what.rounds : options.rounds;
  progress.begin_case();
  const Result result = measure_rounds(what, rounds, placement, [&](int round) {
    progress.show(what.name, round, std::max(round + 1, rounds));
  });
  progress.clear();
  return result;
}

int run_all(const Options& options) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> json(
      options.json.empty() ? nullptr : std::fopen(options.json.c_str(), "w"), std::fclose);
  if (!options.json.empty() && !json) {
    std::perror(options.json.c_str());
    return 2;
  }
  const std::vector<Case> cases = wanted_cases(options);
  const Setting setting{this_machine(), "as a " SHOAL_BENCH_LIBRARY " library",
                        std::string("shared") == SHOAL_BENCH_LIBRARY, absent_contenders(),
                        options.rounds};
  print_setting(setting);
  Placement placement(setting.machine.cores);
  Progress progress(cases.size());
  bool all_well = true;
  for (const Case& what : cases) {
    const Result result = run(what, options, placement, progress);
    print_table(result);
    if (json) write_json(json.get(), setting, result);
    all_well = all_well && !is_broken(result);
  }
  if (cases.empty()) std::fprintf(stderr, "shoal_bench: no such case; --list shows them\n");
  return cases.empty() ? 2 : all_well ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Measures shoal against what else there is. Less is better, everywhere.",
               "shoal_bench");
  app.footer(
      "A ratio is that of the times of a contender and of the baseline in the same round: the\n"
      "median of all rounds, the least and the most.\n"
      "Exit codes: 0 all is well; 1 a contender was wrong; 2 the command line was not understood.");
  Options options;
  app.add_option("--filter", options.filters,
                 "only cases with that in their names; may be repeated")
      ->type_name("TEXT");
  app.add_option("--rounds", options.rounds, "how often each contender is measured")
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--json", options.json, "write every figure there, a line a contender")
      ->type_name("FILE");
  app.add_flag("--list", options.list, "print the names of the cases");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!options.list) return run_all(options);
  for (const Case& what : all_cases())
    std::printf("%-24s %s\n", what.name.c_str(), what.what.c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "shoal_bench: %s\n", error.what());
  return 1;
}
