// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <limits>
#include <mutex>
#include <string_view>
#include <utility>

#include "shoal/detail/condition_word.hpp"
#include "shoal/detail/deadline.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/lock.hpp"
#include "shoal/open.hpp"
#include "shoal/rlock.hpp"
#include "shoal/segment.hpp"

namespace shoal {

// A Condition lets who holds a lock wait until somebody else has changed what it protects:
//
//   shoal::Condition changed(segment, "changed");
//   std::unique_lock held(lock);                            // a Lock or an RLock
//   changed.wait(held, [&] { return stock.load() > 0; });   // elsewhere: changed.notify_one()
//
// A wait gives the lock up, an RLock however often it is held, and has it back when it returns. A
// notify is for those who wait when it is made, the longest waiting first, and is not remembered
// for others. Notifiers should hold the lock, but need not.
//
// Death: a killed waiter changes nothing: a notify meant for it goes to another one. If the lock
// turns out abandoned when a wait wants it back, the wait throws OwnerDied, the lock is not owned,
// and its notify is passed on.
//
// Memory ordering: that of the lock.
class Condition {
 public:
  // Throws as the constructor of Lock.
  Condition(const Segment& segment, std::string_view name, Open open = Open::or_create);

  // Requires: `held` owns its lock. Throws OwnerDied, TooManyParticipants (the segment has
  // max_threads threads waiting), std::system_error as std::unique_lock where nothing is held.
  template <class L>
  void wait(std::unique_lock<L>& held) const {
    static_cast<void>(wait_deadline(held, detail::kForever));
  }
  template <class L, class P>
  void wait(std::unique_lock<L>& held, P predicate) const {
    while (!predicate()) wait(held);
  }
  // False: timed out, and this waiter took no notify. Zero, negative and NaN: gives the lock up and
  // takes it back.
  template <class L, class Rep, class Period>
  [[nodiscard]] bool wait_for(std::unique_lock<L>& held,
                              std::chrono::duration<Rep, Period> wait) const {
    return wait_deadline(held, detail::deadline_after(wait));
  }
  template <class L, class Duration>
  [[nodiscard]] bool wait_until(
      std::unique_lock<L>& held,
      std::chrono::time_point<std::chrono::steady_clock, Duration> time) const {
    return wait_deadline(held, detail::deadline_at(time));
  }
  // The predicate's last value.
  template <class L, class Rep, class Period, class P>
  [[nodiscard]] bool wait_for(std::unique_lock<L>& held, std::chrono::duration<Rep, Period> wait,
                              P predicate) const {
    return wait_deadline(held, detail::deadline_after(wait), predicate);
  }
  template <class L, class Duration, class P>
  [[nodiscard]] bool wait_until(std::unique_lock<L>& held,
                                std::chrono::time_point<std::chrono::steady_clock, Duration> time,
                                P predicate) const {
    return wait_deadline(held, detail::deadline_at(time), predicate);
  }

  void notify_one() const { notify(1); }
  // Wakes n of those who wait, or all if there are fewer. Throws std::invalid_argument where n < 1.
  void notify(int n) const;
  void notify_all() const { notify(std::numeric_limits<int>::max()); }
  [[nodiscard]] int waiting() const;  // how many threads, of all processes, are waiting

 private:
  // A wait in progress: this thread's record.
  class Wait {
   public:
    explicit Wait(const Condition& condition);
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    ~Wait();
    bool await(detail::Deadline deadline);
    void done() { done_ = true; }  // the lock is held again: a notify has done its work

   private:
    const Condition& condition_;
    void* waiter_;
    bool notified_ = false;
    bool done_ = false;
  };

  // How often this thread holds the lock more than once.
  static std::uint32_t again(const Lock&) { return 0; }
  static std::uint32_t again(const RLock& lock) { return lock.depth() - 1; }

  template <class L>
  bool wait_deadline(std::unique_lock<L>& held, detail::Deadline deadline) const {
    if (!held.owns_lock()) held.unlock();  // throws std::system_error
    const L& lock = *held.mutex();
    const std::uint32_t more = again(lock);
    Wait wait(*this);
    for (std::uint32_t i = 0; i < more; ++i) lock.unlock();
    held.unlock();
    const bool notified = wait.await(deadline);
    held.lock();
    for (std::uint32_t i = 0; i < more; ++i) lock.lock();
    wait.done();
    return notified;
  }
  template <class L, class P>
  bool wait_deadline(std::unique_lock<L>& held, detail::Deadline deadline, P& predicate) const {
    while (!predicate())
      if (!wait_deadline(held, deadline)) return predicate();
    return true;
  }

  detail::Handle<detail::ConditionWord> handle_;
};

}  // namespace shoal
