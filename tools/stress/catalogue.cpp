// SPDX-License-Identifier: MIT
#include "catalogue.hpp"

namespace shoal::stress {

const std::vector<Entry>& catalogue() {
  static const std::vector<Entry> entries = [] {
    std::vector<Entry> all;
    add_locks(all);
    add_semaphores(all);
    add_events(all);
    add_conditions(all);
    add_barriers(all);
    add_queues(all);
    add_pipes(all);
    add_broken_exclusion(all);
    add_broken_progress(all);
    add_broken_types(all);
    add_broken_lockfree(all);
    return all;
  }();
  return entries;
}

const Entry* find(std::string_view name) {
  for (const Entry& entry : catalogue())
    if (entry.name == name) return &entry;
  return nullptr;
}

}  // namespace shoal::stress
