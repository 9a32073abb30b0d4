// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "harness.hpp"
#include "machine.hpp"

namespace bench {

// What all rounds of a case gave; samples[contender][round].
struct Result {
  const Case& of;
  std::vector<std::vector<Sample>> samples;
  double others = 0;  // cores that were busy with something else
};

void print_machine(const Machine& machine, const std::string& library, int rounds);
// A row a contender: the median, and in brackets the least and the most of all rounds.
void print_table(const Result& result);
// A line of JSON a contender, with every round in it.
void write_json(std::FILE* file, const Machine& machine, const std::string& library,
                const Result& result);

// Whether a contender was wrong in any round.
bool is_broken(const Result& result);

}  // namespace bench
