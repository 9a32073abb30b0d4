// SPDX-License-Identifier: MIT
//
// What a race looks like. A few processes add 1 to the same number, without a lock and with one;
// each load and store is recorded, and a page is written that shows them, and where an update was
// lost. Look for: the red bars, what is said of them, and that under the lock there is none.

#include <getopt.h>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

#include "command_line.hpp"
#include "page.hpp"
#include "recording.hpp"
#include "timeline.hpp"

namespace {

struct Options {
  int processes = 3;
  int times = 6;
  std::string output = "race_timeline.html";
};

constexpr const char* kHelp =
    "A few processes add 1 to the same number in shared memory, without a lock and with one.\n"
    "Writes an HTML page that shows each load and store, and where an update was lost.\n"
    "\n"
    "usage: race_timeline [OPTION]...\n"
    "\n"
    "  -h, --help         print this\n"
    "      --processes N  how many, 2 to 4 (3)\n"
    "      --times N      how often each of them adds 1, 1 to 100 (6)\n"
    "      --output FILE  the page to write (race_timeline.html)\n"
    "\n"
    "Try:\n"
    "  race_timeline                     then open race_timeline.html in a browser\n"
    "  race_timeline --processes 2       the smallest race\n"
    "\n"
    "Exit codes: 0 the page is written; 1 it could not be, or updates were lost although there\n"
    "was a lock; 2 the command line was not understood.\n";

constexpr option kOptions[] = {{"help", no_argument, nullptr, 'h'},
                               {"processes", required_argument, nullptr, 'p'},
                               {"times", required_argument, nullptr, 't'},
                               {"output", required_argument, nullptr, 'o'},
                               {}};

Options parse(int argc, char** argv) {
  Options options;
  for (int option; (option = ::getopt_long(argc, argv, "h", kOptions, nullptr)) != -1;) {
    switch (option) {
      case 'h':
        std::cout << kHelp;
        std::exit(0);
      case 'p':
        options.processes = static_cast<int>(number("--processes", optarg, 2, 4));
        break;
      case 't':
        options.times = static_cast<int>(number("--times", optarg, 1, 100));
        break;
      case 'o':
        options.output = optarg;
        break;
      default:
        throw UsageError("");  // getopt has said what is wrong
    }
  }
  if (optind < argc) throw UsageError(std::string("not an option: ") + argv[optind]);
  return options;
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
  Options options = parse(argc, argv);
  const Timeline racing = race(options);
  const Timeline locked = timeline_of(record(options.processes, options.times, true));
  print("under a lock:    ", locked);
  for (const Loss& loss : racing.losses) std::cout << "  " << sentence(racing, loss) << '\n';
  write(options.output, page(racing, locked));
  std::cout << "See " << options.output << '\n';
  return locked.lost() == 0 ? 0 : 1;
} catch (const UsageError& error) {
  if (*error.what() != '\0') std::cerr << "race_timeline: " << error.what() << '\n';
  std::cerr << "See race_timeline --help\n";
  return 2;
} catch (const std::exception& error) {
  std::cerr << "race_timeline: " << error.what() << '\n';
  return 1;
}
