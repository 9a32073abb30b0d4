// SPDX-License-Identifier: MIT
#pragma once

// What was asked for.

#include <cstdint>
#include <string>

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

const char* flag(Way way);  // as on the command line, after a space; of racing, nothing

// Of the command line. Prints the help, or what is wrong with it, and ends the process where there
// is no more to do.
Options parse(int argc, char** argv);
