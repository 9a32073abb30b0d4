// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

namespace bench {

// What the figures were measured on.
struct Machine {
  std::string processor;
  std::string kernel;
  std::string compiler;
  unsigned cores = 0;
};
Machine this_machine();

// How busy others have kept the machine's cores, since this was made: 0 on a quiet machine, 1 for
// one core all the time.
class Others {
 public:
  Others();
  double cores() const;

 private:
  std::chrono::steady_clock::time_point begin_;
  double used_;
};

}  // namespace bench
