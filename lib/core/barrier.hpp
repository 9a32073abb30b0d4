// SPDX-License-Identifier: MIT
#pragma once

// A barrier; its words are in shoal/detail/barrier_word.hpp.
//
// A round does not complete over a dead process: who waits looks for one when its slice ends, and the
// last one to arrive before it lets the others go; but not where the whole round is younger than a
// death takes to be seen by anyone: it could as well have come just after the round.
//
// A mark is its process's, and all threads of that arrive by it. A thread may be held up between its
// look at the state and its mark, for rounds; stored over the mark of another one that is inside, what
// it has seen would hide that one's death. So a mark goes forward only: a thread reads it before the
// look, and changes it by a CAS from what it read. Whoever made it what it is had seen that round
// before; so a thread that has read it sees that round too, or a later one.
//
// What each step leaves behind when its process is killed right after it:
//
//   mark = this round     a dead process inside: the barrier breaks
//   CAS arrived + 1       the same
//   CAS acting            the same: nobody else completes the round
//   CAS to the next round completed; who sleeps finds out when its slice ends
//   bury    broken        a dead process inside, of a round that is broken
//           mark = 0      nothing
//
// Memory-order pairs.
//   B1 -> B2  each arrival is a CAS (acq_rel) on state, so the last one to arrive sees what all did
//             before; its CAS to the next round (release) passes that on to who sees the round
//             gone (acquire).
//   D1 -> D2  a process writes whose its mark is, then the round (release); who doubts it reads the
//             round (acquire), then whose it is.
//   D1 -> D3  a thread has seen a round (B2), then marks it (release); another one of its process
//             reads the mark (acquire), then looks at the state: it sees no earlier round.
//   M1 -> M2  that CAS, then a load of sleepers: see lib/core/wait.hpp.

#include <atomic>
#include <cstdint>
#include <span>

#include "core/wait.hpp"
#include "core/world.hpp"
#include "shoal/detail/barrier_word.hpp"

namespace shoal::core {

template <class World>
using BarrierWordOf = detail::BasicBarrierWord<typename World::Atomics>;
template <class World>
using BarrierMarksOf = std::span<detail::BasicBarrierMark<typename World::Atomics>>;

// The state word, taken apart.
class BarrierState {
 public:
  explicit BarrierState(std::uint64_t word) : word_(word) {}
  std::uint64_t word() const { return word_; }

  bool broken() const { return (word_ & kBroken) != 0; }
  bool acting() const { return (word_ & kActing) != 0; }
  int arrived() const { return static_cast<int>(word_ >> kArrivedAt & kArrivedMask); }
  std::uint32_t round() const { return static_cast<std::uint32_t>(word_ >> kRoundAt); }

  BarrierState with_arrival() const { return BarrierState(word_ + (1U << kArrivedAt)); }
  BarrierState with_acting() const { return BarrierState(word_ | kActing); }
  BarrierState with_broken() const { return BarrierState(word_ | kBroken); }
  // The next round, empty and whole.
  BarrierState next(bool completed) const {
    const std::uint64_t past = word_ >> kPastAt & kPastMask;
    return BarrierState(std::uint64_t{round() + 1} << kRoundAt |
                        (past << 1 & kPastMask) << kPastAt |
                        static_cast<std::uint64_t>(completed) << kPastAt);
  }
  // How an earlier round ended. Of one that is too long ago to tell: well, as most do.
  bool has_completed(std::uint32_t round_then) const {
    const std::uint32_t ago = round() - round_then;
    return ago > kPastRounds || (word_ >> (kPastAt + ago - 1) & 1) != 0;
  }

 private:
  static constexpr std::uint64_t kBroken = 1;
  static constexpr std::uint64_t kActing = 2;
  static constexpr int kArrivedAt = 2;
  static constexpr std::uint64_t kArrivedMask = detail::kMostParties;
  static constexpr int kPastAt = 16;
  static constexpr std::uint32_t kPastRounds = 16;
  static constexpr std::uint64_t kPastMask = (1U << kPastRounds) - 1;
  static constexpr int kRoundAt = 32;

  std::uint64_t word_;
};

template <class World>
class Barrier {
 public:
  Barrier(World& world, BarrierWordOf<World>& word, BarrierMarksOf<World> marks)
      : world_(world), word_(word), marks_(marks) {}

  // What became of a call.
  struct Arrival {
    enum Kind { waits, last, broken } kind;
    int index;  // 0 to parties - 1, each once a round
    std::uint32_t round;
  };

  // Arrives in the current round. `last`, where there is an action to run: now it is acting, and
  // complete() or break_round() must follow; where there is none, the round has completed.
  Arrival arrive(OwnerValue me, bool has_action, Deadline deadline) {
    for (;;) {
      // First, while the word is on its way; the clock would wait for all loads before it.
      const std::uint64_t now = world_.ticks();
      const std::uint64_t marked = mark_of(me).round.load(std::memory_order_acquire);  // D3
      const BarrierState seen = load();
      if (seen.broken()) return {Arrival::broken, 0, seen.round()};
      if (seen.arrived() >= parties()) {  // full, and its last one still acts: wait for the next
        if (!await_end(seen.round(), deadline)) break_round(seen.round());
        continue;
      }
      if (!mark(me, marked, seen)) continue;
      const int index = seen.arrived();
      if (index > 0 && index + 1 == parties() && !is_young(now) && somebody_died_inside(seen)) {
        break_round(seen.round());  // nobody else may have noticed: all others may be dead
      } else if (index + 1 < parties()) {
        if (arrive_to_wait(seen, now)) return {Arrival::waits, index, seen.round()};
      } else if (has_action) {
        if (replace(seen, seen.with_arrival().with_acting()))
          return {Arrival::last, index, seen.round()};
      } else if (replace(seen, seen.next(true))) {
        wake_all();
        return {Arrival::last, index, seen.round()};
      }
    }
  }

  // Waits for the end of a round; whether it completed. It breaks where a process has died inside,
  // and at the deadline.
  bool wait(std::uint32_t round, Deadline deadline) {
    if (!await_end(round, deadline)) break_round(round);
    const BarrierState seen = load();
    return seen.round() != round && seen.has_completed(round);
  }

  // After the action. False: the round was broken or reset meanwhile.
  bool complete(std::uint32_t round) {
    for (;;) {
      const BarrierState seen = load();
      if (seen.round() != round || seen.broken()) return false;
      if (!replace(seen, seen.next(true))) continue;
      wake_all();
      return true;
    }
  }

  // Breaks the round, unless it has ended.
  void break_round(std::uint32_t round) {
    for (;;) {
      const BarrierState seen = load();
      if (seen.round() != round || seen.broken()) return;
      if (replace(seen, seen.with_broken())) return wake_all();
    }
  }
  void abort() { break_round(load().round()); }

  // Who waits gets a broken barrier, who comes next a new round.
  void reset() {
    for (;;) {
      const BarrierState seen = load();
      if (!seen.broken() && seen.arrived() == 0) return;
      if (replace(seen, seen.next(false))) return wake_all();
    }
  }

  // What burial does: where the dead one is inside, the round breaks.
  void sweep(OwnerValue dead) {
    const BarrierState seen = load();
    auto& mark = mark_of(dead);
    const bool inside = is_inside(mark, seen);
    if (mark.owner.load(std::memory_order_relaxed) != dead) return;
    if (inside) break_round(seen.round());
    // Last, for who buries might be killed, too: whoever sees it (D2) finds the round broken.
    mark.round.store(0, std::memory_order_release);
  }

  // How many wait; -1: it is broken. A death inside that nobody has come across yet breaks it.
  int count_waiting() {
    BarrierState seen = load();
    if (!seen.broken() && seen.arrived() > 0 && somebody_died_inside(seen)) {
      break_round(seen.round());
      seen = load();
    }
    return seen.broken() ? -1 : seen.arrived();
  }

  BarrierState load() const {
    return BarrierState(word_.state.load(std::memory_order_acquire));
  }  // B2
  int parties() const {
    return static_cast<int>(word_.parties.load(std::memory_order_relaxed));  // never changes
  }

 private:
  bool replace(BarrierState seen, BarrierState desired) {
    std::uint64_t expected = seen.word();
    return word_.state.compare_exchange_strong(expected, desired.word(),
                                               std::memory_order_seq_cst,  // B1, M1
                                               std::memory_order_relaxed);
  }

  // The first of a round notes when it began. It does so after it has arrived, and with a time from
  // before: whoever reads an earlier round's, or one that was stored late, finds this one too old.
  bool arrive_to_wait(BarrierState seen, std::uint64_t now) {
    if (!replace(seen, seen.with_arrival())) return false;
    if (seen.arrived() == 0) word_.began.store(now, std::memory_order_relaxed);
    return true;
  }
  // `now` is from before the look at the word: the round may have begun after it.
  bool is_young(std::uint64_t now) {
    const std::uint64_t age = now - word_.began.load(std::memory_order_relaxed);
    return age + World::kDeathUnseen < 2 * World::kDeathUnseen;
  }

  auto& mark_of(OwnerValue process) { return marks_[detail::record_of(process)]; }
  static std::uint64_t mark_in(BarrierState seen) { return std::uint64_t{seen.round()} + 1; }

  // Marks that this process is in the round seen; `marked` was read before the look. False: another
  // thread of it has changed the mark since. D1: whoever sees the round sees whose the mark is. The
  // CAS that arrives releases both.
  bool mark(OwnerValue me, std::uint64_t marked, BarrierState seen) {
    auto& mark = mark_of(me);
    mark.owner.store(me, std::memory_order_relaxed);
    const std::uint64_t here = mark_in(seen);
    return marked == here ||
           mark.round.compare_exchange_strong(marked, here, std::memory_order_release,  // D1
                                              std::memory_order_relaxed);
  }

  template <class Mark>
  static bool is_inside(const Mark& mark, BarrierState seen) {
    return mark.round.load(std::memory_order_acquire) == mark_in(seen);  // D2
  }

  void wake_all() {
    if ((word_.sleepers.load(std::memory_order_seq_cst) & detail::kSomebodySleeps) != 0)  // M1
      core::wake(world_, word_.sleepers, kEverybody);
  }

  // True: the round has ended, or is broken. False at the deadline.
  bool await_end(std::uint32_t round, Deadline deadline) {
    return core::wait(world_, word_.sleepers, deadline, [&](Glance glance) {
      const BarrierState seen = load();
      if (seen.round() != round || seen.broken()) return Look::done;
      if (glance == Glance::quick || !somebody_died_inside(seen)) return Look::wait;
      break_round(round);
      return Look::done;
    });
  }

  bool somebody_died_inside(BarrierState seen) {
    for (auto& mark : marks_) {
      if (!is_inside(mark, seen)) continue;
      const OwnerValue owner = mark.owner.load(std::memory_order_relaxed);
      if (!world_.alive(owner)) return true;
    }
    return false;
  }

  World& world_;
  BarrierWordOf<World>& word_;
  BarrierMarksOf<World> marks_;
};

}  // namespace shoal::core
