// SPDX-License-Identifier: MIT

// Types that are wrong, under the oracles of those that are right. What is wrong says so.

#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <optional>

#include "barrier_subject.hpp"
#include "broken.hpp"
#include "catalogue.hpp"
#include "condition_subject.hpp"
#include "event_subject.hpp"
#include "os/cpu.hpp"
#include "os/futex.hpp"
#include "queue_subject.hpp"
#include "semaphore_subject.hpp"

namespace shoal::stress {
namespace {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

class CheckThenAct : public SemaphoreSubject {
  using Permits = std::atomic<int>;

  [[nodiscard]] std::size_t semaphore_size() const override { return sizeof(Permits); }
  void set_up_semaphore(void* memory, const Plan&, int permits) override {
    permits_ = ::new (memory) Permits(permits);
  }
  void acquire(Participant& me, unsigned) override {
    while (permits_->load(memory_order_acquire) <= 0 && !me.stopping()) os::yield();
    me.pause();
    permits_->fetch_sub(1, memory_order_acquire);  // wrong: others may have seen the same permit
  }
  void give_back(unsigned) override { permits_->fetch_add(1, memory_order_release); }

  Permits* permits_ = nullptr;
};

class FlagOnly : public EventSubject {
  struct State {
    Word set;
    Word waiting;
  };

  [[nodiscard]] std::size_t event_size() const override { return sizeof(State); }
  void set_up_event(void* memory) override { state_ = ::new (memory) State(); }
  void set() override {
    state_->set.store(1, memory_order_release);
    os::futex_wake(state_->set, static_cast<int>(kMostProcesses));
  }
  void clear() override { state_->set.store(0, memory_order_relaxed); }
  void await(Participant&) override {
    state_->waiting.fetch_add(1, memory_order_relaxed);
    // Wrong: by the time that it is woken, and looks, it may have been cleared.
    while (state_->set.load(memory_order_acquire) == 0) os::futex_wait(state_->set, 0, kAnHour);
    state_->waiting.fetch_sub(1, memory_order_relaxed);
  }
  [[nodiscard]] unsigned waiting() const override {
    return state_->waiting.load(memory_order_relaxed);
  }

  State* state_ = nullptr;
};

class LostWakeup : public ConditionSubject {
  struct State {
    std::atomic<bool> locked;
    std::atomic<std::uint32_t> notifies;
  };

  [[nodiscard]] std::size_t condition_size() const override { return sizeof(State); }
  void set_up_condition(void* memory, const Plan&) override { state_ = ::new (memory) State(); }
  void lock() override {
    while (state_->locked.exchange(true, memory_order_acquire)) os::yield();
  }
  void unlock() override { state_->locked.store(false, memory_order_release); }

  bool wait(Participant& me) override {
    unlock();
    me.pause();
    // Wrong: belongs before unlock(), for whoever notifies in between has changed it already.
    const std::uint32_t before = state_->notifies.load(memory_order_acquire);
    while (state_->notifies.load(memory_order_acquire) == before)
      os::futex_wait(state_->notifies, before, kAnHour);
    lock();
    return true;
  }
  void notify(int) override { notify_all(); }
  void notify_all() override {
    state_->notifies.fetch_add(1, memory_order_release);
    os::futex_wake(state_->notifies, static_cast<int>(kMostProcesses));
  }
  [[nodiscard]] bool is_exact() const override { return false; }

  State* state_ = nullptr;
};

class CountOnly : public BarrierSubject {
  struct State {
    std::atomic<unsigned> arrived;
    std::atomic<bool> aborted;
  };

  [[nodiscard]] std::size_t barrier_size() const override { return sizeof(State); }
  void set_up_barrier(void* memory, unsigned parties) override {
    state_ = ::new (memory) State();
    parties_ = parties;
  }
  int arrive_and_wait(Participant& me) override {
    const unsigned index = state_->arrived.fetch_add(1, std::memory_order_acq_rel);
    if (index + 1 == parties_) {
      state_->arrived.store(0, memory_order_release);
    } else {
      // Wrong: this is 0 for a moment only. Who was let go may be back before all have seen it.
      while (state_->arrived.load(memory_order_acquire) != 0 && !is_broken())
        me.pause(), os::yield();
    }
    return static_cast<int>(index);
  }
  void abort() override { state_->aborted.store(true, memory_order_release); }
  void reset() override { state_->aborted.store(false, memory_order_release); }
  [[nodiscard]] bool is_broken() const override {
    return state_->aborted.load(memory_order_acquire);
  }

  State* state_ = nullptr;
  unsigned parties_ = 0;
};

// A place's turn: the position that may be filled; that plus 1, once it is; plus kPlaces, once it is
// empty again.
class NamelessRing : public QueueSubject {
  static constexpr std::uint64_t kPlaces = 64;
  struct Place {
    std::atomic<std::uint64_t> turn;
    Item item;
  };
  struct State {
    alignas(64) std::atomic<std::uint64_t> tail;
    alignas(64) std::atomic<std::uint64_t> head;
    alignas(64) std::array<Place, kPlaces> places;
  };

  [[nodiscard]] std::size_t queue_size() const override { return sizeof(State); }
  void set_up_queue(void* memory) override {
    state_ = ::new (memory) State();
    for (std::uint64_t at = 0; at < kPlaces; ++at)
      state_->places[at].turn.store(at, memory_order_relaxed);
  }
  // The place at that end whose turn it is, `turns` after its position; nullptr: it is time to leave.
  Place* claim(const Participant& me, std::atomic<std::uint64_t>& end, std::uint64_t turns,
               std::uint64_t& at) {
    at = end.load(memory_order_relaxed);
    while (!me.stopping()) {
      Place& place = state_->places[at % kPlaces];
      const std::uint64_t turn = place.turn.load(memory_order_acquire);
      if (turn == at + turns && end.compare_exchange_weak(at, at + 1, memory_order_relaxed))
        return &place;
      if (turn < at + turns) os::yield();  // full, or empty: so it seems
      at = end.load(memory_order_relaxed);
    }
    return nullptr;
  }
  bool push(Participant& me, Item item) override {
    std::uint64_t at = 0;
    Place* const place = claim(me, state_->tail, 0, at);
    if (place == nullptr) return false;
    me.pause();  // wrong: who is killed here leaves a place that nobody fills, nor passes
    place->item = item;
    place->turn.store(at + 1, memory_order_release);
    return true;
  }
  std::optional<Item> pop(Participant& me) override {
    std::uint64_t at = 0;
    Place* const place = claim(me, state_->head, 1, at);
    if (place == nullptr) return std::nullopt;
    const Item item = place->item;
    place->turn.store(at + kPlaces, memory_order_release);
    return item;
  }
  std::optional<Item> try_pop() override {
    const std::uint64_t at = state_->head.load(memory_order_relaxed);
    const Place& place = state_->places[at % kPlaces];
    if (place.turn.load(memory_order_acquire) != at + 1) return std::nullopt;
    state_->head.store(at + 1, memory_order_relaxed);
    return place.item;
  }

  State* state_ = nullptr;
};

}  // namespace

void add_broken_types(std::vector<Entry>& entries) {
  Plan with_kills = interrupted(2, kSpinningPatience);
  with_kills.kills = 100;
  with_kills.inject = Inject::sleep;
  entries.push_back({.name = "check-then-act",
                     .about = "semaphore that looks for a permit, then takes it",
                     .make = make<CheckThenAct>,
                     .usual = interrupted(3),
                     .least_processes = 2,
                     .why = "Two that look at the last permit both see that there is one, and both "
                            "take it: the count goes below zero, and more are inside than may be. "
                            "To look and to take must be one step, a compare-exchange.",
                     .source = "E. W. Dijkstra, Cooperating Sequential Processes, 1965, has P as "
                               "one indivisible action"});
  entries.push_back(
      {.name = "event-flag",
       .about = "event that is a flag and nothing else",
       .make = make<FlagOnly>,
       .usual = interrupted(3, kSpinningPatience),
       .least_processes = 2,
       .survives_kills = false,
       .why = "Who is woken looks at the flag again, and by then it may have been cleared: it goes "
              "back to sleep, though the event was set while it waited. What a waiter compares "
              "must be a number that each set() raises, so that it does not come back.",
       .source = "Microsoft documents PulseEvent() of Win32 as unreliable for a like reason"});
  entries.push_back(
      {.name = "lost-wakeup",
       .about = "condition that unlocks before it is ready to be notified",
       .make = make<LostWakeup>,
       .usual = interrupted(3, kSpinningPatience),
       .least_processes = 2,
       .why = "A waiter gives the lock up, and only then looks at the number of notifies: one that "
              "comes in between it takes for an old one, and it sleeps though its turn has come. "
              "It must be known as a waiter before it unlocks.",
       .source = "A. D. Birrell, Implementing Condition Variables with Semaphores, 2003"});
  entries.push_back(
      {.name = "barrier-without-generation",
       .about = "barrier that only counts",
       .make = make<CountOnly>,
       .usual = interrupted(2, kSpinningPatience),
       .least_processes = 2,
       .why =
           "The others wait for the count to be 0, and the last to arrive, which has set it to 0, "
           "is back for the next round and has made it 1 before they have looked: they wait for "
           "good. What they wait for must not come back: the number of the round, or a sense "
           "that flips.",
       .source = "D. Hensgen, R. Finkel, U. Manber, Two Algorithms for Barrier Synchronization, "
                 "1988, has the sense"});
  entries.push_back(
      {.name = "ring-producer-dies",
       .about = "bounded queue whose producer is killed between claim and item",
       .make = make<NamelessRing>,
       .usual = with_kills,
       .least_processes = 2,
       .why =
           "A producer claims a place, and is killed before it fills it; nobody can tell that it "
           "is dead, so the consumers wait at that place, and the producers behind a full ring, "
           "for good. Between processes a claim needs the name of who made it, so that others "
           "can clear up after him.",
       .source = "D. Vyukov, Bounded MPMC Queue, 2010, made for threads, which die together"});
}

}  // namespace shoal::stress
