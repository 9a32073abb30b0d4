// SPDX-License-Identifier: MIT
#pragma once

// A Tracee is a child that is run instruction by instruction.
//
//   Tracee tracee([&] { warm_up(); mark(); lock.unlock(); mark(); });
//   tracee.run();                  // as far as the first mark()
//   while (tracee.step()) inspect(tracee.where());
//   tracee.kill();
//
// A system call is one step, and so is each round of a repeated string instruction: where() stays
// the same then. A step that sleeps in the kernel for longer than the patience given to the
// constructor is not waited for: asleep() is true from then on.
//
// step() costs as much as a debug trap does, up to 30 us on a virtual machine. run_to() does not
// step but for getting past the address; however many instructions are between cost nothing.
//
// One thread is traced, the child's first.

#include <sys/ptrace.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "support/child.hpp"

namespace shoal_test {

class Tracee {
 public:
  Tracee(const std::function<void()>& body, std::chrono::milliseconds patience);

  // Each goes on from a stop to the next, and is false if there is none: it has ended or is asleep.
  bool run();   // to the next mark()
  bool step();  // by one instruction
  // Until it is at the address for the nth time, here and now included, or at a mark().
  bool run_to(std::uintptr_t address, int times);

  std::uintptr_t where() const;  // the instruction to be executed next
  bool at_system_call() const;   // is that a system call?
  bool at_atomic_rmw() const;    // does it read, modify and write memory at once?
  bool at_pause() const;         // does it tell the CPU that this is a spin?
  bool asleep() const { return state_ == State::asleep; }
  bool ended() const { return state_ == State::ended; }
  int exit_status() { return child_.exit_status(); }  // of one that has ended by itself
  void kill() { child_.kill(); }

 private:
  bool go_on(decltype(PTRACE_CONT) how);
  bool wait_for_stop();
  bool answer();  // if it stopped for a look at the counter
  void poke(std::uintptr_t address, long word) const;

  enum class State { stopped, asleep, ended };

  std::chrono::milliseconds patience_;
  Child child_;
  State state_ = State::stopped;
  int signal_ = 0;  // to be delivered when it goes on
  std::uint64_t ticks_ = 0;
};

// Called by the tracee: stops it.
void mark();

// Called by the tracee: from now on the processor's counter goes on by kTicks from one look of the
// test program at it to the next, however long that took; so each walk takes the same way. Nothing
// where the processor has no such traps. Its children would not survive a look.
void count_ticks();
inline constexpr std::uint64_t kTicks = 1000;

}  // namespace shoal_test
