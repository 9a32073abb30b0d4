// SPDX-License-Identifier: MIT
//
// Several processes count together, in one number that they share. Run it without --lock, and some
// of what they counted is lost; run it with --lock, and nothing is.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shoal/shoal.hpp"

using Clock = std::chrono::steady_clock;
using Counter = shoal::Value<std::int64_t>;

// --- The three ways to add 1 ---------------------------------------------------------------------

// The bug. Two processes load the same number, and both store that number plus one: it has grown by
// one and not by two.
void count_racing(const Counter& counter, std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) {
    counter.store(counter.load() + 1);
  }
}

// Another process that is killed while it holds the lock does not hang us: lock() throws OwnerDied.
// It has stored its 1 or it has not, so the counter is sound: recover the lock, and go on.
std::unique_lock<const shoal::Lock> hold(const shoal::Lock& lock) {
  try {
    return std::unique_lock<const shoal::Lock>(lock);
  } catch (const shoal::OwnerDied&) {
    return lock.recover();
  }
}

void count_locked(const Counter& counter, const shoal::Lock& lock, std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) {
    const auto held = hold(lock);
    counter.store(counter.load() + 1);
  }
}

void count_atomically(const Counter& counter, std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) {
    counter.fetch_add(1);
  }
}

// --- What was asked for --------------------------------------------------------------------------

enum class Way { racing, locked, atomic };

struct Options {
  std::string program;  // as it was started
  int processes = 4;
  std::int64_t times = 1'000'000;
  Way way = Way::racing;
  std::string name;    // not empty: this process counts itself, with others of that name
  int wait_for = 2;    // how many they are
  bool quiet = false;  // started by another counter, which prints the result
};

struct Interrupted {};
volatile std::sig_atomic_t interrupted = 0;

void nap() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (interrupted) throw Interrupted{};
}

// --- Where the processes meet --------------------------------------------------------------------

struct Tally {
  std::int64_t expected = 0;  // what all who began are going to count
  std::int32_t began = 0;
  std::int32_t finished = 0;
};

// Processes that know nothing of each other but the segment's name. Each has a seat, which is a
// Lock: a process that is killed leaves its seat to the next one.
class Meeting {
 public:
  Meeting(std::string name, int seats)
      : name_(std::move(name)), segment_(name_), size_(segment_, "size", seats) {
    for (int i = 0; i < size_.load(); ++i)
      seats_.emplace_back(segment_, "seat." + std::to_string(i), shoal::OnOwnerDeath::inherit);
  }
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;
  ~Meeting() {
    try {
      stand_up();
    } catch (const std::exception& error) {
      std::cerr << "counter: " << error.what() << '\n';
    }
  }

  int size() const { return size_.load(); }
  bool has_started() const { return started_.load(); }

  // False: everybody has left just now, and the segment's name is gone. Open it again.
  bool sit_down() {
    const std::scoped_lock held(door_);
    if (over_.load()) return false;
    int others = 0;
    for (const shoal::Lock& seat : seats_) {
      if (!seat.try_lock())
        ++others;
      else if (!mine_)
        mine_ = &seat;
      else
        seat.unlock();
    }
    if (others == 0) forget_the_dead();
    if (!mine_ || started_.load())
      throw std::runtime_error(
          "the processes of that name have started already: wait until they "
          "have finished, or use another --name");
    if (others + 1 == size()) started_.store(true);
    return true;
  }

  // Leaves. Whoever comes last takes the segment's name away. True: nobody is left.
  bool stand_up() {
    const std::scoped_lock held(door_);
    if (mine_) std::exchange(mine_, nullptr)->unlock();
    for (const shoal::Lock& seat : seats_) {
      if (!seat.try_lock()) return false;
      seat.unlock();
    }
    if (!over_.load()) shoal::Segment::remove(name_);
    over_.store(true);
    return true;
  }

 private:
  void forget_the_dead() {
    counter.store(0);
    tally.store({});
    started_.store(false);
  }

  const std::string name_;
  const shoal::Segment segment_;
  const shoal::Value<int> size_;
  const shoal::Value<bool> started_{segment_, "started"};
  const shoal::Value<bool> over_{segment_, "over"};
  const shoal::Lock door_{segment_, "door", shoal::OnOwnerDeath::inherit};
  std::vector<shoal::Lock> seats_;
  const shoal::Lock* mine_ = nullptr;

 public:
  const Counter counter{segment_, "counter"};
  const shoal::Lock lock{segment_, "counter.lock"};
  const shoal::Value<Tally> tally{segment_, "tally"};
};

// --- What is printed -----------------------------------------------------------------------------

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (number < 0); at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

const char* colour(const char* code) {
  static const bool terminal =
      !std::getenv("NO_COLOR") && std::filesystem::is_character_file("/dev/stdout");
  return terminal ? code : "";
}

const char* flag(Way way) {
  return way == Way::locked ? " --lock" : way == Way::atomic ? " --atomic" : "";
}

const char* spelled(Way way) {
  return way == Way::racing   ? "with load and store, without a lock"
         : way == Way::locked ? "with load and store, under a lock"
                              : "with fetch_add";
}

void print_task(const Options& options, int processes) {
  std::cout << processes << (processes == 1 ? " process adds" : " processes, each adds")
            << " 1 to the same number " << grouped(options.times) << " times, "
            << spelled(options.way) << ".\n"
            << std::flush;
}

// Returns the exit code.
int print_result(const Options& options, std::int64_t got, const Tally& tally, int processes) {
  const std::int64_t lost = tally.expected - got;
  const double share =
      tally.expected == 0 ? 0
                          : 100.0 * static_cast<double>(lost) / static_cast<double>(tally.expected);
  const char* const tint = colour(lost == 0 ? "\033[32m" : "\033[31m");
  std::printf("\n  expected  %15s\n  got       %15s\n  %slost      %15s   %.1f %%%s\n\n",
              grouped(tally.expected).c_str(), grouped(got).c_str(), tint, grouped(lost).c_str(),
              share, colour("\033[0m"));
  std::fflush(stdout);
  if (tally.finished != processes) {
    std::cout << "Only " << tally.finished << " of " << processes
              << " processes finished. What the "
              << "others had yet to count is\nmissing, not lost; nobody waited for them.\n";
    return 1;
  }
  if (options.way == Way::racing) {
    std::cout << (lost > 0 ? "Lost: between the load and the store of one process, others stored.\n"
                             "See that --lock loses nothing.\n"
                           : "Nothing was lost, by luck: no two processes met.\n");
    return 0;
  }
  if (lost == 0) {
    std::cout << (options.way == Way::locked
                      ? "Nothing was lost: load and store belong to one process at a time.\n"
                      : "Nothing was lost: load and store are one step.\n");
    return 0;
  }
  std::cout << "Lost all the same: somebody counted in another way. A lock protects only if all "
               "take it.\n";
  return 1;
}

// --- One process: the others are started by somebody else, with the same --name ------------------

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

// --- All processes at once: this program starts itself, several times ----------------------------

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

// --- The command line ----------------------------------------------------------------------------

constexpr const char* kAbout =
    "Several processes add 1 to the same number in shared memory, again and again.\n"
    "Without a lock, some of what they add is lost.";

constexpr const char* kExamples =
    "Try:\n"
    "  counter                       4 processes, and what they lose\n"
    "  counter --lock                the same under a lock: nothing is lost\n"
    "  counter --atomic              the same, each addition in one step\n"
    "  counter --name lunch          in two terminals: they find each other by that name\n"
    "\n"
    "With --name, kill one with kill -9 while it waits or counts: the other one goes on.\n"
    "\n"
    "Exit codes: 0 all is well, also when the race loses; 1 updates were lost although there was\n"
    "a lock, or a process failed; 2 the command line was not understood; 130 Ctrl-C.";

CLI::Validator between(std::int64_t least, std::int64_t most) {
  return CLI::Range(least, most).description("");
}

// The exit code, or -1: go on.
int parse(int argc, char** argv, Options& options) {
  CLI::App app(kAbout, "counter");
  app.footer(kExamples);
  app.get_formatter()->column_width(34);
  app.get_formatter()->label("Excludes", "not with");
  app.get_formatter()->label("Needs", "only with");
  bool locked = false;
  bool atomic = false;
  auto* const processes = app.add_option("--processes", options.processes, "how many to start");
  auto* const times = app.add_option("--times", options.times, "how often each of them adds 1");
  auto* const lock = app.add_flag("--lock", locked, "hold a shoal::Lock for load and store");
  app.add_flag("--atomic", atomic, "fetch_add instead of load and store")->excludes(lock);
  auto* const name = app.add_option("--name", options.name,
                                    "start none: count together with those "
                                    "who use the same name");
  auto* const wait_for = app.add_option("--wait-for", options.wait_for,
                                        "with --name: begin when so many are there; the first "
                                        "one's number counts");
  processes->check(between(1, 64))->type_name("N")->capture_default_str()->excludes(name);
  times->check(between(0, 1'000'000'000))->type_name("N")->capture_default_str();
  name->type_name("NAME");
  wait_for->check(between(1, 64))->type_name("N")->capture_default_str()->needs(name);
  app.add_flag("--quiet", options.quiet)->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.program = argv[0];
  options.way = locked ? Way::locked : atomic ? Way::atomic : Way::racing;
  return -1;
}

int main(int argc, char** argv) try {
  Options options;
  if (const int code = parse(argc, argv, options); code >= 0) return code;
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
