// SPDX-License-Identifier: MIT
#include "thread_record.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "mapping.hpp"
#include "os/process.hpp"

namespace shoal::detail {
namespace {

using format::ThreadRecord;

bool claim(ThreadRecord& record, OwnerValue self) {
  OwnerValue nobody = kNobody;
  if (!record.owner.compare_exchange_strong(nobody, self, std::memory_order_acq_rel,
                                            std::memory_order_relaxed))
    return false;
  record.waits_for.store(0, std::memory_order_relaxed);
  clear_intent(record.intent);
  record.tid.store(os::thread_id(), std::memory_order_relaxed);
  return true;
}

// Backs one more record. False where there is no more. Many may do so at once: all back the same
// page, one moves the mark.
bool grow(const Tables& tables, const os::File& file) {
  std::uint32_t index = tables.threads();
  if (index >= tables.header().max_threads) return false;
  if (file.allocate(tables.thread_at(index), sizeof(ThreadRecord))) return false;
  tables.marks().threads.compare_exchange_strong(index, index + 1, std::memory_order_acq_rel,
                                                 std::memory_order_relaxed);
  return true;
}

ThreadRecord* take(const Mapping& mapping) {
  const Tables& tables = mapping.tables();
  std::uint32_t looked_at = 0;
  do {
    for (; looked_at < tables.threads(); ++looked_at)
      if (claim(tables.thread(looked_at), mapping.self())) return &tables.thread(looked_at);
  } while (grow(tables, mapping.file()));
  return nullptr;
}

// The same; where there is none, one that the dead have left.
ThreadRecord* take_in_any_case(Mapping& mapping) {
  ThreadRecord* const record = take(mapping);
  return record != nullptr || !mapping.bury_the_dead() ? record : take(mapping);
}

// A thread's records, one a segment. Those of a process that has forked are its parent's.
class Records {
 public:
  ~Records();
  ThreadRecord* get(Mapping& mapping) {
    ThreadRecord* const record = find(mapping);
    return record ? record : add(mapping);
  }

 private:
  ThreadRecord* find(const Mapping& mapping) {
    if (last_ < entries_.size() && entries_[last_].is_of(mapping)) return entries_[last_].record;
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return entry.is_of(mapping); });
    last_ = static_cast<std::size_t>(found - entries_.begin());
    return found == entries_.end() ? nullptr : found->record;
  }
  ThreadRecord* add(Mapping& mapping) {
    std::erase_if(entries_, [](const Entry& entry) { return entry.mapping.expired(); });
    ThreadRecord* const record = take_in_any_case(mapping);
    if (record) entries_.push_back({mapping.weak_from_this(), &mapping, mapping.self(), record});
    return record;
  }

  struct Entry {
    std::weak_ptr<Mapping> mapping;
    const Mapping* address;
    OwnerValue self;
    ThreadRecord* record;
    bool is_of(const Mapping& other) const {
      return address == &other && self == other.self() && !mapping.expired();
    }
  };
  std::vector<Entry> entries_;
  std::size_t last_ = 0;
};

thread_local bool ended = false;  // trivial, so it may be read after the thread's destructors ran

Records::~Records() {
  ended = true;
  thread_places = {};
  for (const Entry& entry : entries_) {
    const auto mapping = entry.mapping.lock();
    OwnerValue owner = entry.self;
    if (mapping && mapping->self() == entry.self)
      entry.record->owner.compare_exchange_strong(owner, kNobody, std::memory_order_acq_rel,
                                                  std::memory_order_relaxed);
  }
}

// The destructors of statics, and of what the thread had before its records, run after theirs, and
// may have calls to make: for these there are others, which end when all of a thread's objects have;
// or with the process.
thread_local Records* late = nullptr;
void end_late_records(void* records) {
  late = nullptr;
  delete static_cast<Records*>(records);
}
[[gnu::noinline]] Records& late_records() {
  static const os::ThreadWord word(end_late_records);
  if (late == nullptr) word.set(late = new Records);
  return *late;
}

Records& this_threads_records() {
  if (ended) return late_records();
  thread_local Records records;
  return records;
}

}  // namespace

ThreadRecord* thread_record(Mapping& mapping) { return this_threads_records().get(mapping); }

}  // namespace shoal::detail
