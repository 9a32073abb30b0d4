// SPDX-License-Identifier: MIT
#include "sweep.hpp"

#include "core/lock.hpp"
#include "format.hpp"
#include "machine.hpp"
#include "shoal/detail/lock_word.hpp"
#include "shoal/detail/value_word.hpp"

namespace shoal::detail {
namespace {

// What each kind of object is to a sweep: the locks in it.
template <class Visit>
void each_lock(Kind kind, void* memory, Visit visit) {
  switch (kind) {
    case Kind::lock:
      return visit(*static_cast<LockWord*>(memory));
    case Kind::value: {
      auto& value = *static_cast<ValueWord*>(memory);
      visit(value.lock);
      return visit(value.writer);
    }
    case Kind::none:
      return;
  }
}

constexpr std::size_t least_bytes(Kind kind) {
  return kind == Kind::value ? sizeof(ValueWord) : kind == Kind::lock ? sizeof(LockWord) : 0;
}

void sweep_object(const Tables& tables, const os::File& file, std::uint32_t index,
                  OwnerValue dead) {
  const format::ObjectRecord& record = tables.object(index);
  const auto state = static_cast<format::State>(record.state.load(std::memory_order_acquire));
  if (state != format::State::live && state != format::State::erased) return;
  if (record.bytes < least_bytes(record.kind) || !tables.in_heap(record.offset, record.bytes) ||
      record.offset % alignof(LockWord) != 0)
    return;  // scribbled over: whoever opens it is told
  Machine machine(tables, file, kNobody);
  each_lock(record.kind, tables.heap() + record.offset,
            [&](LockWord& word) { core::sweep(machine, word, dead); });
}

}  // namespace

void sweep(const Tables& tables, const os::File& file, OwnerValue dead) {
  const std::uint32_t process = record_of(dead);
  for (std::uint32_t i = 0; i < tables.objects(); ++i) {
    if (!tables.is_open_by(i, process)) continue;
    sweep_object(tables, file, i, dead);
    tables.clear_open(i, process);
  }
  for (std::uint32_t i = 0; i < tables.threads(); ++i) {
    OwnerValue owner = dead;
    tables.thread(i).owner.compare_exchange_strong(owner, kNobody, std::memory_order_acq_rel,
                                                   std::memory_order_relaxed);
  }
}

bool holds(Kind kind, void* memory, OwnerValue owner) {
  bool found = false;
  each_lock(kind, memory, [&](LockWord& word) {
    const OwnerValue seen = word.owner.load(std::memory_order_relaxed);
    found = found || (owner_of(seen) == owner && !is_abandoned(seen));
  });
  return found;
}

}  // namespace shoal::detail
