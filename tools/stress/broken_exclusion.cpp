// SPDX-License-Identifier: MIT

// Locks that are wrong, each in one way: two get in. Where they are right, their atomics have the order
// that they need; what is wrong says so.

#include <algorithm>
#include <array>

#include "broken.hpp"
#include "catalogue.hpp"

namespace shoal::stress {
namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

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

// --- Those that announce themselves, and then look for the others

// Both get in only where they come at the very same moment. If each came as soon as it had left, they
// would take turns; so they come at random.
template <class State>
class Meeting : public WordLock<State> {
  void rest(Participant& me) override {
    for (std::uint64_t i = me.random() % 32; i > 0; --i) os::pause();
  }
};

struct TwoFlags {
  std::array<Line, 2> wants;
  Line turn;
};

class Peterson : public Meeting<TwoFlags> {
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

class Dekker : public Meeting<TwoFlags> {
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

class Bakery : public Meeting<std::array<Counter, kMostProcesses>> {
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

// --- The list

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
       .usual = interrupted(2, kSpinningPatience),
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

}  // namespace

void add_broken_exclusion(std::vector<Entry>& entries) {
  add_racy(entries);
  add_unfenced(entries);
}

}  // namespace shoal::stress
