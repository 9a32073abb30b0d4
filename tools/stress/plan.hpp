// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shoal::stress {

// What participants do at the points that a subject marks by Participant::pause(), now and then.
enum class Inject {
  none,
  yield,  // give the CPU to whoever else wants it
  delay,  // spin for some microseconds
  sleep,  // sleep for some tens of microseconds
};

inline constexpr unsigned kMostProcesses = 64;

// How a subject is put under stress: all that is needed to do it again.
struct Plan {
  unsigned processes = 4;
  double seconds = 5;
  std::uint64_t seed = 0;
  double kills = 0;   // a second: one at random is killed and replaced
  double pauses = 0;  // a second: one at random is stopped (SIGSTOP) for up to 20 ms
  Inject inject = Inject::none;
  std::vector<unsigned> cpus = {};  // participant i runs on cpus[i % size] only; none: anywhere
  // Seconds without progress, of one who got all the CPU time that it wanted, before that is a
  // failure.
  double patience = 2;
};

}  // namespace shoal::stress
