// SPDX-License-Identifier: MIT
#pragma once

// A fiber is a stack and a place to go on. One thread runs many, one at a time, and changes from
// one to the next only where they say so, which is what makes a schedule repeatable.
//
//   Fiber main, worker;                       // a fiber that is never started is the thread itself
//   worker.start(entry, argument);            // as often as wanted: what was on the stack is gone
//   Fiber::change(main, worker);              // returns when somebody changes back to main
//
// The switch is a few instructions on x86-64 and aarch64 and swapcontext(), with its two system
// calls, elsewhere.
//
// An abandoned fiber is not unwound: objects on its stack are never destroyed.

#include <cstddef>

namespace shoal_test {

class Fiber {
 public:
  using Entry = void (*)(void*);

  Fiber() = default;
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Forgets whatever the stack held. The next change to this fiber calls entry(argument), which
  // must not return.
  void start(Entry entry, void* argument);

  static void change(Fiber& from, Fiber& to);

 private:
  struct Machine;

  [[noreturn]] static void run(Fiber* self);
  void allocate();

  void* stack_pointer_ = nullptr;  // where the fiber stopped (or its ucontext_t)
  std::byte* stack_ = nullptr;     // lowest usable address; a guard page lies below
  std::size_t stack_size_ = 0;
  unsigned starts_ = 0;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
  void* sanitizer_ = nullptr;  // what a sanitizer keeps for a fiber that is not running
};

}  // namespace shoal_test
