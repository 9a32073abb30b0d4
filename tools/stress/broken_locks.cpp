// SPDX-License-Identifier: MIT

// Locks that are wrong, each in one way, as they are found in the wild. Where they are right, their
// atomics have the order that they need; what is wrong says so.

#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <optional>

#include "catalogue.hpp"
#include "lock_subject.hpp"
#include "os/cpu.hpp"
#include "os/futex.hpp"
#include "shoal/lock.hpp"
#include "shoal/segment.hpp"

namespace shoal::stress {
namespace {

using Word = std::atomic<std::uint32_t>;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

constexpr std::int64_t kAnHour = 3'600'000'000'000;

// Waits for something that is going to happen at once, or as soon as somebody has a CPU.
template <class Condition>
void spin_while(Condition&& condition) {
  for (unsigned i = 1; condition(); ++i) i % 256 == 0 ? os::yield() : os::pause();
}

// Its words on cache lines of their own, as one would have them.
template <class State>
class WordLock : public LockSubject {
  [[nodiscard]] std::size_t lock_size() const override { return sizeof(State); }
  void set_up_lock(void* memory, const Plan&) override { state_ = ::new (memory) State(); }

 protected:
  [[nodiscard]] State& state() const { return *state_; }

 private:
  State* state_ = nullptr;
};

struct alignas(64) Line {
  Word word;
};

// --- Test, then set

class TestThenSet : public WordLock<Line> {
  bool lock(Participant& me) override {
    spin_while([&] { return state().word.load(memory_order_acquire) != 0; });
    me.pause();
    state().word.store(1, memory_order_relaxed);  // wrong: others may have seen 0 as well
    return false;
  }
  void unlock(Participant&) override { state().word.store(0, memory_order_release); }
};

// --- Two that announce themselves, and then look for the other

struct TwoFlags {
  std::array<Line, 2> wants;
  Line turn;
};

class Peterson : public WordLock<TwoFlags> {
  bool lock(Participant& me) override {
    const unsigned mine = me.index();
    const unsigned other = 1 - mine;
    state().wants[mine].word.store(1, memory_order_relaxed);
    state().turn.word.store(other, memory_order_release);
    // Wrong: without a fence here, the loads below are done before the stores above are seen.
    spin_while([&] {
      return state().wants[other].word.load(memory_order_acquire) != 0 &&
             state().turn.word.load(memory_order_acquire) == other;
    });
    return false;
  }
  void unlock(Participant& me) override {
    state().wants[me.index()].word.store(0, memory_order_release);
  }
};

class Dekker : public WordLock<TwoFlags> {
  bool lock(Participant& me) override {
    const unsigned mine = me.index();
    Word& wants = state().wants[mine].word;
    const Word& other_wants = state().wants[1 - mine].word;
    const auto is_my_turn = [&] { return state().turn.word.load(memory_order_acquire) == mine; };
    wants.store(1, memory_order_relaxed);
    // Wrong: without a fence here, the load below is done before the store above is seen.
    while (other_wants.load(memory_order_acquire) != 0) {
      if (is_my_turn()) {
        spin_while([&] { return other_wants.load(memory_order_acquire) != 0; });
        return false;
      }
      wants.store(0, memory_order_relaxed);
      spin_while([&] { return !is_my_turn(); });
      wants.store(1, memory_order_relaxed);
    }
    return false;
  }
  void unlock(Participant& me) override {
    state().turn.word.store(1 - me.index(), memory_order_release);
    state().wants[me.index()].word.store(0, memory_order_release);
  }
};

// --- The bakery

struct Counter {
  Line choosing;
  Line number;
};

class Bakery : public WordLock<std::array<Counter, kMostProcesses>> {
  bool lock(Participant& me) override {
    Counter& mine = state()[me.index()];
    mine.choosing.word.store(1, memory_order_relaxed);
    // Wrong: without a fence here, and another one below, the loads go first.
    std::uint32_t number = 1;
    for (unsigned i = 0; i < me.count(); ++i)
      number = std::max(number, state()[i].number.word.load(memory_order_acquire) + 1);
    mine.number.word.store(number, memory_order_relaxed);
    mine.choosing.word.store(0, memory_order_release);
    for (unsigned i = 0; i < me.count(); ++i) wait_for(me, i, number);
    return false;
  }
  void wait_for(const Participant& me, unsigned other, std::uint32_t number) const {
    const Counter& counter = state()[other];
    spin_while([&] { return counter.choosing.word.load(memory_order_acquire) != 0; });
    spin_while([&] {
      const std::uint32_t theirs = counter.number.word.load(memory_order_acquire);
      return theirs != 0 && (theirs < number || (theirs == number && other < me.index()));
    });
  }
  void unlock(Participant& me) override {
    state()[me.index()].number.word.store(0, memory_order_release);
  }
};

// --- Tickets

struct Tickets {
  Line next;
  Line served;
};

class Ticket : public WordLock<Tickets> {
  bool lock(Participant& me) override {
    const std::uint32_t mine = state().next.word.load(memory_order_relaxed);
    me.pause();
    state().next.word.store(mine + 1, memory_order_relaxed);  // wrong: fetch_add, or two have it
    spin_while([&] { return state().served.word.load(memory_order_acquire) != mine; });
    return false;
  }
  void unlock(Participant&) override {
    Word& served = state().served.word;
    served.store(served.load(memory_order_relaxed) + 1, memory_order_release);
  }
};

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

  std::array<std::optional<Lock>, 2> locks_;
};

// --- The list

constexpr double kSeconds = 2;
constexpr double kPatience = 0.25;

// Interrupted where it matters: one CPU is enough.
Plan interrupted(unsigned processes) {
  return {
      .processes = processes, .seconds = kSeconds, .inject = Inject::yield, .patience = kPatience};
}
// At full speed, so that they meet.
Plan undisturbed(unsigned processes) {
  return {.processes = processes, .seconds = kSeconds, .patience = kPatience};
}

template <class L>
std::unique_ptr<Subject> make() {
  return std::make_unique<L>();
}

void add_racy(std::vector<Entry>& entries) {
  entries.push_back({.name = "test-then-set",
                     .about = "looks whether it is free, then takes it",
                     .make = make<TestThenSet>,
                     .usual = interrupted(2),
                     .why = "Between the look and the store another process may look as well: both "
                            "see a free lock, and both take it. To look and to take must be one "
                            "step, an exchange or a compare-exchange."});
  entries.push_back(
      {.name = "ticket",
       .about = "ticket lock whose tickets are drawn by a load and a store",
       .make = make<Ticket>,
       .usual = interrupted(2),
       .why = "Two processes that load the counter before either has stored draw the same ticket, "
              "and are served together; the ticket after it is then called twice, or never. "
              "To draw must be one step, fetch_add.",
       .source = "J. Mellor-Crummey, M. Scott, Algorithms for Scalable Synchronization on "
                 "Shared-Memory Multiprocessors, 1991, has it with fetch_and_increment"});
}

void add_unfenced(std::vector<Entry>& entries) {
  entries.push_back(
      {.name = "peterson",
       .about = "Peterson's algorithm without a fence",
       .make = make<Peterson>,
       .usual = undisturbed(2),
       .least_processes = 2,
       .most_processes = 2,
       .why = "A CPU may load the other's flag while its own flag is still in its store buffer: "
              "both see that the other does not want the lock, and both enter. Between the stores "
              "and the loads there has to be a full fence (memory_order_seq_cst).",
       .source = "G. L. Peterson, Myths About the Mutual Exclusion Problem, 1981",
       .needs_two_cpus = true});
  entries.push_back(
      {.name = "dekker",
       .about = "Dekker's algorithm without a fence",
       .make = make<Dekker>,
       .usual = undisturbed(2),
       .least_processes = 2,
       .most_processes = 2,
       .why = "Each stores its flag and loads the other's, and a CPU may do the load first, while "
              "the store waits in its store buffer: neither sees the other, and both enter. "
              "Between the two there has to be a full fence.",
       .source = "E. W. Dijkstra, Cooperating Sequential Processes, 1965, has it of T. J. Dekker",
       .needs_two_cpus = true});
  entries.push_back(
      {.name = "bakery",
       .about = "Lamport's bakery without fences",
       .make = make<Bakery>,
       .usual = undisturbed(2),
       .least_processes = 2,
       .why = "The number that a customer draws may still be in its CPU's store buffer while it "
              "looks at the others' numbers: two see no number but their own, and both are served. "
              "It needs a full fence after 'choosing' is set, and another after the number is.",
       .source = "L. Lamport, A New Solution of Dijkstra's Concurrent Programming Problem, 1974",
       .needs_two_cpus = true});
}

void add_forgetful(std::vector<Entry>& entries) {
  entries.push_back(
      {.name = "mcs",
       .about = "MCS queue lock that forgets to hand over",
       .make = make<Mcs>,
       .usual = interrupted(3),
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
       .why = "Each holds the lock that the other needs, and waits for the one that the other "
              "holds: a deadlock, though both locks are good. All must take them in one order, or "
              "both at once with std::scoped_lock(first, second).",
       .source = "E. G. Coffman, M. J. Elphick, A. Shoshani, System Deadlocks, 1971"});
}

}  // namespace

void add_broken_locks(std::vector<Entry>& entries) {
  add_racy(entries);
  add_unfenced(entries);
  add_forgetful(entries);
  add_mortal(entries);
}

}  // namespace shoal::stress
