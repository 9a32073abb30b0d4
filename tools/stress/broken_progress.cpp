// SPDX-License-Identifier: MIT

// Locks that are wrong, each in one way: somebody never gets in. Where they are right, their atomics
// have the order that they need; what is wrong says so.

#include <array>
#include <optional>
#include <string>

#include "broken.hpp"
#include "catalogue.hpp"
#include "os/futex.hpp"
#include "shoal/lock.hpp"
#include "shoal/segment.hpp"

namespace shoal::stress {
namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

// --- A queue of waiters: participants are named by their index plus 1

struct McsState {
  struct alignas(64) Node {
    Word next;
    Word waits;
  };
  Line tail;
  std::array<Node, kMostProcesses> nodes;
};

class Mcs : public WordLock<McsState> {
  bool lock(Participant& me) override {
    McsState::Node& mine = state().nodes[me.index()];
    mine.next.store(0, memory_order_relaxed);
    mine.waits.store(1, memory_order_relaxed);
    const std::uint32_t before =
        state().tail.word.exchange(me.index() + 1, std::memory_order_acq_rel);
    if (before == 0) return false;
    me.pause();
    state().nodes[before - 1].next.store(me.index() + 1, memory_order_release);
    spin_while([&] { return mine.waits.load(memory_order_acquire) != 0; });
    return false;
  }
  void unlock(Participant& me) override {
    const std::uint32_t next = state().nodes[me.index()].next.load(memory_order_acquire);
    if (next != 0) return state().nodes[next - 1].waits.store(0, memory_order_release);
    std::uint32_t mine = me.index() + 1;
    state().tail.word.compare_exchange_strong(mine, 0, std::memory_order_acq_rel);
    // Wrong: if that failed, somebody has queued behind, and is about to say so in `next`.
  }
};

// --- Futexes

class TwoState : public WordLock<Line> {
  bool lock(Participant&) override {
    has_waited_ = false;
    while (state().word.exchange(1, memory_order_acquire) != 0) {
      has_waited_ = true;
      os::futex_wait(state().word, 1, kAnHour);
    }
    return false;
  }
  void unlock(Participant&) override {
    state().word.store(0, memory_order_release);
    // Wrong: who has not waited knows nothing of who does.
    if (has_waited_) os::futex_wake(state().word, 1);
  }

  bool has_waited_ = false;  // of this process
};

// Right, as long as nobody dies: 0 free, 1 held, 2 held and somebody may sleep.
class PlainMutex : public WordLock<Line> {
  bool lock(Participant&) override {
    Word& word = state().word;
    std::uint32_t seen = 0;
    if (word.compare_exchange_strong(seen, 1, memory_order_acquire)) return false;
    while (word.exchange(2, memory_order_acquire) != 0) os::futex_wait(word, 2, kAnHour);
    return false;
  }
  void unlock(Participant&) override {
    if (state().word.exchange(0, memory_order_release) == 2) os::futex_wake(state().word, 1);
  }
};

// --- Two good locks

class OppositeOrder : public LockSubject {
  [[nodiscard]] std::size_t lock_size() const override { return 0; }
  void set_up_lock(void*, const Plan&) override {
    const Segment segment = Segment::anonymous();
    locks_[0].emplace(segment, "first");
    locks_[1].emplace(segment, "second");
  }
  bool lock(Participant& me) override {
    locks_[me.index() % 2]->lock();
    me.pause();
    locks_[1 - me.index() % 2]->lock();  // wrong: in one order everywhere
    return false;
  }
  void unlock(Participant&) override {
    for (const std::optional<Lock>& lock : locks_) lock->unlock();
  }
  [[nodiscard]] std::string diagnose(const Control& control) override {
    const auto holder = [&](const Lock& lock) {
      const std::optional<Owner> owner = lock.owner();
      return owner ? " is held by " + control.name_of(owner->pid) : std::string(" is free");
    };
    return "the first lock" + holder(*locks_[0]) + ", the second" + holder(*locks_[1]);
  }

  std::array<std::optional<Lock>, 2> locks_;
};

// --- The list

void add_forgetful(std::vector<Entry>& entries) {
  entries.push_back(
      {.name = "mcs",
       .about = "MCS queue lock that forgets to hand over",
       .make = make<Mcs>,
       .usual = interrupted(3, kSpinningPatience),
       .least_processes = 2,
       .why = "Where the compare-exchange of the tail fails, a successor is in the queue and has "
              "not yet linked itself: unlock has to wait for the link and hand over, and here it "
              "just leaves. The successor waits for good, and so does everybody behind it.",
       .source = "J. Mellor-Crummey, M. Scott, Algorithms for Scalable Synchronization on "
                 "Shared-Memory Multiprocessors, 1991"});
  entries.push_back(
      {.name = "two-state",
       .about = "futex mutex of two states that forgets its waiters",
       .make = make<TwoState>,
       .usual = interrupted(3),
       .least_processes = 2,
       .why =
           "Free and held are too few states to say that somebody sleeps; here unlock wakes only "
           "where the holder itself had to wait, and who began to sleep meanwhile is forgotten. "
           "A third state is needed, held with waiters, that the one who goes to sleep sets, "
           "and whoever was woken sets again.",
       .source = "U. Drepper, Futexes Are Tricky, 2004, has the right one"});
}

void add_mortal(std::vector<Entry>& entries) {
  Plan with_kills = interrupted(3);
  with_kills.kills = 100;
  with_kills.inject = Inject::sleep;
  entries.push_back(
      {.name = "owner-dies",
       .about = "plain futex mutex whose owner is killed",
       .make = make<PlainMutex>,
       .usual = with_kills,
       .least_processes = 2,
       .why = "The word says that it is held, and nothing says by whom: when the holder is killed "
              "there is nobody to unlock it, and all others sleep for good. A lock between "
              "processes needs its owner in the word, and somebody to ask whether he lives; "
              "shoal::Lock and PTHREAD_MUTEX_ROBUST have both.",
       .source = "the mutex itself is of U. Drepper, Futexes Are Tricky, 2004"});
  entries.push_back(
      {.name = "opposite-order",
       .about = "two good locks, taken in opposite order",
       .make = make<OppositeOrder>,
       .usual = interrupted(2),
       .least_processes = 2,
       .survives_kills = false,
       .why = "Each holds the lock that the other needs, and waits for the one that the other "
              "holds: a deadlock, though both locks are good. All must take them in one order, or "
              "both at once with std::scoped_lock(first, second).",
       .source = "E. G. Coffman, M. J. Elphick, A. Shoshani, System Deadlocks, 1971"});
}

}  // namespace

void add_broken_progress(std::vector<Entry>& entries) {
  add_forgetful(entries);
  add_mortal(entries);
}

}  // namespace shoal::stress
