// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace shoal::tool {

// What a script learns from the exit code; in --help and in shoal.1.
enum Exit : int {
  kWell = 0,
  kFailed = 1,    // not there, not permitted, not possible; what was under stress failed
  kUsage = 2,     // the command line was not understood
  kProblem = 3,   // something is wrong with a segment: damage, a deadlock, an abandoned lock
  kInUse = 4,     // not removed: somebody alive has it open
  kSignal = 128,  // and its number: ended by Ctrl-C, for one
};

// What all commands may be asked for.
struct Request {
  bool json = false;
  std::vector<std::string> segments;  // none: all there are
};

struct ShowRequest {
  bool json = false;
  std::string segment;
  std::string object;           // empty: all
  std::size_t most_items = 16;  // of an array
};
struct RemoveRequest : Request {
  bool force = false;
};
struct CollectRequest : Request {
  bool dry_run = false;
  bool unused = false;
};
struct DoctorRequest : Request {
  bool repair = false;
};
struct TopRequest : Request {
  double interval = 1;      // seconds
  std::uint64_t count = 0;  // 0: for ever
};
// What is not said is as the subject usually has it.
struct StressRequest {
  bool json = false;
  bool list = false;
  std::vector<std::string> subjects;  // names, "all", "broken"
  std::string plugin;                 // a file; empty: none
  std::string report;                 // a file to write; empty: none
  std::string inject;
  std::string cpus;  // "0-1,3"
  std::optional<unsigned> processes;
  std::optional<double> seconds;
  std::optional<double> kills;   // a second
  std::optional<double> pauses;  // a second
  std::optional<double> patience;
  std::optional<std::uint64_t> seed;
};

// Each returns its exit code.
int list(const Request& request);
int show(const ShowRequest& request);
int top(const TopRequest& request);
int remove(const RemoveRequest& request);
int collect(const CollectRequest& request);
int examine(const DoctorRequest& request);
int stress(const StressRequest& request);

}  // namespace shoal::tool
