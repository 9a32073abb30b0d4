// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "plan.hpp"
#include "subject.hpp"

namespace shoal::stress {

// What can be put under stress by name.
struct Entry {
  const char* name;   // as typed: "lock", "test-then-set"
  const char* about;  // a line for --list
  std::unique_ptr<Subject> (*make)();
  Plan usual = {};  // where the user does not say otherwise; the seed is not taken from here
  unsigned least_processes = 1;
  unsigned most_processes = kMostProcesses;
  bool survives_kills = true;  // else --kill is refused by name, and left out of `all`

  // Of the broken ones only: why it is wrong, in two sentences; and where it is from, or "".
  const char* why = nullptr;
  const char* source = "";
  bool needs_two_cpus = false;  // on one CPU there is nothing to be seen

  [[nodiscard]] bool is_broken() const { return why != nullptr; }
};

// All there are: the good ones first, in the order in which `all` runs them.
const std::vector<Entry>& catalogue();
const Entry* find(std::string_view name);  // nullptr: no such name

// Each in the file of its name.
void add_locks(std::vector<Entry>& entries);
void add_semaphores(std::vector<Entry>& entries);
void add_events(std::vector<Entry>& entries);
void add_conditions(std::vector<Entry>& entries);
void add_barriers(std::vector<Entry>& entries);
void add_queues(std::vector<Entry>& entries);
void add_pipes(std::vector<Entry>& entries);
void add_broken_exclusion(std::vector<Entry>& entries);
void add_broken_progress(std::vector<Entry>& entries);
void add_broken_types(std::vector<Entry>& entries);
void add_broken_lockfree(std::vector<Entry>& entries);

}  // namespace shoal::stress
