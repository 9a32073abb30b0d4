// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include "shoal/detail/intent.hpp"
#include "shoal/detail/owner_value.hpp"

namespace shoal::core {

// A thread that waits, or has an operation in flight: its record in the segment. It belongs to a
// process and dies with it.
//
//   owner       0: free. Else the value of its process: by CAS from 0; back to 0 by that thread, or
//               by whoever buries the process
//   tid         for people to read
//   waits_for   0, or 1 + the index of the object whose change it waits for; its thread's
//   condition   0, or 1 + the index of the condition it waits on, from its ticket until it has the
//               lock again; its thread's
//   turn        of that wait: ticket and state
//                 idle      nobody waits                 its thread's
//                 waiting   to be notified               notifiers, to notified; its thread, to idle;
//                                                        where it is dead, notifiers and who buries
//                                                        it, to idle
//                 notified  a notify is this waiter's    its thread, to idle; where it is dead, who
//                                                        takes the notify over, to passing, or
//                                                        buries it, to idle
//                 passing   its thread is dead; in the   that other waiter, to idle; where it is
//                           place of the ticket, which   dead too, who takes the notify over, or
//                           other waiter takes over      buries that one, to notified; who buries
//                                                        its thread, to idle
//   sleepers    the wait's: lib/core/wait.hpp
//   intent      what the thread is about to claim: shoal/detail/intent.hpp
template <class Atomics>
struct BasicWaiter {
  template <class T>
  using Atomic = typename Atomics::template Atomic<T>;

  Atomic<detail::OwnerValue> owner;
  Atomic<std::uint32_t> tid;
  Atomic<std::uint32_t> waits_for;
  Atomic<std::uint64_t> turn;
  Atomic<std::uint32_t> condition;
  Atomic<std::uint32_t> sleepers;
  detail::BasicIntent<Atomics> intent;
  std::uint64_t reserved;
};

// All thread records of a segment. In production it is as long as there are records whenever it is
// looked at: more come while somebody waits, and what their threads do must not be missed.
template <class World>
struct WaitersIn {
  using Type = std::span<BasicWaiter<typename World::Atomics>>;
};

enum class Turn : std::uint64_t { idle = 0, waiting = 1, notified = 2, passing = 3 };
constexpr std::uint64_t turn_word(std::uint64_t ticket, Turn turn) {
  return ticket << 2 | static_cast<std::uint64_t>(turn);
}
constexpr Turn turn_of(std::uint64_t word) { return static_cast<Turn>(word & 3); }
constexpr std::uint64_t ticket_of(std::uint64_t word) { return word >> 2; }

}  // namespace shoal::core
