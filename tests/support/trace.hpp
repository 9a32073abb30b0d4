// SPDX-License-Identifier: MIT
#pragma once

// A Trace is what one walk through an operation saw: from it step-kill chooses where to kill, and
// how to get there quickly.
//
// Stop 0 is before the operation's first instruction, stop k after its kth. The rounds of a
// repeated string instruction are stops too, at the same address.

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace shoal_test {

enum class Points {
  // Each stop; of a repeated string instruction, before and after.
  every_instruction,
  // Stops where the state has changed or a system call has been made, and their neighbours; of a
  // repeated string instruction, rounds 1, 2, 4, 8 and so on.
  at_changes,
};

struct Stop {
  std::uintptr_t where;  // the next instruction
  std::uint64_t state;
  bool at_system_call;
};

// How to get to a stop: be at `address` for the nth time, then go on by so many instructions.
struct Route {
  std::uintptr_t address;
  int times;  // 0: from the start
  std::size_t steps;
};

class Trace {
 public:
  enum class End { completed, asleep, cut };  // reached its end; sleeps for good; was too long

  void add(const Stop& stop);
  void finish(End end) { end_ = end; }

  End end() const { return end_; }
  std::uintptr_t start() const { return stops_.front().stop.where; }
  std::size_t last() const { return stops_.size() - (end_ == End::asleep ? 0 : 1); }
  std::size_t changes() const;  // how many stops' state differs from the one before
  std::vector<std::size_t> points(Points which) const;  // where to kill: first and last stop, too
  Route route(std::size_t stop) const;

 private:
  struct Visit {
    Stop stop;
    int times;          // how often execution has come to this address, this time included
    std::size_t round;  // of a repeated string instruction, else 0
  };

  bool changed(std::size_t stop) const;
  bool notable(std::size_t stop) const;

  std::vector<Visit> stops_;
  std::unordered_map<std::uintptr_t, int> times_;
  End end_ = End::cut;
};

}  // namespace shoal_test
