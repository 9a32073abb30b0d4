// SPDX-License-Identifier: MIT
#include "shoal/barrier.hpp"

#include <array>
#include <atomic>
#include <new>
#include <optional>

#include "barrier_subject.hpp"
#include "catalogue.hpp"
#include "names.hpp"
#include "os/cpu.hpp"
#include "shoal/detail/deadline.hpp"
#include "shoal/segment.hpp"

namespace shoal::stress {

struct BarrierSubject::Memory {
  static constexpr std::size_t kRounds = 4;  // more than there can be at once

  struct alignas(64) Party {
    std::atomic<std::uint32_t> came;   // to that round, or was about to
    std::atomic<std::uint32_t> left;   // that round
    std::atomic<std::uint32_t> ready;  // for that epoch: outside, until it begins
  };
  alignas(64) std::atomic<std::uint32_t> epoch;
  std::array<std::atomic<std::uint64_t>, kRounds> indices;  // seen in each round: a bit each
  std::array<Party, kMostProcesses> parties;
};
static_assert(kMostProcesses <= 64);

std::size_t BarrierSubject::memory_size() const { return sizeof(Memory) + barrier_size(); }

void BarrierSubject::set_up(void* memory, const Plan& plan) {
  memory_ = ::new (memory) Memory();
  parties_ = plan.processes;
  has_kills_ = plan.kills > 0;
  set_up_barrier(memory_ + 1, parties_);
}

void BarrierSubject::begin(Participant& me) { is_new_ = me.life() > 1; }

void BarrierSubject::step(Participant& me) {
  if (is_new_) {
    await_break(me);
    abort();
    meet_outside(me);
    is_new_ = false;
  }
  if (me.stopping()) return;
  Memory::Party& party = memory_->parties[me.index()];
  party.came.store(++round_, std::memory_order_release);
  try {
    const int index = me.timed([&] { return arrive_and_wait(me); });
    if (me.stopping()) return;
    check_all_have_come(me);
    check_index(me, index);
    party.left.store(round_, std::memory_order_release);
  } catch (const BrokenBarrier&) {
    if (!has_kills_ && !me.stopping()) throw;
    meet_outside(me);
  }
}

void BarrierSubject::check_all_have_come(Participant& me) const {
  for (unsigned i = 0; i < parties_; ++i) {
    const std::uint32_t came = memory_->parties[i].came.load(std::memory_order_acquire);
    if (came < round_)
      me.fail(name_of(me.index()) + " was let go from round " + std::to_string(round_) + ", and " +
              name_of(i) + " had only come to round " + std::to_string(came));
  }
}

// Nobody who is in this round can still look at the one before the last.
void BarrierSubject::check_index(Participant& me, int index) const {
  memory_->indices[(round_ + 2) % Memory::kRounds].store(0, std::memory_order_relaxed);
  const std::string who = name_of(me.index()) + " was given index ";
  if (index < 0 || index >= static_cast<int>(parties_))
    return me.fail(who + std::to_string(index) + ", and there are " + std::to_string(parties_));
  const std::uint64_t bit = std::uint64_t{1} << index;
  if ((memory_->indices[round_ % Memory::kRounds].fetch_or(bit, std::memory_order_acq_rel) & bit) !=
      0)
    me.fail(who + std::to_string(index) + ", which somebody else had in round " +
            std::to_string(round_));
}

std::string BarrierSubject::diagnose(const Control&) {
  std::string where;
  for (unsigned i = 0; i < parties_; ++i)
    where += (i == 0 ? "" : ", ") + name_of(i) + " has come to round " +
             std::to_string(memory_->parties[i].came.load(std::memory_order_relaxed));
  return where;
}

// If the one before died inside, the others are told so without this one's help, unless they were let
// go from that round. That he was about to come, and had not, looks the same: so not for ever, and
// once only, for this one may be killed as well.
void BarrierSubject::await_break(const Participant& me) const {
  constexpr std::int64_t kPatience = 250'000'000;
  Memory::Party& mine = memory_->parties[me.index()];
  const std::uint32_t round = mine.came.load(std::memory_order_acquire);
  if (mine.left.exchange(round, std::memory_order_acq_rel) == round) return;
  const auto has_ended = [&] {
    for (unsigned i = 0; i < parties_; ++i)
      if (i != me.index() && memory_->parties[i].left.load(std::memory_order_acquire) >= round)
        return true;
    return is_broken();
  };
  const std::int64_t end = detail::steady_now() + kPatience;
  while (!has_ended() && !me.stopping() && detail::steady_now() < end) os::yield();
}

// Whoever is here has been told that the barrier is broken, or has broken it. Anyone may be killed
// here: his next life comes here too, and says again what he said. If it is late, the epoch has begun
// already, and is broken by it.
void BarrierSubject::meet_outside(Participant& me) {
  const std::uint32_t next = memory_->epoch.load(std::memory_order_acquire) + 1;
  memory_->parties[me.index()].ready.store(next, std::memory_order_release);
  const auto all_ready = [&] {
    for (unsigned i = 0; i < parties_; ++i)
      if (memory_->parties[i].ready.load(std::memory_order_acquire) < next) return false;
    return true;
  };
  if (me.index() == 0) {
    while (!all_ready() && !me.stopping()) os::yield();
    if (!me.stopping()) mend(me, next);
  }
  while (memory_->epoch.load(std::memory_order_acquire) < next && !me.stopping()) os::yield();
  round_ = 0;
}

void BarrierSubject::mend(const Participant& me, std::uint32_t epoch) {
  for (Memory::Party& party : memory_->parties) {
    party.came.store(0, std::memory_order_relaxed);
    party.left.store(0, std::memory_order_relaxed);
  }
  for (std::atomic<std::uint64_t>& seen : memory_->indices)
    seen.store(0, std::memory_order_relaxed);
  reset();
  if (me.stopping()) abort();  // release() may have broken what has just been mended
  memory_->epoch.store(epoch, std::memory_order_release);
}

namespace {

class SegmentBarrier : public BarrierSubject {
  void set_up_barrier(void*, unsigned parties) override {
    barrier_.emplace(Segment::anonymous(), "barrier", static_cast<int>(parties));
  }
  // With an action now and then, which nobody can tell.
  int arrive_and_wait(Participant& me) override {
    if (me.random() % 4 == 0) return barrier_->arrive_and_wait([&] { me.pause(); });
    return barrier_->arrive_and_wait();
  }
  void abort() override { barrier_->abort(); }
  void reset() override { barrier_->reset(); }
  [[nodiscard]] bool is_broken() const override { return barrier_->broken(); }

  std::optional<Barrier> barrier_;
};

}  // namespace

void add_barriers(std::vector<Entry>& entries) {
  entries.push_back(
      {.name = "barrier",
       .about = "shoal::Barrier: nobody is let go before all have come; the dead break it",
       .make = [] { return std::unique_ptr<Subject>(std::make_unique<SegmentBarrier>()); }});
}

}  // namespace shoal::stress
