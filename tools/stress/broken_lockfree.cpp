// SPDX-License-Identifier: MIT

// Data without locks that are wrong, each with an oracle of its own. What is wrong says so.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>

#include "broken.hpp"
#include "catalogue.hpp"
#include "names.hpp"
#include "os/cpu.hpp"
#include "subject.hpp"

namespace shoal::stress {
namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

template <class State>
class LockFree : public Subject {
  [[nodiscard]] std::size_t memory_size() const final { return sizeof(State); }

 protected:
  [[nodiscard]] State& state() const { return *state_; }
  void make_state(void* memory) { state_ = ::new (memory) State(); }

 private:
  State* state_ = nullptr;
};

// --- A stack of nodes, which are known by their numbers

constexpr std::uint32_t kNone = ~0U;

struct Nodes {
  static constexpr std::size_t kMost = kMostProcesses + 1;

  alignas(64) std::atomic<std::uint32_t> head;
  std::array<std::atomic<std::uint32_t>, kMost> next;
  std::array<std::atomic<std::uint32_t>, kMost> holder;  // the oracle's: index + 1, or 0
};

// Each step pops two, and pushes them in the order in which it has popped them. There is one node
// more than participants, so that somebody can always have two.
// Oracle: nobody pops what another one has popped and not yet pushed. Where nodes get lost, all
// stall.
class AbaStack : public LockFree<Nodes> {
  void set_up(void* memory, const Plan& plan) override {
    make_state(memory);
    state().head.store(kNone, memory_order_relaxed);
    nodes_ = plan.processes + 1;
    for (std::uint32_t node = 0; node < nodes_; ++node) push(node);
  }

  void push(std::uint32_t node) {
    std::uint32_t head = state().head.load(memory_order_relaxed);
    do state().next[node].store(head, memory_order_relaxed);
    while (!state().head.compare_exchange_weak(head, node, memory_order_release,
                                               memory_order_relaxed));
  }
  std::uint32_t pop(Participant& me) {
    std::uint32_t head = state().head.load(memory_order_acquire);
    while (head != kNone) {
      const std::uint32_t next = state().next[head].load(memory_order_relaxed);
      me.pause();
      // Wrong: that the same node is the head again does not mean that the same one is below it.
      if (state().head.compare_exchange_weak(head, next, memory_order_acquire)) break;
    }
    return head;
  }

  void step(Participant& me) override {
    const std::uint32_t first = get(me);
    const std::uint32_t second = get(me);
    give_back(first);
    give_back(second);
  }
  std::uint32_t get(Participant& me) {
    std::uint32_t node = kNone;
    me.timed([&] { spin_while([&] { return (node = pop(me)) == kNone && !me.stopping(); }); });
    if (node == kNone) return node;
    const std::uint32_t holder =
        state().holder[node].exchange(me.index() + 1, memory_order_relaxed);
    if (holder != 0)
      me.fail(name_of(me.index()) + " popped node " + std::to_string(node) + ", which " +
              (holder == me.index() + 1 ? "it" : name_of(holder - 1)) +
              " had popped and not pushed again");
    return node;
  }
  // What each links to is looked at so often only, for a link may lead back.
  [[nodiscard]] std::string diagnose(const Control&) override {
    std::uint32_t there = 0;
    std::uint32_t at = state().head.load(memory_order_acquire);
    for (; at != kNone && there < Nodes::kMost; at = state().next[at].load(memory_order_relaxed))
      ++there;
    if (at != kNone) return "the stack has become a circle";
    const auto held = std::count_if(state().holder.begin(), state().holder.end(),
                                    [](const auto& holder) { return holder != 0; });
    return std::to_string(there) + " nodes are in the stack, and " + std::to_string(held) +
           " are held, of " + std::to_string(nodes_);
  }
  void give_back(std::uint32_t node) {
    if (node == kNone) return;
    state().holder[node].store(0, memory_order_relaxed);
    push(node);
  }

  std::uint32_t nodes_ = 0;
};

// --- Several words with a version

constexpr std::size_t kWords = 32;

struct Versioned {
  alignas(64) std::atomic<std::uint64_t> version;
  std::array<std::atomic<std::uint64_t>, kWords> words;
};

// P0 writes the same number into all words, and a greater one each time; the others read.
// Oracle: whoever reads finds one number.
class Seqlock : public LockFree<Versioned> {
  using Words = std::array<std::uint64_t, kWords>;

  void set_up(void* memory, const Plan&) override { make_state(memory); }

  void write(Participant& me, std::uint64_t number) {
    const std::uint64_t version = state().version.load(memory_order_relaxed);
    state().version.store(version + 1, memory_order_relaxed);
    std::atomic_thread_fence(memory_order_release);
    for (std::size_t i = 0; i < kWords; ++i) {
      if (i == kWords / 2) me.pause();
      state().words[i].store(number, memory_order_relaxed);
    }
    state().version.store(version + 2, memory_order_release);
  }
  [[nodiscard]] Words read() const {
    Words words;
    std::uint64_t version = 0;
    do {
      // Wrong: where it is odd, somebody is writing.
      version = state().version.load(memory_order_acquire);
      for (std::size_t i = 0; i < kWords; ++i)
        words[i] = state().words[i].load(memory_order_relaxed);
      std::atomic_thread_fence(memory_order_acquire);
    } while (state().version.load(memory_order_relaxed) != version);
    return words;
  }

  void step(Participant& me) override {
    if (me.index() == 0) return me.timed([&] { write(me, me.operations() + 1); });
    const Words words = me.timed([&] { return read(); });
    for (std::size_t i = 1; i < kWords; ++i)
      if (words[i] != words[0])
        return me.fail(name_of(me.index()) + " read word 0 of write " + std::to_string(words[0]) +
                       " together with word " + std::to_string(i) + " of write " +
                       std::to_string(words[i]));
  }
};

}  // namespace

void add_broken_lockfree(std::vector<Entry>& entries) {
  entries.push_back(
      {.name = "aba-stack",
       .about = "lock-free stack whose head has no count",
       .make = make<AbaStack>,
       .usual = interrupted(3, kSpinningPatience),
       .least_processes = 2,
       .why = "Between a pop's look at the head and its compare-exchange others pop that node and "
              "the next one, and push the first one back: the head is as it was, and the exchange "
              "puts a node there that somebody else holds. A count beside the head, that goes up "
              "with each change, tells the two apart.",
       .source =
           "R. K. Treiber, Systems Programming: Coping with Parallelism, 1986, has the count"});
  entries.push_back(
      {.name = "seqlock",
       .about = "seqlock whose reader does not look whether the version is odd",
       .make = make<Seqlock>,
       .usual = interrupted(3),
       .least_processes = 2,
       .why = "While a write goes on the version is odd, and does not change: a reader that begins "
              "and ends within it finds the same version twice, and half of the old words with "
              "half of the new. Where the version is odd, it must begin again.",
       .source = "H.-J. Boehm, Can Seqlocks Get Along with Programming Language Memory Models?, "
                 "2012"});
}

}  // namespace shoal::stress
