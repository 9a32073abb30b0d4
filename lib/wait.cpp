// SPDX-License-Identifier: MIT
#include "shoal/wait.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/wait.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "object.hpp"
#include "os/cpu.hpp"
#include "os/futex.hpp"
#include "shoal/event.hpp"
#include "shoal/lock.hpp"
#include "shoal/queue.hpp"
#include "shoal/rlock.hpp"
#include "shoal/semaphore.hpp"

namespace shoal {
namespace detail {
namespace {

class LockWatch : public Watch {
 public:
  explicit LockWatch(const LockHandle& lock) : lock_(lock) {}
  std::atomic<std::uint32_t>* sleepers() override { return &lock_.word().sleepers; }
  bool is_ready(bool closely) override {
    const OwnerValue owner = lock_.word().owner.load(std::memory_order_acquire);
    if (owner == kNobody || is_abandoned(owner)) return true;
    if (!closely) return false;
    join(lock_.object());
    const Machine machine(lock_.object().mapping(), lock_.object().index());
    return !machine.alive(owner_of(owner));
  }
  bool wakes_one() const override { return true; }

 private:
  const LockHandle lock_;
};

class SemaphoreWatch : public Watch {
 public:
  explicit SemaphoreWatch(const Handle<SemaphoreWord>& handle) : handle_(handle) {}
  std::atomic<std::uint32_t>* sleepers() override { return &handle_.word->sleepers; }
  bool is_ready(bool) override { return handle_.word->count.load(std::memory_order_acquire) > 0; }
  bool wakes_one() const override { return true; }

 private:
  const Handle<SemaphoreWord> handle_;
};

class BoundedWatch : public Watch {
 public:
  BoundedWatch(const BoundedSemaphore& semaphore, BoundedWord& word)
      : semaphore_(semaphore), word_(word) {}
  std::atomic<std::uint32_t>* sleepers() override { return &word_.sleepers; }
  // A close look takes the permits of the dead back.
  bool is_ready(bool closely) override {
    return word_.count.load(std::memory_order_acquire) > 0 || (closely && semaphore_.value() > 0);
  }
  bool wakes_one() const override { return true; }

 private:
  const BoundedSemaphore semaphore_;
  BoundedWord& word_;
};

class EventWatch : public Watch {
 public:
  explicit EventWatch(const Handle<EventWord>& handle) : handle_(handle) {}
  std::atomic<std::uint32_t>* sleepers() override { return &handle_.word->sleepers; }
  bool is_ready(bool) override {
    return is_set(handle_.word->state.load(std::memory_order_acquire));
  }

 private:
  const Handle<EventWord> handle_;
};

class QueueWatch : public Watch {
 public:
  explicit QueueWatch(const QueueHandle& queue) : queue_(queue) {}
  std::atomic<std::uint32_t>* sleepers() override { return &queue_.poppers(); }
  bool is_ready(bool closely) override { return queue_.is_poppable(closely); }
  bool wakes_one() const override { return true; }

 private:
  const QueueHandle queue_;
};

// One call: as lib/core/wait.hpp, on many words at once; a look is dearer here, and so nearly all that
// is done between two of them is to yield.
class WaitForAny {
 public:
  explicit WaitForAny(std::vector<Watch*> watches) : watches_(std::move(watches)) {}

  std::optional<std::size_t> until(Deadline deadline) {
    if (const auto ready = look(deadline == kDoNotWait)) return ready;
    if (deadline == kDoNotWait) return std::nullopt;
    if (const auto ready = spin()) return ready;
    const auto ready = sleep_until(deadline);
    pass_on();
    return ready;
  }

 private:
  static constexpr int kYields = 20;

  std::optional<std::size_t> look(bool closely) {
    const auto ready = std::find_if(watches_.begin(), watches_.end(),
                                    [closely](Watch* watch) { return watch->is_ready(closely); });
    if (ready == watches_.end()) return std::nullopt;
    return static_cast<std::size_t>(ready - watches_.begin());
  }

  std::optional<std::size_t> spin() {
    for (int i = 0; i < kYields; ++i) {
      Machine::yield();
      if (const auto ready = look(false)) return ready;
    }
    return std::nullopt;
  }

  std::optional<std::size_t> sleep_until(Deadline deadline) {
    for (int slice = 0;; ++slice) {
      announce();
      const bool reached = Machine::barrier();  // M1 -> M2 in lib/core/wait.hpp, of every word
      if (const auto ready = look(true)) return ready;
      const std::int64_t now = deadline == kForever ? 0 : Machine::now();
      if (now >= deadline) return std::nullopt;
      std::int64_t length = core::slice_length(slice);
      if (!reached || words_.size() < watches_.size())
        length = std::min(length, core::kSliceWithoutBarrier);
      if (words_.empty()) words_.push_back({&nobodys_, 0});
      os::futex_wait_any(words_, std::min(length, deadline - now));
    }
  }

  void announce() {
    words_.clear();
    for (Watch* watch : watches_)
      if (std::atomic<std::uint32_t>* const sleepers = watch->sleepers())
        words_.push_back({sleepers, core::announce<Machine>(*sleepers)});
  }

  // A wake may have been spent on this call while others sleep, who would take what it leaves.
  void pass_on() {
    for (Watch* watch : watches_)
      if (watch->wakes_one() && watch->is_ready(false)) os::futex_wake(*watch->sleepers(), 1);
  }

  const std::vector<Watch*> watches_;
  std::vector<os::Expected> words_;
  std::atomic<std::uint32_t> nobodys_{0};
};

}  // namespace

std::shared_ptr<Watch> watch_of(const QueueHandle& queue) {
  return std::make_shared<QueueWatch>(queue);
}

std::optional<std::size_t> wait_any_until(std::span<const Waitable> objects, Deadline deadline) {
  constexpr std::size_t kMost = 100;
  static_assert(kMost <= os::kMostWords);
  if (objects.empty() || objects.size() > kMost)
    throw std::invalid_argument("shoal: wait_any: " + std::to_string(objects.size()) +
                                " objects: it takes 1 to 100");
  std::vector<Watch*> watches;
  for (const Waitable& object : objects) watches.push_back(object.watch_.get());
  return WaitForAny(std::move(watches)).until(deadline);
}

}  // namespace detail

Waitable::Waitable(const Lock& lock) : watch_(std::make_shared<detail::LockWatch>(lock.handle_)) {}
Waitable::Waitable(const RLock& lock) : watch_(std::make_shared<detail::LockWatch>(lock.handle_)) {}
Waitable::Waitable(const Semaphore& semaphore)
    : watch_(std::make_shared<detail::SemaphoreWatch>(semaphore.handle_)) {}
Waitable::Waitable(const BoundedSemaphore& semaphore)
    : watch_(std::make_shared<detail::BoundedWatch>(semaphore, *semaphore.handle_.word)) {}
Waitable::Waitable(const Event& event)
    : watch_(std::make_shared<detail::EventWatch>(event.handle_)) {}

}  // namespace shoal
