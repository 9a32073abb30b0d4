// SPDX-License-Identifier: MIT
#include "shoal/condition.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <new>
#include <optional>

#include "catalogue.hpp"
#include "condition_subject.hpp"
#include "names.hpp"
#include "os/cpu.hpp"
#include "shoal/lock.hpp"
#include "shoal/segment.hpp"

namespace shoal::stress {

// All but `tickets` is written under the lock, and that is written there.
struct ConditionSubject::Memory {
  struct alignas(64) Waiter {
    std::atomic<std::uint32_t> life;  // of one who waits until he is notified; 0: nobody
    std::atomic<std::uint64_t> taken;
  };
  alignas(64) std::atomic<std::uint64_t> tickets;
  std::atomic<std::uint64_t> made;
  std::array<Waiter, kMostProcesses> waiters;
};

std::size_t ConditionSubject::memory_size() const { return sizeof(Memory) + condition_size(); }

void ConditionSubject::set_up(void* memory, const Plan& plan) {
  memory_ = ::new (memory) Memory();
  has_kills_ = plan.kills > 0;
  may_barge_ = has_kills_ || !is_exact();
  set_up_condition(memory_ + 1, plan);
}

std::uint64_t ConditionSubject::tickets() const {
  return memory_->tickets.load(std::memory_order_relaxed);
}

// A killed notifier may have made tickets and not yet notified.
void ConditionSubject::begin(Participant& me) {
  memory_->waiters[me.index()].life.store(0, std::memory_order_relaxed);
  if (me.index() != 0) return;
  lock();
  if (tickets() > 0) notify_all();
  unlock();
}

void ConditionSubject::step(Participant& me) { me.index() == 0 ? hand_out(me) : take_ticket(me); }

void ConditionSubject::hand_out(Participant& me) {
  me.timed([&] {
    while (tickets() > 0 && !me.stopping()) os::yield();
  });
  const unsigned waiters = lock_with_waiters(me);
  if (waiters == 0) return unlock();
  const auto n = static_cast<unsigned>(1 + me.random() % waiters);
  memory_->made.store(memory_->made.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  memory_->tickets.store(n, std::memory_order_relaxed);
  const bool is_for_all = may_barge_ && n == waiters;
  const bool unlocks_first = me.random() % 2 == 0;
  if (unlocks_first) unlock();
  is_for_all ? notify_all() : notify(static_cast<int>(n));
  if (!unlocks_first) unlock();
}

// How many wait until they are notified; the lock is held. 0: it is time to leave.
unsigned ConditionSubject::lock_with_waiters(Participant& me) {
  for (;;) {
    lock();
    if (me.stopping()) return 0;
    if (const unsigned waiters = count_waiters(me); waiters > 0) return waiters;
    unlock();
    os::yield();
  }
}

unsigned ConditionSubject::count_waiters(const Participant& me) const {
  unsigned count = 0;
  for (unsigned i = 1; i < me.count(); ++i) {
    const std::uint32_t life = memory_->waiters[i].life.load(std::memory_order_relaxed);
    if (life != 0 && !me.is_condemned(i, life)) ++count;
  }
  return count;
}

void ConditionSubject::take_ticket(Participant& me) {
  lock();
  me.timed([&] { may_barge_ ? await_ticket(me) : await_notify(me); });
  if (!me.stopping()) {
    std::atomic<std::uint64_t>& taken = memory_->waiters[me.index()].taken;
    memory_->tickets.store(tickets() - 1, std::memory_order_relaxed);
    taken.store(taken.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  unlock();
}

void ConditionSubject::await_ticket(Participant& me) {
  while (tickets() == 0 && !me.stopping()) static_cast<void>(wait_as_waiter(me));
}

// Now and then it gives up, and tries again: then no notify may be lost with it, nor come twice.
void ConditionSubject::await_notify(Participant& me) {
  bool notified = false;
  while (!notified && !me.stopping())
    notified = me.random() % 4 == 0 ? wait_briefly(me) : wait_as_waiter(me);
  if (tickets() == 0 && !me.stopping())
    me.fail(name_of(me.index()) + " was woken, and nobody had notified it");
}

bool ConditionSubject::wait_as_waiter(Participant& me) {
  std::atomic<std::uint32_t>& life = memory_->waiters[me.index()].life;
  life.store(me.life(), std::memory_order_relaxed);
  const bool notified = wait(me);
  life.store(0, std::memory_order_relaxed);
  return notified;
}

// Whoever comes later sees that it is time to leave: the lock is between.
void ConditionSubject::release() {
  lock();
  notify_all();
  unlock();
}

std::string ConditionSubject::diagnose(const Control&) {
  std::string waiters;
  for (unsigned i = 0; i < kMostProcesses; ++i)
    if (memory_->waiters[i].life.load(std::memory_order_relaxed) != 0) add_name(waiters, i);
  if (tickets() == 0 || waiters.empty()) return {};
  return std::to_string(tickets()) + " notifies have reached nobody, and waiting are " + waiters;
}

std::string ConditionSubject::check() {
  if (has_kills_) return {};  // of the last step of a dead one nothing is known
  const std::uint64_t made = memory_->made.load(std::memory_order_relaxed);
  std::uint64_t accounted = tickets();
  for (const Memory::Waiter& waiter : memory_->waiters)
    accounted += waiter.taken.load(std::memory_order_relaxed);
  if (accounted == made) return {};
  return "of " + std::to_string(made) + " tickets " + std::to_string(accounted) +
         " were taken or are left";
}

namespace {

class SegmentCondition : public ConditionSubject {
  void set_up_condition(void*, const Plan& plan) override {
    const Segment segment = Segment::anonymous();
    lock_.emplace(segment, "lock");
    condition_.emplace(segment, "condition");
    has_kills_ = plan.kills > 0;
  }
  void lock() override {
    try {
      held_ = std::unique_lock<const Lock>(*lock_);
    } catch (const OwnerDied&) {
      recover();
    }
  }
  void unlock() override { held_.unlock(); }
  // Where the lock was abandoned meanwhile, the notify goes to another one.
  bool wait(Participant&) override {
    try {
      condition_->wait(held_);
      return true;
    } catch (const OwnerDied&) {
      recover();
      return false;
    }
  }
  bool wait_briefly(Participant& me) override {
    return condition_->wait_for(held_, std::chrono::microseconds(me.random() % 200));
  }
  void notify(int n) override { condition_->notify(n); }
  void notify_all() override { condition_->notify_all(); }
  [[nodiscard]] bool is_exact() const override { return true; }

  void recover() {
    if (!has_kills_) throw;
    held_ = lock_->recover();
  }

  std::optional<Lock> lock_;
  std::optional<Condition> condition_;
  std::unique_lock<const Lock> held_;  // by this process
  bool has_kills_ = false;
};

}  // namespace

void add_conditions(std::vector<Entry>& entries) {
  entries.push_back(
      {.name = "condition",
       .about = "shoal::Condition: notify(n) wakes n of those who wait, no notify is lost",
       .make = [] { return std::unique_ptr<Subject>(std::make_unique<SegmentCondition>()); },
       .least_processes = 2});
}

}  // namespace shoal::stress
