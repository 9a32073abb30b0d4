// SPDX-License-Identifier: MIT

// An event under stress: P0 sets it and clears it at once, again and again; all others wait.
//
// Oracle: P0 raises `pulse` before it sets the event, and does so only when all others wait, as the
// event says. Each of them must come back, having seen the pulse, before P0 goes on: else it stalls.
// And nobody may come back in between. Of who is condemned nothing is expected.

#include "shoal/event.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>
#include <optional>

#include "catalogue.hpp"
#include "os/cpu.hpp"
#include "shoal/segment.hpp"
#include "subject.hpp"

namespace shoal::stress {
namespace {

constexpr int kLifeAt = 32;

class SegmentEvent : public Subject {
  // A note: life << 32 | the last pulse that this waiter knows of.
  struct alignas(64) Note {
    std::atomic<std::uint64_t> word;
  };
  struct Memory {
    alignas(64) std::atomic<std::uint32_t> pulse;    // P0: before it is made
    alignas(64) std::atomic<std::uint32_t> settled;  // P0: the last one after which it was cleared
    std::array<Note, kMostProcesses> notes;
  };

  [[nodiscard]] std::size_t memory_size() const override { return sizeof(Memory); }
  void set_up(void* memory, const Plan&) override {
    memory_ = ::new (memory) Memory();
    event_.emplace(Segment::anonymous(), "event");
  }

  void begin(Participant& me) override {
    if (me.index() == 0)
      settle(me);  // what a killed one has begun
    else
      note(me, memory_->settled.load(std::memory_order_acquire));
  }
  void step(Participant& me) override { me.index() == 0 ? pulse(me) : wait(me); }
  void release() override { event_->set(); }

  void settle(const Participant& me) const {
    event_->clear();
    memory_->settled.store(memory_->pulse.load(std::memory_order_relaxed),
                           std::memory_order_release);
    if (me.stopping()) event_->set();  // what was cleared may have been release()'s
  }
  void note(const Participant& me, std::uint32_t pulse) const {
    memory_->notes[me.index()].word.store(std::uint64_t{me.life()} << kLifeAt | pulse,
                                          std::memory_order_release);
  }
  [[nodiscard]] std::uint64_t note_of(unsigned index) const {
    return memory_->notes[index].word.load(std::memory_order_acquire);
  }

  void pulse(Participant& me) const {
    me.timed([&] {
      while (!all_wait(me) && !me.stopping()) os::yield();
    });
    if (me.stopping()) return;
    std::array<std::uint64_t, kMostProcesses> before{};
    for (unsigned i = 1; i < me.count(); ++i) before[i] = note_of(i);
    memory_->pulse.fetch_add(1, std::memory_order_release);
    event_->set();
    me.pause();
    settle(me);
    for (unsigned i = 1; i < me.count(); ++i) {
      const auto life = static_cast<std::uint32_t>(before[i] >> kLifeAt);
      while (note_of(i) == before[i] && !me.is_condemned(i, life) && !me.stopping()) os::yield();
    }
  }
  [[nodiscard]] bool is_settled() const {
    return memory_->settled.load(std::memory_order_acquire) ==
           memory_->pulse.load(std::memory_order_relaxed);
  }
  // Those who wait as the event knows it are asleep, and alive: these are all there are.
  [[nodiscard]] bool all_wait(const Participant& me) const {
    return event_->waiting() + 1 == static_cast<int>(me.count());
  }

  void wait(Participant& me) const {
    while (!is_settled() && !me.stopping()) os::yield();
    const std::uint32_t seen = memory_->pulse.load(std::memory_order_relaxed);
    note(me, seen);
    const bool told = me.timed([&] {
      if (me.random() % 4 == 0) return event_->wait_for(std::chrono::hours(1));
      event_->wait();
      return true;
    });
    if (me.stopping()) return;
    const std::uint32_t now = memory_->pulse.load(std::memory_order_acquire);
    const std::string name = "P" + std::to_string(me.index());
    if (!told) me.fail(name + " was told that an hour is over");
    if (now == seen) me.fail(name + " came back from wait(), and nobody had set the event");
    note(me, now);
  }

  Memory* memory_ = nullptr;
  std::optional<Event> event_;
};

}  // namespace

void add_events(std::vector<Entry>& entries) {
  entries.push_back(
      {.name = "event",
       .about = "shoal::Event: each set() reaches all who wait, though clear() follows at once",
       .make = [] { return std::unique_ptr<Subject>(std::make_unique<SegmentEvent>()); },
       .least_processes = 2});
}

}  // namespace shoal::stress
