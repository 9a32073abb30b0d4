// SPDX-License-Identifier: MIT
#include "shoal/semaphore.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>
#include <optional>

#include "catalogue.hpp"
#include "names.hpp"
#include "semaphore_subject.hpp"
#include "shoal/segment.hpp"

namespace shoal::stress {

// A note: life << 32 | how often that life has begun or ceased to hold a permit; odd: it holds one.
struct SemaphoreSubject::Memory {
  struct alignas(64) Note {
    std::atomic<std::uint64_t> word;
  };
  using Notes = std::array<Note, kMostProcesses>;
  std::array<Notes, kMostKinds> notes;
};

namespace {

constexpr int kLifeAt = 32;

bool holds(std::uint64_t note) { return note % 2 != 0; }

}  // namespace

std::size_t SemaphoreSubject::memory_size() const { return sizeof(Memory) + semaphore_size(); }

void SemaphoreSubject::set_up(void* memory, const Plan& plan) {
  memory_ = ::new (memory) Memory();
  processes_ = plan.processes;
  permits_ = static_cast<int>(std::max(plan.processes / 2, 1U));
  set_up_semaphore(memory_ + 1, plan, permits_);
}

void SemaphoreSubject::begin(Participant& me) {
  for (Memory::Notes& notes : memory_->notes)
    notes[me.index()].word.store(std::uint64_t{me.life()} << kLifeAt, std::memory_order_release);
}

void SemaphoreSubject::step(Participant& me) {
  const auto kind = static_cast<unsigned>(me.random() % kinds());
  std::atomic<std::uint64_t>& note = memory_->notes[kind][me.index()].word;
  const std::uint64_t before = note.load(std::memory_order_relaxed);  // this participant's own
  me.timed([&] { acquire(me, kind); });
  note.store(before + 1, std::memory_order_release);
  me.pause();
  if (const std::string wrong = find_too_many(me, kind); !wrong.empty()) me.fail(wrong);
  note.store(before + 2, std::memory_order_release);
  give_back(kind);
}

std::string SemaphoreSubject::find_too_many(const Participant& me, unsigned kind) const {
  constexpr int kReadings = 100;
  std::array<std::uint64_t, kMostProcesses> last{};
  for (int reading = 0; reading < kReadings; ++reading) {
    int holders = 0;
    bool same = true;
    std::string who;
    for (unsigned i = 0; i < processes_; ++i) {
      const std::uint64_t note = memory_->notes[kind][i].word.load(std::memory_order_acquire);
      same = same && note == last[i];
      last[i] = note;
      if (!holds(note) || me.is_condemned(i, static_cast<std::uint32_t>(note >> kLifeAt))) continue;
      ++holders;
      if (same) add_name(who, i);
    }
    if (holders <= permits_) return {};
    if (same)
      return std::to_string(holders) + " held a permit at once, of which there are " +
             std::to_string(permits_) + ": " + who;
  }
  return {};
}

std::string SemaphoreSubject::diagnose(const Control& control) {
  std::string holders;
  std::string dead;
  for (const Memory::Notes& notes : memory_->notes)
    for (unsigned i = 0; i < processes_; ++i) {
      const std::uint64_t note = notes[i].word.load(std::memory_order_acquire);
      if (!holds(note)) continue;
      add_name(
          control.is_condemned(i, static_cast<std::uint32_t>(note >> kLifeAt)) ? dead : holders, i);
    }
  return "of " + std::to_string(permits_) + " permits " +
         (holders.empty() ? "none is" : "some are") + " held" +
         (holders.empty() ? "" : ": by " + holders) +
         (dead.empty() ? "" : "; killed holding one: " + dead);
}

namespace {

// Both at random; where participants are killed, only the one that gets its permits back.
class SegmentSemaphore : public SemaphoreSubject {
  void set_up_semaphore(void*, const Plan& plan, int permits) override {
    const Segment segment = Segment::anonymous();
    bounded_.emplace(segment, "bounded", permits);
    plain_.emplace(segment, "plain", permits);
    has_kills_ = plan.kills > 0;
  }
  [[nodiscard]] unsigned kinds() const override { return has_kills_ ? 1 : 2; }
  void acquire(Participant& me, unsigned kind) override {
    kind == 0 ? acquire(*bounded_, me.random()) : acquire(*plain_, me.random());
  }
  void give_back(unsigned kind) override { kind == 0 ? bounded_->release() : plain_->release(); }
  [[nodiscard]] std::string check() override {
    const std::string wrong = find_wrong_count(*bounded_);
    return !wrong.empty() || has_kills_ ? wrong : find_wrong_count(*plain_);
  }

  // By each of the ways there are; those that may fail are tried once.
  template <class S>
  static void acquire(const S& semaphore, std::uint64_t choice) {
    if (choice % 16 == 0 && semaphore.try_acquire()) return;
    if (choice % 16 == 1 && semaphore.try_acquire_for(std::chrono::microseconds(100))) return;
    semaphore.acquire();
  }
  // All permits are back, and no more.
  template <class S>
  [[nodiscard]] std::string find_wrong_count(const S& semaphore) const {
    const int value = semaphore.value();
    int taken = 0;
    while (taken <= permits() && semaphore.try_acquire()) ++taken;
    if (value == permits() && taken == permits()) return {};
    return "all are gone, and of " + std::to_string(permits()) + " permits there are " +
           std::to_string(value) + ", and " + std::to_string(taken) + " can be acquired";
  }

  std::optional<BoundedSemaphore> bounded_;
  std::optional<Semaphore> plain_;
  bool has_kills_ = false;
};

}  // namespace

void add_semaphores(std::vector<Entry>& entries) {
  entries.push_back(
      {.name = "semaphore",
       .about = "shoal::BoundedSemaphore and, without kills, shoal::Semaphore",
       .make = [] { return std::unique_ptr<Subject>(std::make_unique<SegmentSemaphore>()); }});
}

}  // namespace shoal::stress
