// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "harness.hpp"
#include "machine.hpp"

namespace bench {

// What is measured, and where.
struct Setting {
  Machine machine;
  std::string library;              // how it is linked
  bool is_shared = false;           // as a shared library
  std::vector<std::string> absent;  // contenders that are not installed
  int rounds = 0;
};

// What all rounds of a case gave; samples[contender][round].
struct Result {
  const Case& of;
  std::vector<std::vector<Sample>> samples;
  std::vector<double> left_out;  // rounds in which the cores were apart: how far
  double others = 0;             // cores that were busy with something else
};

void print_setting(const Setting& setting);
// A row a contender: the median, and in brackets the least and the most of all rounds.
void print_table(const Result& result);
// A line of JSON a contender, with every round in it. What reads them is in page/.
void write_json(std::FILE* file, const Setting& setting, const Result& result);

// Whether a contender was wrong in any round.
bool is_broken(const Result& result);

}  // namespace bench
