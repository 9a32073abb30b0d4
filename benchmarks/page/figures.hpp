// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

namespace bench {

// What shoal_bench --json has written: see report.hpp.

struct Figures {
  // So many times the median of another one at most; where none is named, so many nanoseconds, or so
  // many times the fewest turns.
  struct Target {
    std::string against;
    double most;
    bool is_fairness;
  };
  struct Row {
    std::string contender;
    bool is_limit = false;
    std::vector<Target> targets;
    std::string broken;
    std::vector<double> ns, fairness, p99, p999, line_ns;  // a value a round
  };
  struct Table {
    std::string name;
    std::string what;
    std::string baseline;
    std::string library;
    double others_cores = 0;
    std::vector<double> left_out;  // rounds in which the cores were apart: how far
    std::vector<Row> rows;

    // Null where there is none of that name, or it was wrong.
    const Row* find(const std::string& contender) const;
  };

  std::string processor;
  std::string kernel;
  std::string compiler;
  unsigned cores = 0;
  std::vector<std::string> absent;
  std::size_t rounds = 0;  // if a case has no number of its own
  std::vector<Table> tables;
};

// Appends what is there. Throws where a line is not one of them.
void read(std::istream& from, Figures& into);

}  // namespace bench
