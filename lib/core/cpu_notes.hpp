// SPDX-License-Identifier: MIT
#pragma once

// How those who wait for a lock take turns on a CPU that they share, and share out the CPUs.
//
// A waiter that is taken off its CPU, or woken and not put on one, is off for as long as the
// scheduler likes whoever has that CPU: two or three time slices, of 4 ms each, in which that one may
// take the same lock a hundred thousand times. But it has to wait now and then itself. So a waiter
// leaves a note on its CPU, which says when it will have waited too long; and who comes to wait for
// the same lock on the same CPU, and finds such a note, knows that its writer lacks that CPU: it naps
// for a turn. Its own note is overdue as the nap ends, so that the other one naps in its turn: with
// one asleep whenever the other runs, the scheduler has nobody to take off.
//
// Nor anybody to move: a CPU with one waiter looks to it as busy as one with three that take turns.
// So every other turn somebody compares its CPU's notes with those of the others. Where one of them
// has two waiters more, it naps, too: the scheduler gives a CPU that is idle to whoever wakes first.
//
//   note         meaning                                     who may change it
//   0            nobody's                                    who waits on that CPU, to its own
//   time | lock  its writer, if it still waits then, for     its writer, to 0, as its wait ends and
//                that lock, lacks this CPU                   before it leaves another; who has made
//                                                            way for it, to 0; who waits on that CPU,
//                                                            where no writer is that late, or that
//                                                            early, to its own
//
// A note is a courtesy: nothing depends on it but who has a CPU. So there is no order between
// accesses, and no read-modify-write: where two write at once, or all places are taken, one of them
// goes without a note.
//
// Killed: a writer leaves its note behind. Within a second somebody naps for it, and who comes while
// that one does; and for 20 turns one waiter more seems to be there. A napper leaves the note of the one
// for which it napped, and the next makes way for that once more. A note may be nonsense, since anybody
// can write there: it costs no more than that.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/world.hpp"

namespace shoal::core {

template <class Atomics>
struct alignas(64) BasicCpuNotes {
  static constexpr int kNotes = 7;
  using Time = typename Atomics::template Atomic<std::int64_t>;
  Time notes[kNotes];
  Time compared;  // when somebody here, whatever it waited for, compared them with other CPUs'
};

// A note's low bits, which in its time are less than a microsecond, tell one lock from most others: by
// its object, and its place in a page, for an object has several.
inline constexpr std::int64_t kLockBits = 1023;
inline std::int64_t cpu_note(std::int64_t time, std::uint32_t object, const void* lock) {
  constexpr std::uint64_t kPlaces = 4096 / 64;
  const auto place = reinterpret_cast<std::uintptr_t>(lock) / 64 % kPlaces;
  return (time & ~kLockBits) | (static_cast<std::int64_t>(object * kPlaces + place) & kLockBits);
}

// What one waiter does with its CPU's notes. Its own is gone when it is.
template <class World>
class CpuNote {
 public:
  // Long to the two switches that it costs, short to a time slice.
  static constexpr std::int64_t kTurn = 1 * kMillisecond;

  // `lock`: where it is, in memory that is mapped by pages.
  CpuNote(World& world, const void* lock) : world_(world), lock_(lock) {}
  ~CpuNote() { take_back(); }
  CpuNote(const CpuNote&) = delete;
  CpuNote& operator=(const CpuNote&) = delete;

  // As the wait begins. Whether to make way, for which the deadline leaves time: to who lacks this
  // CPU, or for whom there is none elsewhere.
  [[nodiscard]] bool arrive(Deadline deadline) {
    Notes* const here = notes_here();
    if (!here) return false;
    const std::int64_t now = world_.now();
    const bool makes_way = now + 2 * kTurn <= deadline &&
                           (find_overdue(*here, now) || is_crowded_elsewhere(*here, now));
    leave(*here, now, kTurn);
    return makes_way;
  }

  // After that.
  void make_way() {
    world_.nap(kTurn);
    if (overdue_) erase(*overdue_, seen_);
  }

  // Before it sleeps for so long: until then it may be asleep, and lack nothing.
  void sleeps(std::int64_t nanoseconds) {
    take_back();
    if (Notes* const here = notes_here()) leave(*here, world_.now(), nanoseconds);
  }

 private:
  using Notes = BasicCpuNotes<typename World::Atomics>;
  using Note = typename Notes::Time;

  static constexpr std::int64_t kLatest = 1000 * kMillisecond;
  static constexpr std::int64_t kEarliest = 200 * kMillisecond;  // twice the longest sleep
  static bool is_somebodys(std::int64_t seen, std::int64_t now) {
    return seen > now - kLatest && seen < now + kEarliest;
  }

  // Of somebody who waits for the same lock, and lacks a CPU since, or from, some time between.
  bool is_due(std::int64_t seen, std::int64_t after, std::int64_t before) const {
    return seen > after && seen < before &&
           (seen & kLockBits) == cpu_note(0, world_.object(), lock_);
  }

  Notes* notes_here() {
    const int cpu = world_.cpu();
    const std::span<Notes> all = world_.cpu_notes();
    return cpu < 0 ? nullptr : &all[static_cast<unsigned>(cpu) % all.size()];
  }

  bool find_overdue(Notes& here, std::int64_t now) {
    for (Note& note : here.notes) {
      seen_ = note.load(std::memory_order_relaxed);
      if (!is_due(seen_, now - kLatest, now)) continue;
      overdue_ = &note;
      return true;
    }
    return false;
  }

  bool is_crowded_elsewhere(Notes& here, std::int64_t now) {
    const std::int64_t compared = here.compared.load(std::memory_order_relaxed);
    if (compared > now - 2 * kTurn && compared <= now) return false;
    here.compared.store(now, std::memory_order_relaxed);
    const auto enough = waiters(here, now) + 2;
    for (const Notes& there : world_.cpu_notes()) {
      // The places that are taken first: as a rule, with none there, nobody waits.
      if (there.notes[0].load(std::memory_order_relaxed) == 0 &&
          there.notes[1].load(std::memory_order_relaxed) == 0)
        continue;
      if (waiters(there, now) >= enough) return true;
    }
    return false;
  }

  // Those who nap, too: their notes are due as they wake. Not who sleeps for longer: it needs no CPU.
  // Nor who has been late for long: it may be dead, and does not get in the way of many naps.
  std::ptrdiff_t waiters(const Notes& there, std::int64_t now) const {
    return std::ranges::count_if(there.notes, [&](const Note& note) {
      return is_due(note.load(std::memory_order_relaxed), now - 20 * kTurn, now + kTurn);
    });
  }

  void leave(Notes& here, std::int64_t now, std::int64_t nanoseconds) {
    mine_ = cpu_note(now + nanoseconds, world_.object(), lock_);
    for (Note& note : here.notes) {
      if (is_somebodys(note.load(std::memory_order_relaxed), now)) continue;
      note.store(mine_, std::memory_order_relaxed);
      place_ = &note;
      return;
    }
  }

  void take_back() {
    if (place_) erase(*place_, mine_);
    place_ = nullptr;
  }

  static void erase(Note& note, std::int64_t value) {
    if (note.load(std::memory_order_relaxed) == value) note.store(0, std::memory_order_relaxed);
  }

  World& world_;
  const void* const lock_;
  Note* place_ = nullptr;  // of its own note
  std::int64_t mine_ = 0;
  Note* overdue_ = nullptr;
  std::int64_t seen_ = 0;
};

}  // namespace shoal::core
