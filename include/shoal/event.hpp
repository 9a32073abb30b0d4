// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string_view>

#include "shoal/detail/deadline.hpp"
#include "shoal/detail/event_word.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/open.hpp"
#include "shoal/segment.hpp"

namespace shoal {

// An Event is set or not. Who waits goes on when it is set:
//
//   shoal::Event ready(segment, "ready");
//   ready.wait();                               // elsewhere: ready.set()
//
// A set() wakes all who wait, even if clear() follows at once.
//
// Death: nobody owns an event. Who is killed waiting changes nothing; what a killed process would
// have set is waited for, as asked.
//
// Memory ordering: what was done before set() is visible to who returns from a wait that it ended,
// or sees it set.
class Event {
 public:
  // Not set, where it is created. Throws as the constructor of Lock.
  Event(const Segment& segment, std::string_view name, Open open = Open::or_create);

  // Async-signal-safe: a handler may call it.
  void set() const noexcept {
    if (detail::set_event(*handle_.word)) wake();
  }
  void clear() const noexcept { detail::clear_event(*handle_.word); }
  [[nodiscard]] bool is_set() const noexcept {
    return detail::is_set(handle_.word->state.load(std::memory_order_acquire));  // A1
  }
  [[nodiscard]] int waiting() const;  // how many threads, of all processes, are waiting

  void wait() const { wait_until_deadline(detail::kForever); }
  // Whether it was set in time. Zero, negative and NaN: do not wait.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> wait) const {
    return wait_until_deadline(detail::deadline_after(wait));
  }
  template <class Duration>
  [[nodiscard]] bool wait_until(
      std::chrono::time_point<std::chrono::steady_clock, Duration> time) const {
    return wait_until_deadline(detail::deadline_at(time));
  }

 private:
  friend class Waitable;
  void wake() const noexcept;
  bool wait_until_deadline(detail::Deadline deadline) const;

  detail::Handle<detail::EventWord> handle_;
};

}  // namespace shoal
