// SPDX-License-Identifier: MIT
#pragma once

// How those who wait for a lock take turns on a CPU that they share.
//
// A waiter that is taken off its CPU, or woken and not put on one, is off for as long as the
// scheduler likes whoever has that CPU: two or three time slices, of 4 ms each, in which that one may
// take the same lock a hundred thousand times. But it has to wait now and then itself. So a waiter
// leaves a note on its CPU, which says when it will have waited too long; and who comes to wait for
// the same object on the same CPU, and finds such a note, knows that its writer lacks that CPU: it
// naps for a turn. Its own note is overdue as the nap ends, so that the other one naps in its turn:
// with one asleep whenever the other runs, the scheduler has nobody to take off.
//
//   note           meaning                                   who may change it
//   0              nobody's                                  who waits on that CPU, to its own
//   time | object  its writer, if it still waits then, for   its writer, to 0, as its wait ends and
//                  that object, lacks this CPU               before it leaves another; who has made
//                                                            way for it, to 0
//
// A note is a courtesy: nothing depends on it but who has a CPU. So there is no order between
// accesses, and no read-modify-write: where two write at once, or all places are taken, one of them
// goes without a note.
//
// Killed: a writer leaves its note behind, and who has made way for it takes it away; a napper
// leaves that of the one for which it napped, and the next makes way for it once more. A note may be
// nonsense, since anybody can write there: it costs one caller one nap.

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/world.hpp"

namespace shoal::core {

template <class Atomics>
struct alignas(64) BasicCpuNotes {
  static constexpr int kNotes = 8;
  typename Atomics::template Atomic<std::int64_t> notes[kNotes];
};

// What one waiter does with its CPU's notes. Its own is gone when it is.
template <class World>
class CpuNote {
 public:
  // Long to the two switches that it costs, short to a time slice.
  static constexpr std::int64_t kTurn = 1 * kMillisecond;

  explicit CpuNote(World& world) : world_(world) {}
  ~CpuNote() { take_back(); }
  CpuNote(const CpuNote&) = delete;
  CpuNote& operator=(const CpuNote&) = delete;

  // As the wait begins. Returns by the deadline.
  void arrive(Deadline deadline) {
    const std::int64_t now = world_.now();
    Notes& notes = world_.cpu_notes();
    Note* const overdue = find_overdue(notes, now);
    leave(notes, now + kTurn);
    if (overdue) make_way(*overdue, std::min(kTurn, deadline - now));
  }

  // Before it sleeps for so long: until then it may be asleep, and lack nothing.
  void sleeps(std::int64_t nanoseconds) {
    take_back();
    leave(world_.cpu_notes(), world_.now() + nanoseconds);
  }

 private:
  using Notes = BasicCpuNotes<typename World::Atomics>;
  using Note = typename World::template Atomic<std::int64_t>;

  // A note's low bits are its object's; in its time they are one microsecond.
  static constexpr std::int64_t kObjectBits = 1023;
  std::int64_t object() const { return world_.object() & kObjectBits; }

  Note* find_overdue(Notes& notes, std::int64_t now) const {
    for (Note& note : notes.notes) {
      const std::int64_t seen = note.load(std::memory_order_relaxed);
      if (seen != 0 && seen < now && (seen & kObjectBits) == object()) return &note;
    }
    return nullptr;
  }

  void leave(Notes& notes, std::int64_t time) {
    mine_ = (time & ~kObjectBits) | object();
    for (Note& note : notes.notes) {
      if (note.load(std::memory_order_relaxed) != 0) continue;
      note.store(mine_, std::memory_order_relaxed);
      place_ = &note;
      return;
    }
  }

  void take_back() {
    if (place_) erase(*place_, mine_);
    place_ = nullptr;
  }

  void make_way(Note& overdue, std::int64_t nanoseconds) {
    const std::int64_t seen = overdue.load(std::memory_order_relaxed);
    world_.nap(nanoseconds);
    erase(overdue, seen);
  }

  static void erase(Note& note, std::int64_t value) {
    if (note.load(std::memory_order_relaxed) == value) note.store(0, std::memory_order_relaxed);
  }

  World& world_;
  Note* place_ = nullptr;  // of its own note
  std::int64_t mine_ = 0;
};

}  // namespace shoal::core
