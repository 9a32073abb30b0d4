// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "format.hpp"
#include "os/file.hpp"
#include "shoal/detail/barrier_word.hpp"
#include "shoal/detail/bounded_word.hpp"
#include "shoal/detail/join_word.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/detail/pipe_word.hpp"
#include "shoal/detail/queue_word.hpp"
#include "tables.hpp"

namespace shoal::detail {

// What the library must know of each kind of object beside its own file: what to call it, what in
// it names a process, and how to take a dead one's name out.

std::string_view kind_name(Kind kind);

// The least that an object of the kind takes, in a segment of so many processes.
std::size_t least_bytes(Kind kind, std::uint32_t max_processes);

// The object of that index, erased or not; nothing where there is none, or its record has been written
// over: whoever opens it is told.
struct ObjectInTable {
  Kind kind;
  void* memory;
};
std::optional<ObjectInTable> object_in(const Tables& tables, std::uint32_t index);

// How much of the object that process holds: locks, each as often as it is locked; permits. As its words
// say, which may have been written over.
std::uint64_t count_held(Kind kind, void* memory, OwnerValue owner);

// Takes the dead one's name out of an object. Idempotent. `self` and `file` are the asker's, as in
// is_alive(): among those who share what the dead one had open it must not miss itself.
void sweep_object(const Tables& tables, const os::File& file, OwnerValue self, Kind kind,
                  void* memory, OwnerValue dead);

// The child that is about to be forked shares what its parent has of an object, from now on.
// Requires the directory lock.
void share_with_child(const Tables& tables, const os::File& file, Kind kind, void* memory,
                      OwnerValue parent, OwnerValue child);

// Gives up that process's share of an end of a pipe.
void leave_end(const Tables& tables, const os::File& file, void* pipe, int end, OwnerValue who);

// Passes on what a dead process's thread was given; this process's may be among the next.
// Idempotent.
void sweep_thread(const Tables& tables, const os::File& file, OwnerValue self,
                  format::ThreadRecord& thread);

// What stands behind the word of such an object: one for each process record.
inline std::span<HeldPermits> held_permits(BoundedWord& word, std::uint32_t max_processes) {
  return {reinterpret_cast<HeldPermits*>(&word + 1), max_processes};
}
inline std::span<BarrierMark> barrier_marks(BarrierWord& word, std::uint32_t max_processes) {
  return {reinterpret_cast<BarrierMark*>(&word + 1), max_processes};
}
// Of a joinable queue.
inline JoinWord& join_word(QueueWord& word) { return *reinterpret_cast<JoinWord*>(&word + 1); }
inline std::span<Account> accounts(QueueWord& word, std::uint32_t max_processes) {
  return {reinterpret_cast<Account*>(&join_word(word) + 1), max_processes};
}
// Of a pipe: those of the first end, then those of the second.
inline std::span<PipeHolder> pipe_holders(PipeWord& word, std::uint32_t max_processes) {
  return {reinterpret_cast<PipeHolder*>(&word + 1), std::size_t{2} * max_processes};
}

}  // namespace shoal::detail
