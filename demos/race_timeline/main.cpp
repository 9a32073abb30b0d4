// SPDX-License-Identifier: MIT
//
// What a race looks like. A few processes add 1 to the same number, without a lock and with one;
// each load and store is recorded, and a page is written that shows them, and where an update was
// lost. Look for: the red bars, what is said of them, and that under the lock there is none.

#include <CLI/CLI.hpp>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

#include "page.hpp"
#include "recording.hpp"
#include "timeline.hpp"

namespace {

struct Options {
  int processes = 3;
  int times = 6;
  std::string output = "race_timeline.html";
};

constexpr const char* kAbout =
    "A few processes add 1 to the same number in shared memory, without a lock and with one.\n"
    "Writes an HTML page that shows each load and store, and where an update was lost.";

constexpr const char* kExamples =
    "Try:\n"
    "  race_timeline                     then open race_timeline.html in a browser\n"
    "  race_timeline --processes 2       the smallest race\n"
    "\n"
    "Exit codes: 0 the page is written; 1 it could not be, or updates were lost although there\n"
    "was a lock; 2 the command line was not understood.";

// The exit code, or -1: go on.
int parse(int argc, char** argv, Options& options) {
  CLI::App app(kAbout, "race_timeline");
  app.footer(kExamples);
  app.get_formatter()->column_width(34);
  auto* const processes = app.add_option("--processes", options.processes, "how many, 2 to 4");
  auto* const times = app.add_option("--times", options.times, "how often each of them adds 1");
  auto* const output = app.add_option("--output", options.output, "the page to write");
  processes->check(CLI::Range(2, 4).description(""))->type_name("N")->capture_default_str();
  times->check(CLI::Range(1, 100).description(""))->type_name("N")->capture_default_str();
  output->type_name("FILE")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return -1;
}

void print(const char* how, const Timeline& timeline) {
  std::cout << how << timeline.expected() << " expected, " << timeline.got() << " got, "
            << timeline.lost() << " lost\n";
}

// Nothing is made up: where by luck nothing was lost, it is done again, with more work.
Timeline race(Options& options) {
  constexpr int kRetries = 5;
  for (int retries = 0;; ++retries) {
    Timeline timeline = timeline_of(record(options.processes, options.times, false));
    print("without a lock:  ", timeline);
    if (timeline.lost() > 0 || retries == kRetries) return timeline;
    options.times = options.times + options.times / 2 + 1;
    std::cout << "Nothing was lost, by luck. Again, each " << options.times << " times.\n";
  }
}

void write(const std::string& file, const std::string& page) {
  std::ofstream out(file);
  out << page;
  out.close();
  if (!out) throw std::runtime_error("cannot write " + file);
}

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  if (const int code = parse(argc, argv, options); code >= 0) return code;
  const Timeline racing = race(options);
  const Timeline locked = timeline_of(record(options.processes, options.times, true));
  print("under a lock:    ", locked);
  for (const Loss& loss : racing.losses) std::cout << "  " << sentence(racing, loss) << '\n';
  write(options.output, page(racing, locked));
  std::cout << "See " << options.output << '\n';
  return locked.lost() == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "race_timeline: " << error.what() << '\n';
  return 1;
}
