// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string_view>

#include "shoal/detail/bounded_word.hpp"
#include "shoal/detail/deadline.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/detail/semaphore_word.hpp"
#include "shoal/open.hpp"
#include "shoal/segment.hpp"

namespace shoal {

// A Semaphore holds a number of permits. Who acquires takes one, and waits while there is none;
// anyone may release any number, whether it acquired them or not:
//
//   shoal::Semaphore jobs(segment, "jobs", 0);
//   jobs.release(3);                            // elsewhere: three acquire() return
//
// Death: permits belong to nobody. A process that dies takes what it had acquired with it; where
// that must not be, use a BoundedSemaphore. One that dies waiting changes nothing.
//
// Memory ordering: what was done before release() is visible after an acquire() that took one of
// its permits, or a later one.
class Semaphore {
 public:
  // `initial` permits, where it is created. Throws std::invalid_argument where that is negative,
  // and as the constructor of Lock.
  Semaphore(const Segment& segment, std::string_view name, int initial = 1,
            Open open = Open::or_create);
  Semaphore(const Segment& segment, std::string_view name, Open open);

  void acquire() const {
    if (!detail::take_permit(*handle_.word)) acquire_until(detail::kForever);
  }
  [[nodiscard]] bool try_acquire() const { return detail::take_permit(*handle_.word); }
  // False when the time is over. Zero, negative and NaN: as try_acquire().
  template <class Rep, class Period>
  [[nodiscard]] bool try_acquire_for(std::chrono::duration<Rep, Period> wait) const {
    return try_acquire() || acquire_until(detail::deadline_after(wait));
  }
  template <class Duration>
  [[nodiscard]] bool try_acquire_until(
      std::chrono::time_point<std::chrono::steady_clock, Duration> time) const {
    return try_acquire() || acquire_until(detail::deadline_at(time));
  }
  // Throws std::invalid_argument where n < 1, std::overflow_error where there would be more than
  // INT_MAX permits; nothing has changed then.
  void release(int n = 1) const {
    const detail::Added added =
        n < 1 ? detail::Added::overflow : detail::add_permits(*handle_.word, n);
    if (added != detail::Added::nobody_sleeps) end_release(n, added);
  }

  [[nodiscard]] int value() const;
  [[nodiscard]] int waiting() const;  // how many threads, of all processes, are waiting

 private:
  friend class Waitable;
  bool acquire_until(detail::Deadline deadline) const;
  // Wakes n, or throws.
  void end_release(int n, detail::Added added) const;

  detail::Handle<detail::SemaphoreWord> handle_;
};

// A BoundedSemaphore knows who holds its permits: they belong to the process that acquired them.
//
//   shoal::BoundedSemaphore seats(segment, "seats", 4);
//   seats.acquire();
//   seats.release();
//
// Death: the permits of a process that dies come back, exactly those. After a fork the child holds
// none: to release there what the parent had acquired does nothing.
//
// Memory ordering: as for Semaphore.
class BoundedSemaphore {
 public:
  // `initial` permits, which are never exceeded. Throws as the constructor of Semaphore.
  BoundedSemaphore(const Segment& segment, std::string_view name, int initial = 1,
                   Open open = Open::or_create);
  BoundedSemaphore(const Segment& segment, std::string_view name, Open open);

  void acquire() const { acquire_until(detail::kForever); }
  [[nodiscard]] bool try_acquire() const { return acquire_until(detail::kDoNotWait); }
  // False when the time is over. Zero, negative and NaN: as try_acquire().
  template <class Rep, class Period>
  [[nodiscard]] bool try_acquire_for(std::chrono::duration<Rep, Period> wait) const {
    return acquire_until(detail::deadline_after(wait));
  }
  template <class Duration>
  [[nodiscard]] bool try_acquire_until(
      std::chrono::time_point<std::chrono::steady_clock, Duration> time) const {
    return acquire_until(detail::deadline_at(time));
  }
  // Throws std::invalid_argument where n < 1, NotOwner where this process holds fewer; nothing has
  // changed then.
  void release(int n = 1) const;

  [[nodiscard]] int value() const;
  [[nodiscard]] int waiting() const;  // how many threads, of all processes, are waiting

 private:
  friend class Waitable;
  bool acquire_until(detail::Deadline deadline) const;

  detail::Handle<detail::BoundedWord> handle_;
};

}  // namespace shoal
