// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string_view>
#include <type_traits>
#include <utility>

#include "shoal/detail/barrier_word.hpp"
#include "shoal/detail/deadline.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/error.hpp"
#include "shoal/open.hpp"
#include "shoal/segment.hpp"

namespace shoal {

// A Barrier lets nobody pass until as many as its parties have arrived, round after round:
//
//   shoal::Barrier start(segment, "start", 4);
//   start.arrive_and_wait();                    // returns when four have called it
//
// Death: a process that dies inside breaks the barrier: those who wait, and those who come, get
// BrokenBarrier, until somebody calls reset().
//
// Memory ordering: what each party did before it arrived is visible to all after they have passed.
class Barrier {
 public:
  // For 1 to 16383 parties, which who opens it must give alike or not at all. Throws
  // std::invalid_argument, and as the constructor of Lock.
  Barrier(const Segment& segment, std::string_view name, int parties, Open open = Open::or_create);
  Barrier(const Segment& segment, std::string_view name, Open open = Open::existing);

  // Returns 0 to parties - 1, each once a round. Throws BrokenBarrier.
  int arrive_and_wait() const { return arrive(detail::kForever); }
  // At the end of the time the barrier breaks, for all.
  template <class Rep, class Period>
  int arrive_and_wait_for(std::chrono::duration<Rep, Period> wait) const {
    return arrive(detail::deadline_after(wait));
  }
  template <class Duration>
  int arrive_and_wait_until(
      std::chrono::time_point<std::chrono::steady_clock, Duration> time) const {
    return arrive(detail::deadline_at(time));
  }
  // The last to arrive runs its action, before anyone is let go. If it throws, the barrier breaks,
  // and the exception is thrown there. A child that it forks is no party, and lets nobody go.
  template <class F>
  requires std::is_invocable_v<F&>
  int arrive_and_wait(F action) const {
    const Arrival arrival = arrive_with_action(detail::kForever);
    if (!arrival.is_last) return arrival.index;
    try {
      action();
    } catch (...) {
      break_round(arrival);
      throw;
    }
    complete(arrival);
    return arrival.index;
  }

  void abort() const;                 // breaks it
  void reset() const;                 // mends it; those who wait get BrokenBarrier
  [[nodiscard]] bool broken() const;  // also where nobody has come across a death yet
  [[nodiscard]] int parties() const;
  [[nodiscard]] int waiting() const;  // how many have arrived, and wait for the others

 private:
  struct Arrival {
    int index;
    bool is_last;
    std::uint32_t round;
    detail::OwnerValue party;  // who has arrived
  };
  int arrive(detail::Deadline deadline) const;
  Arrival arrive_with_action(detail::Deadline deadline) const;
  void complete(const Arrival& arrival) const;
  void break_round(const Arrival& arrival) const;

  detail::Handle<detail::BarrierWord> handle_;
};

}  // namespace shoal
