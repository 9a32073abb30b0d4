// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace shoal::stress {

// Tells a participant that hangs from one that the machine has no time for.
//
// Every some milliseconds the engine looks at all of them. The time since the look before counts as
// far as all of them had it: of one that slept in the kernel at both looks, all of it; else its CPU
// time; of one that is stopped, nothing. The least of these is what this look adds to the stall of
// each that has not got on. For whoever waits may wait for anybody else, and that one must have had
// the time to do its part.
class Watch {
 public:
  explicit Watch(unsigned participants) : seen_(participants) {}

  struct Look {
    pid_t pid;
    std::uint64_t operations;
    bool present;  // false: it has left, or is not there at the moment; it counts for nothing
  };
  void look(const std::vector<Look>& looks, std::int64_t now);

  // Of the participant that has not got on for longest: how long, in nanoseconds that count.
  [[nodiscard]] std::int64_t longest_stall() const;
  // "P2 has not got on for 310 ms (asleep), while others did 12,345 steps"
  [[nodiscard]] std::string describe(std::int64_t patience) const;

 private:
  struct Seen {
    pid_t pid = 0;
    char state = 0;             // as in /proc/PID/stat
    std::int64_t cpu_time = 0;  // nanoseconds
    std::uint64_t operations = 0;
    std::int64_t stalled = 0;       // nanoseconds that count
    std::uint64_t others_then = 0;  // steps of all, when it last got on
    bool present = false;
  };
  static std::int64_t had(Seen& seen, const Look& look, std::int64_t elapsed);

  std::vector<Seen> seen_;
  std::uint64_t total_ = 0;
  std::int64_t looked_ = 0;
};

}  // namespace shoal::stress
