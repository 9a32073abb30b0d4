// SPDX-License-Identifier: MIT
#pragma once

// The world that core code runs in.
//
// Everything in lib/core is a template over a World and touches the machine only through it, so
// that the very same lines run in production, under ThreadSanitizer with threads as participants,
// and in the deterministic scheduler of tests/support, which explores their interleavings.
//
//   struct SomeWorld {
//     using Atomics = ...;                         // what shared words are made of: as
//                                                  // MachineAtomics, in shoal/detail/machine.hpp
//     template <class T> using Atomic = ...;       // the same, and its mutant
//     static constexpr Mutant kMutant = ...;
//     static constexpr int kLooks = ...;           // looks before yielding, then
//     static constexpr int kYields = ...;          // yields before sleeping, each followed by
//     static constexpr int kLooksAfterYield = ...; // so many looks
//     static constexpr int kRests = ...;           // of a lock: looks that are seldom, before those;
//                                                  // 0: there is no rest()
//     static constexpr std::uint64_t kPatience = ...;     // ticks that a waiter lets others go first
//     static constexpr std::uint64_t kDeathUnseen = ...;  // for so many ticks nobody can know that a
//                                                  // participant has died
//
//     static constexpr bool kTakesTurns = ...;     // of those who wait for a lock, on a CPU: else
//                                                  // there is no cpu_notes(), cpu(), object(), nap()
//
//     std::int64_t now();                          // nanoseconds of the steady clock
//     std::uint64_t ticks();                       // alike for all, of no known length, and cheap
//     void pause();                                // between two looks of a spin
//     void rest();                                 // between two looks that are seldom; with kRests
//     void yield();                                // gives the CPU away
//     std::span<BasicCpuNotes<Atomics>> cpu_notes();  // of CPUs by number, modulo their count
//     int cpu();                                   // which one runs the caller; negative: unknown
//     std::uint32_t object();                      // which one it is that is waited for
//     void nap(std::int64_t nanoseconds);          // gives the CPU away for so long
//     bool barrier();                              // a full barrier in every participant, or false
//     bool is_reached();                           // does everybody's barrier() include this one?
//     void fence();                                // a full barrier of the caller's own
//     void sleep(Atomic<std::uint32_t>&, std::uint32_t expected, std::int64_t nanoseconds);
//     void wake(Atomic<std::uint32_t>&, int sleepers);
//     void begin_wait();                           // from here on, this caller counts among those
//     void end_wait();                             // who wait; until here. They nest: a look may wait
//     bool alive(OwnerValue owner);                // asked of the kernel, never of a cache
//     Facts facts(OwnerValue owner);               // about a process that died, for its obituary
//   };
//
// sleep() returns at once where the word is not `expected` any more, else when it is woken, when
// the time is over, or for no reason at all.
//
// barrier() orders: what any participant stored before it is visible to the caller's later loads,
// and what the caller stored before it is visible to everybody's later loads.

#include <cstdint>
#include <limits>

#include "shoal/detail/deadline.hpp"
#include "shoal/detail/mutant.hpp"
#include "shoal/detail/owner_value.hpp"

namespace shoal::core {

using detail::Deadline;
using detail::Mutant;
using detail::OwnerValue;

inline constexpr int kEverybody = std::numeric_limits<int>::max();
inline constexpr std::int64_t kMillisecond = 1'000'000;

}  // namespace shoal::core
