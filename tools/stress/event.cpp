// SPDX-License-Identifier: MIT
#include "shoal/event.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <new>
#include <optional>
#include <string>

#include "catalogue.hpp"
#include "event_subject.hpp"
#include "names.hpp"
#include "os/cpu.hpp"
#include "shoal/segment.hpp"

namespace shoal::stress {

// A note: life << 32 | the last pulse that this waiter knows of.
struct EventSubject::Memory {
  struct alignas(64) Note {
    std::atomic<std::uint64_t> word;
  };
  alignas(64) std::atomic<std::uint32_t> pulse;    // P0: before it is made
  alignas(64) std::atomic<std::uint32_t> settled;  // P0: the last one after which it was cleared
  std::array<Note, kMostProcesses> notes;
};

namespace {

constexpr int kLifeAt = 32;

}  // namespace

std::size_t EventSubject::memory_size() const { return sizeof(Memory) + event_size(); }

void EventSubject::set_up(void* memory, const Plan& plan) {
  memory_ = ::new (memory) Memory();
  processes_ = plan.processes;
  set_up_event(memory_ + 1);
}

void EventSubject::begin(Participant& me) {
  if (me.index() == 0)
    settle(me);  // what a killed one has begun
  else
    note(me, memory_->settled.load(std::memory_order_acquire));
}

void EventSubject::note(const Participant& me, std::uint32_t pulse) const {
  memory_->notes[me.index()].word.store(std::uint64_t{me.life()} << kLifeAt | pulse,
                                        std::memory_order_release);
}

std::uint64_t EventSubject::note_of(unsigned index) const {
  return memory_->notes[index].word.load(std::memory_order_acquire);
}

void EventSubject::settle(const Participant& me) {
  clear();
  memory_->settled.store(memory_->pulse.load(std::memory_order_relaxed), std::memory_order_release);
  if (me.stopping()) set();  // what was cleared may have been release()'s
}

void EventSubject::pulse(Participant& me) {
  me.timed([&] {
    while (waiting() + 1 < me.count() && !me.stopping()) os::yield();
  });
  if (me.stopping()) return;
  std::array<std::uint64_t, kMostProcesses> before{};
  for (unsigned i = 1; i < me.count(); ++i) before[i] = note_of(i);
  memory_->pulse.fetch_add(1, std::memory_order_release);
  set();
  me.pause();
  settle(me);
  for (unsigned i = 1; i < me.count(); ++i) {
    const auto life = static_cast<std::uint32_t>(before[i] >> kLifeAt);
    while (note_of(i) == before[i] && !me.is_condemned(i, life) && !me.stopping()) os::yield();
  }
}

bool EventSubject::is_settled() const {
  return memory_->settled.load(std::memory_order_acquire) ==
         memory_->pulse.load(std::memory_order_relaxed);
}

void EventSubject::wait(Participant& me) {
  while (!is_settled() && !me.stopping()) os::yield();
  const std::uint32_t seen = memory_->pulse.load(std::memory_order_relaxed);
  note(me, seen);
  me.timed([&] { await(me); });
  if (me.stopping()) return;
  const std::uint32_t now = memory_->pulse.load(std::memory_order_acquire);
  if (now == seen)
    me.fail(name_of(me.index()) + " came back from a wait, and nobody had set the event");
  note(me, now);
}

std::string EventSubject::diagnose(const Control&) {
  const std::uint32_t pulse = memory_->pulse.load(std::memory_order_acquire);
  std::string behind;
  for (unsigned i = 1; i < processes_; ++i)
    if (static_cast<std::uint32_t>(note_of(i)) != pulse) add_name(behind, i);
  if (behind.empty()) return {};
  return "pulse " + std::to_string(pulse) + " has not reached " + behind;
}

namespace {

class SegmentEvent : public EventSubject {
  void set_up_event(void*) override { event_.emplace(Segment::anonymous(), "event"); }
  void set() override { event_->set(); }
  void clear() override { event_->clear(); }
  void await(Participant& me) override {
    if (me.random() % 4 != 0) return event_->wait();
    if (!event_->wait_for(std::chrono::hours(1))) me.fail("somebody was told that an hour is over");
  }
  [[nodiscard]] unsigned waiting() const override {
    return static_cast<unsigned>(event_->waiting());
  }

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
