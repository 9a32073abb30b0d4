// SPDX-License-Identifier: MIT
#include "kinds.hpp"

#include <algorithm>

#include "core/barrier.hpp"
#include "core/condition.hpp"
#include "core/lock.hpp"
#include "core/pipe_ends.hpp"
#include "machine.hpp"
#include "shoal/detail/array_word.hpp"
#include "shoal/detail/condition_word.hpp"
#include "shoal/detail/event_word.hpp"
#include "shoal/detail/lock_word.hpp"
#include "shoal/detail/semaphore_word.hpp"
#include "shoal/detail/value_word.hpp"

namespace shoal::detail {
namespace {

// The locks in an object.
template <class Visit>
void each_lock(Kind kind, void* memory, Visit visit) {
  switch (kind) {
    case Kind::lock:
    case Kind::rlock:
      return visit(*static_cast<LockWord*>(memory));
    case Kind::value:
      visit(static_cast<ValueWord*>(memory)->lock);
      return visit(static_cast<ValueWord*>(memory)->writer);
    case Kind::array:
      visit(static_cast<ArrayWord*>(memory)->lock);
      return visit(static_cast<ArrayWord*>(memory)->writer);
    case Kind::bounded_semaphore:
      return visit(static_cast<BoundedWord*>(memory)->lock);
    case Kind::joinable_queue:
      return visit(join_word(*static_cast<QueueWord*>(memory)).lock);
    case Kind::pipe:
      for (PipeLane& lane : static_cast<PipeWord*>(memory)->lanes) {
        visit(lane.send_lock);
        visit(lane.recv_lock);
      }
      return;
    case Kind::semaphore:
    case Kind::event:
    case Kind::condition:
    case Kind::barrier:
    case Kind::queue:
    case Kind::none:
      return;
  }
}

std::uint32_t times_locked(Kind kind, const LockWord& word) {
  return kind == Kind::rlock ? std::max(word.depth.load(std::memory_order_relaxed), 1U) : 1;
}

std::uint32_t permits_of(BoundedWord& word, OwnerValue owner) {
  const HeldPermits& held = held_permits(word, record_of(owner) + 1).back();
  return held.owner.load(std::memory_order_relaxed) == owner
             ? static_cast<std::uint32_t>(std::max(held.permits.load(std::memory_order_relaxed), 0))
             : 0;
}

std::uint32_t popped_by(QueueWord& word, OwnerValue owner) {
  const Account& account = accounts(word, record_of(owner) + 1).back();
  return account.owner.load(std::memory_order_relaxed) == owner
             ? counts_in(account.counts.load(std::memory_order_relaxed)).held
             : 0;
}

core::PipeEnds<Machine> pipe_ends(const Tables& tables, Machine& machine, void* memory) {
  auto& word = *static_cast<PipeWord*>(memory);
  return {machine, word, pipe_holders(word, tables.header().max_processes)};
}

}  // namespace

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::value:
      return "value";
    case Kind::lock:
      return "lock";
    case Kind::rlock:
      return "rlock";
    case Kind::semaphore:
      return "semaphore";
    case Kind::bounded_semaphore:
      return "bounded_semaphore";
    case Kind::event:
      return "event";
    case Kind::condition:
      return "condition";
    case Kind::barrier:
      return "barrier";
    case Kind::array:
      return "array";
    case Kind::queue:
      return "queue";
    case Kind::joinable_queue:
      return "joinable_queue";
    case Kind::pipe:
      return "pipe";
    case Kind::none:
      break;
  }
  return "unknown";
}

std::size_t least_bytes(Kind kind, std::uint32_t max_processes) {
  switch (kind) {
    case Kind::value:
      return sizeof(ValueWord);
    case Kind::array:
      return sizeof(ArrayWord);
    case Kind::lock:
    case Kind::rlock:
      return sizeof(LockWord);
    case Kind::semaphore:
      return sizeof(SemaphoreWord);
    case Kind::bounded_semaphore:
      return sizeof(BoundedWord) + max_processes * sizeof(HeldPermits);
    case Kind::event:
      return sizeof(EventWord);
    case Kind::condition:
      return sizeof(ConditionWord);
    case Kind::barrier:
      return sizeof(BarrierWord) + max_processes * sizeof(BarrierMark);
    case Kind::queue:
      return sizeof(QueueWord);
    case Kind::joinable_queue:
      return sizeof(QueueWord) + sizeof(JoinWord) + max_processes * sizeof(Account);
    case Kind::pipe:
      return sizeof(PipeWord) + std::size_t{2} * max_processes * sizeof(PipeHolder) + kLeastRing;
    case Kind::none:
      break;
  }
  return 0;
}

std::optional<ObjectInTable> object_in(const Tables& tables, std::uint32_t index) {
  if (index >= tables.objects()) return std::nullopt;
  const auto state =
      static_cast<format::State>(tables.object(index).state.load(std::memory_order_acquire));
  if (state != format::State::live && state != format::State::erased) return std::nullopt;
  const auto extent = tables.extent(index);
  if (!extent || extent->bytes < least_bytes(extent->kind, tables.header().max_processes))
    return std::nullopt;
  return ObjectInTable{extent->kind, tables.heap() + extent->offset};
}

std::uint64_t count_held(Kind kind, void* memory, OwnerValue owner) {
  std::uint64_t count = 0;
  each_lock(kind, memory, [&](LockWord& word) {
    const OwnerValue seen = word.owner.load(std::memory_order_relaxed);
    if (owner_of(seen) == owner && !is_abandoned(seen)) count += times_locked(kind, word);
  });
  if (kind == Kind::bounded_semaphore)
    count += permits_of(*static_cast<BoundedWord*>(memory), owner);
  if (kind == Kind::joinable_queue) count += popped_by(*static_cast<QueueWord*>(memory), owner);
  return count;
}

// The permits of a bounded semaphore, and what is taken from a queue, need no sweep: they carry their
// holder's generation, and are taken back when they are missed.
void sweep_object(const Tables& tables, const os::File& file, OwnerValue self, Kind kind,
                  void* memory, OwnerValue dead) {
  Machine machine(tables, file, self);
  each_lock(kind, memory, [&](LockWord& word) { core::sweep(machine, word, dead); });
  if (kind == Kind::barrier) {
    auto& word = *static_cast<BarrierWord*>(memory);
    core::Barrier<Machine>(machine, word, barrier_marks(word, tables.header().max_processes))
        .sweep(dead);
  }
  if (kind == Kind::pipe) {
    auto ends = pipe_ends(tables, machine, memory);
    for (const int end : {0, 1}) ends.leave(end, dead);
  }
}

void share_with_child(const Tables& tables, const os::File& file, Kind kind, void* memory,
                      OwnerValue parent, OwnerValue child) {
  if (kind != Kind::pipe) return;
  Machine machine(tables, file, parent);
  pipe_ends(tables, machine, memory).share(parent, child);
}

void leave_end(const Tables& tables, const os::File& file, void* pipe, int end, OwnerValue who) {
  Machine machine(tables, file, who);
  pipe_ends(tables, machine, pipe).leave(end, who);
}

void sweep_thread(const Tables& tables, const os::File& file, OwnerValue self,
                  format::ThreadRecord& thread) {
  const std::uint32_t index = thread.condition.load(std::memory_order_relaxed) - 1;
  const auto object = object_in(tables, index);
  if (!object || object->kind != Kind::condition) return;
  Machine machine(tables, file, self);
  auto& word = *static_cast<ConditionWord*>(object->memory);
  core::Condition<Machine>(machine, word, index, tables.waiters()).sweep(thread);
}

}  // namespace shoal::detail
