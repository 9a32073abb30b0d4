// SPDX-License-Identifier: MIT
#include "registry.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "mapping.hpp"
#include "os/cpu.hpp"
#include "os/process.hpp"
#include "shoal/detail/object.hpp"

namespace shoal::detail {

constinit thread_local std::uint32_t this_tid = 0;
constinit thread_local ThreadPlaces thread_places;

namespace {

struct Registry {
  struct Entry {
    std::uint64_t device;
    std::uint64_t inode;
    Mapping* mapping;
  };
  std::mutex mutex;
  std::vector<Entry> entries;
  std::optional<bool> membarrier_reaches_us;  // written once in a process, under the mutex
};
constinit os::Lasting<Registry> registry;

// Takes the kernel milliseconds where there are several threads. Requires the mutex: a fork waits.
void register_for_membarrier() {
  if (!registry->membarrier_reaches_us)
    registry->membarrier_reaches_us = os::register_for_membarrier();
}

// A fork() without a gap: the child's place in each segment is taken before it exists, through a
// file that it inherits. So at no instant is there a child that looks dead, or is not counted among
// those who have an object open, even if its parent ends at once.
void before_fork() {
  registry->mutex.lock();
  for (const Registry::Entry& entry : registry->entries) entry.mapping->before_fork();
}

void after_fork_in_parent() {
  for (const Registry::Entry& entry : registry->entries) entry.mapping->after_fork_in_parent();
  registry->mutex.unlock();
}

void after_fork_in_child() {
  this_tid = os::thread_id();
  if (registry->membarrier_reaches_us)
    registry->membarrier_reaches_us = os::register_for_membarrier();
  for (const Registry::Entry& entry : registry->entries) entry.mapping->after_fork_in_child();
  registry->mutex.unlock();
}

[[gnu::init_priority(101)]] const os::AtFork at_fork(before_fork, after_fork_in_parent,
                                                     after_fork_in_child);

}  // namespace

std::mutex& registry_mutex() { return registry->mutex; }
bool membarrier_reaches_us() { return registry->membarrier_reaches_us.value_or(false); }

void remove_from_registry(const Mapping& mapping) {
  std::erase_if(registry->entries,
                [&](const Registry::Entry& entry) { return entry.mapping == &mapping; });
}

std::shared_ptr<Mapping> map_segment(const std::string& name, SegmentFile segment) {
  if (this_tid == 0) this_tid = os::thread_id();
  std::shared_ptr<Mapping> found;  // let go of after the mutex: it may be the last
  const std::scoped_lock held(registry_mutex());
  register_for_membarrier();
  for (const Registry::Entry& entry : registry->entries) {
    if (entry.device != segment.status.device || entry.inode != segment.status.inode) continue;
    found = entry.mapping->weak_from_this().lock();
    if (found) return found;
  }
  const os::FileStatus status = segment.status;
  map_segment_file(name, segment);
  auto mapping = std::make_shared<Mapping>(name, std::move(segment));
  registry->entries.push_back({status.device, status.inode, mapping.get()});
  return mapping;
}

}  // namespace shoal::detail
