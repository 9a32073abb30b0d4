// SPDX-License-Identifier: MIT
#include "support/scheduler/fiber.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#include "support/scheduler/sanitizer.hpp"

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

namespace shoal_test {

namespace {

constexpr std::size_t kGuard = 64 * 1024;       // a page, whatever the size of pages
constexpr std::size_t kStackSize = 256 * 1024;  // touched only as far as used

}  // namespace

// The switch: push the registers that a function must preserve, exchange stack pointers, pop. A
// new fiber gets a stack that looks as if it had been switched away from, with the place to go in
// two of the preserved registers.

#if defined(__x86_64__)

extern "C" void shoal_test_switch(void** from, void* to);
extern "C" void shoal_test_begin();

asm(R"(
.text
.globl shoal_test_switch
.type shoal_test_switch, @function
shoal_test_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size shoal_test_switch, . - shoal_test_switch

.globl shoal_test_begin
.type shoal_test_begin, @function
shoal_test_begin:
  movq %r12, %rdi
  pushq $0
  jmp *%r13
.size shoal_test_begin, . - shoal_test_begin
)");

struct Fiber::Machine {
  static void prepare(Fiber& fiber) {
    auto* top = reinterpret_cast<void**>(fiber.stack_ + fiber.stack_size_);
    *--top = nullptr;  // keeps the alignment of a call
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(&shoal_test_begin);  // where `ret` goes
    *--top = nullptr;                                     // rbp: the end of every backtrace
    *--top = nullptr;                                     // rbx
    *--top = &fiber;                                      // r12: argument
    *--top = reinterpret_cast<void*>(&Fiber::run);        // r13: function
    *--top = nullptr;                                     // r14
    *--top = nullptr;                                     // r15
    fiber.stack_pointer_ = top;
  }
  static void change(Fiber& from, Fiber& to) {
    shoal_test_switch(&from.stack_pointer_, to.stack_pointer_);
  }
  static void release(Fiber&) {}
};

#elif defined(__aarch64__)

extern "C" void shoal_test_switch(void** from, void* to);
extern "C" void shoal_test_begin();

asm(R"(
.text
.globl shoal_test_switch
.type shoal_test_switch, %function
shoal_test_switch:
  stp x29, x30, [sp, #-160]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  ldp x29, x30, [sp], #160
  ret
.size shoal_test_switch, . - shoal_test_switch

.globl shoal_test_begin
.type shoal_test_begin, %function
shoal_test_begin:
  mov x0, x19
  mov x30, xzr
  br x20
.size shoal_test_begin, . - shoal_test_begin
)");

struct Fiber::Machine {
  static void prepare(Fiber& fiber) {
    auto* frame = reinterpret_cast<void**>(fiber.stack_ + fiber.stack_size_ - 160);
    for (int i = 0; i < 20; ++i) frame[i] = nullptr;
    frame[1] = reinterpret_cast<void*>(&shoal_test_begin);  // x30: where `ret` goes
    frame[2] = &fiber;                                      // x19: argument
    frame[3] = reinterpret_cast<void*>(&Fiber::run);        // x20: function
    fiber.stack_pointer_ = frame;
  }
  static void change(Fiber& from, Fiber& to) {
    shoal_test_switch(&from.stack_pointer_, to.stack_pointer_);
  }
  static void release(Fiber&) {}
};

#else

struct Fiber::Machine {
  static ucontext_t* context(Fiber& fiber) {
    if (fiber.stack_pointer_ == nullptr) fiber.stack_pointer_ = new ucontext_t{};
    return static_cast<ucontext_t*>(fiber.stack_pointer_);
  }
  static void enter(unsigned high, unsigned low) {
    Fiber::run(reinterpret_cast<Fiber*>(
        static_cast<std::uintptr_t>((static_cast<std::uint64_t>(high) << 32) | low)));
  }
  static void prepare(Fiber& fiber) {
    ucontext_t* made = context(fiber);
    if (getcontext(made) != 0) std::abort();
    made->uc_stack.ss_sp = fiber.stack_;
    made->uc_stack.ss_size = fiber.stack_size_;
    made->uc_link = nullptr;
    const auto self = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&fiber));
    makecontext(made, reinterpret_cast<void (*)()>(&enter), 2, static_cast<unsigned>(self >> 32),
                static_cast<unsigned>(self));
  }
  static void change(Fiber& from, Fiber& to) {
    if (swapcontext(context(from), context(to)) != 0) std::abort();
  }
  static void release(Fiber& fiber) { delete static_cast<ucontext_t*>(fiber.stack_pointer_); }
};

#endif

Fiber::~Fiber() {
  sanitizer::forget(sanitizer_, stack_ != nullptr);
  Machine::release(*this);
  if (stack_ != nullptr) munmap(stack_ - kGuard, stack_size_ + kGuard);
}

void Fiber::allocate() {
  void* mapped = mmap(nullptr, kGuard + kStackSize, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  if (mprotect(mapped, kGuard, PROT_NONE) != 0) std::abort();
  stack_ = static_cast<std::byte*>(mapped) + kGuard;
  stack_size_ = kStackSize;
}

void Fiber::start(Entry entry, void* argument) {
  if (stack_ == nullptr) allocate();
  sanitizer::renew(sanitizer_, stack_, stack_size_, starts_++);
  entry_ = entry;
  argument_ = argument;
  Machine::prepare(*this);
}

void Fiber::change(Fiber& from, Fiber& to) {
  sanitizer::leave(from.sanitizer_, to.sanitizer_, to.stack_, to.stack_size_);
  Machine::change(from, to);
  sanitizer::arrive(from.sanitizer_);
}

void Fiber::run(Fiber* self) {
  sanitizer::arrive(nullptr);
  self->entry_(self->argument_);
  std::abort();
}

}  // namespace shoal_test
