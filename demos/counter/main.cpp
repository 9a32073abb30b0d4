// SPDX-License-Identifier: MIT
//
// Several processes count together, in one number that they share. Run it without --lock, and some
// of what they counted is lost; run it with --lock, and nothing is. How each of them counts is in
// ways.hpp.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "meeting.hpp"
#include "options.hpp"
#include "report.hpp"
#include "ways.hpp"

namespace {

using Clock = std::chrono::steady_clock;

struct Interrupted {};
volatile std::sig_atomic_t interrupted = 0;

void nap() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (interrupted) throw Interrupted{};
}

// --- One process: the others are started by somebody else, with the same --name

void count(const Options& options, const Meeting& meeting) {
  constexpr std::int64_t kPortion = 100'000;  // after which Ctrl-C is heard
  for (std::int64_t left = options.times; left > 0; left -= kPortion) {
    const std::int64_t times = std::min(left, kPortion);
    if (options.way == Way::racing)
      count_racing(meeting.counter, times);
    else if (options.way == Way::locked)
      count_locked(meeting.counter, meeting.lock, times);
    else
      count_atomically(meeting.counter, times);
    if (interrupted) throw Interrupted{};
  }
}

void print_invitation(const Options& options, int processes) {
  print_task(options, processes);
  std::cout << "Waiting until there are " << processes
            << ". In another terminal:  " << options.program << " --name " << options.name
            << flag(options.way) << "   (Ctrl-C ends it.)\n"
            << std::flush;
}

// Those whom another counter started come at once, or never.
void wait_for_the_others(const Options& options, const Meeting& meeting) {
  const auto patience = Clock::now() + std::chrono::seconds(30);
  while (!meeting.has_started()) {
    nap();
    if (options.quiet && Clock::now() > patience)
      throw std::runtime_error("the other processes did not come");
  }
}

// All are there: begin at the same moment, wide awake. For one that was killed, wait no longer.
void line_up(const Options& options, const Meeting& meeting) {
  meeting.tally.update([&](Tally& tally) { tally.expected += options.times, ++tally.began; });
  const auto patience = Clock::now() + std::chrono::milliseconds(500);
  while (meeting.tally.load().began < meeting.size() && Clock::now() < patience)
    std::this_thread::yield();
}

int take_part(const Options& options) {
  for (;;) {
    Meeting meeting(options.name, options.wait_for);
    if (!meeting.sit_down()) continue;
    if (!options.quiet) print_invitation(options, meeting.size());
    wait_for_the_others(options, meeting);
    line_up(options, meeting);
    count(options, meeting);
    meeting.tally.update([](Tally& tally) { ++tally.finished; });
    if (options.quiet) return 0;
    while (!meeting.stand_up()) nap();
    return print_result(options, meeting.counter.load(), meeting.tally.load(), meeting.size());
  }
}

// --- All processes at once: this program starts itself, several times

std::string own_name() { return "counter-" + std::to_string(std::random_device{}()); }

// Each is a process of its own, not a fork: it finds the others by name, as if started by hand.
std::FILE* start_one(const Options& options, const std::string& name) {
  ::setenv("COUNTER", std::filesystem::read_symlink("/proc/self/exe").c_str(), 1);
  const std::string command = "exec \"$COUNTER\" --quiet --name " + name + " --wait-for " +
                              std::to_string(options.processes) + " --times " +
                              std::to_string(options.times) + flag(options.way);
  std::FILE* const process = ::popen(command.c_str(), "r");
  if (!process) throw std::runtime_error("cannot start a process");
  return process;
}

bool run_all(const Options& options, const std::string& name) {
  std::vector<std::FILE*> processes(static_cast<std::size_t>(options.processes));
  for (std::FILE*& process : processes) process = start_one(options, name);
  bool all_well = true;
  for (std::FILE* const process : processes) all_well = ::pclose(process) == 0 && all_well;
  if (interrupted) throw Interrupted{};
  return all_well;
}

int start_all(Options options) {
  constexpr int kRetries = 3;
  for (int retries = 0;; ++retries) {
    print_task(options, options.processes);
    const std::string name = own_name();
    const Meeting meeting(name, options.processes);
    const bool all_well = run_all(options, name);
    const std::int64_t got = meeting.counter.load();
    const Tally tally = meeting.tally.load();
    const bool nothing_to_see = options.way == Way::racing && all_well && got == tally.expected &&
                                options.processes > 1 && retries < kRetries;
    if (!nothing_to_see) {
      const int code = print_result(options, got, tally, options.processes);
      if (retries > 0) std::cout << "Retries: " << retries << ".\n";
      return all_well ? code : 1;
    }
    options.times = options.times < 25'000 ? 100'000 : options.times * 4;
    std::cout << "Nothing was lost: the processes hardly met. Again, with more work ("
              << retries + 1 << " of " << kRetries << ").\n";
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = parse(argc, argv);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    std::signal(signal, [](int) { interrupted = 1; });
  return options.name.empty() ? start_all(options) : take_part(options);
} catch (const Interrupted&) {
  std::cerr << "\ncounter: stopped\n";
  return 130;
} catch (const shoal::InvalidName& error) {
  std::cerr << "counter: --name: " << error.what() << '\n';
  return 2;
} catch (const std::exception& error) {
  std::cerr << "counter: " << error.what() << '\n';
  return 1;
}
