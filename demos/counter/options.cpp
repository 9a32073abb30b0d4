// SPDX-License-Identifier: MIT
#include "options.hpp"

#include <getopt.h>

#include <cstdlib>
#include <iostream>

#include "command_line.hpp"

namespace {

constexpr const char* kHelp =
    "Several processes add 1 to the same number in shared memory, again and again.\n"
    "Without a lock, some of what they add is lost.\n"
    "\n"
    "usage: counter [OPTION]...\n"
    "\n"
    "  -h, --help         print this\n"
    "      --processes N  how many to start, 1 to 64 (4); not with --name\n"
    "      --times N      how often each of them adds 1, 0 to 1000000000 (1000000)\n"
    "      --lock         hold a shoal::Lock for load and store\n"
    "      --atomic       fetch_add instead of load and store; not with --lock\n"
    "      --name NAME    start none: count together with those who use the same name\n"
    "      --wait-for N   with --name: begin when so many are there, 1 to 64 (2); the first\n"
    "                     one's number counts\n"
    "\n"
    "Try:\n"
    "  counter                       4 processes, and what they lose\n"
    "  counter --lock                the same under a lock: nothing is lost\n"
    "  counter --atomic              the same, each addition in one step\n"
    "  counter --name lunch          in two terminals: they find each other by that name\n"
    "\n"
    "With --name, kill one with kill -9 while it waits or counts: the other one goes on.\n"
    "\n"
    "Exit codes: 0 all is well, also when the race loses; 1 updates were lost although there was\n"
    "a lock, or a process failed; 2 the command line was not understood; 130 Ctrl-C.\n";

enum Option : int { kProcesses = 256, kTimes, kLock, kAtomic, kName, kWaitFor, kQuiet };

constexpr option kOptions[] = {{"help", no_argument, nullptr, 'h'},
                               {"processes", required_argument, nullptr, kProcesses},
                               {"times", required_argument, nullptr, kTimes},
                               {"lock", no_argument, nullptr, kLock},
                               {"atomic", no_argument, nullptr, kAtomic},
                               {"name", required_argument, nullptr, kName},
                               {"wait-for", required_argument, nullptr, kWaitFor},
                               {"quiet", no_argument, nullptr, kQuiet},  // see Options
                               {}};

void choose(Way way, Options& options) {
  if (options.way != Way::racing && options.way != way)
    throw UsageError("--lock and --atomic: only one of them");
  options.way = way;
}

int count_of(const char* option, const char* text) {
  return static_cast<int>(number(option, text, 1, 64));
}

Options options_of(int argc, char** argv) {
  Options options;
  options.program = argv[0];
  bool processes = false;
  bool wait_for = false;
  for (int option; (option = ::getopt_long(argc, argv, "h", kOptions, nullptr)) != -1;) {
    switch (option) {
      case 'h':
        std::cout << kHelp;
        std::exit(0);
      case kProcesses:
        processes = true;
        options.processes = count_of("--processes", optarg);
        break;
      case kTimes:
        options.times = number("--times", optarg, 0, 1'000'000'000);
        break;
      case kLock:
        choose(Way::locked, options);
        break;
      case kAtomic:
        choose(Way::atomic, options);
        break;
      case kName:
        options.name = optarg;
        break;
      case kWaitFor:
        wait_for = true;
        options.wait_for = count_of("--wait-for", optarg);
        break;
      case kQuiet:
        options.quiet = true;
        break;
      default:
        throw UsageError("");  // getopt has said what is wrong
    }
  }
  if (optind < argc) throw UsageError(std::string("not an option: ") + argv[optind]);
  if (processes && !options.name.empty()) throw UsageError("--processes: not with --name");
  if (wait_for && options.name.empty()) throw UsageError("--wait-for: only with --name");
  return options;
}

}  // namespace

const char* flag(Way way) {
  return way == Way::locked ? " --lock" : way == Way::atomic ? " --atomic" : "";
}

Options parse(int argc, char** argv) try {
  return options_of(argc, argv);
} catch (const UsageError& error) {
  if (*error.what() != '\0') std::cerr << "counter: " << error.what() << '\n';
  std::cerr << "See counter --help\n";
  std::exit(2);
}
