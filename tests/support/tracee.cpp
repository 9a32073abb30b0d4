// SPDX-License-Identifier: MIT
#include "support/tracee.hpp"

#include <elf.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <system_error>

#include "support/patience.hpp"

extern "C" const char __executable_start, etext;  // the linker's: begin and end of the program

namespace shoal_test {
namespace {

using std::chrono::milliseconds;

#if defined(__x86_64__)
constexpr long kBreakpoint = 0xcc, kBreakpointMask = 0xff;      // int3
constexpr long kSystemCall = 0x050f, kSystemCallMask = 0xffff;  // syscall
constexpr long kPause = 0x90f3, kPauseMask = 0xffff;            // pause
constexpr std::uintptr_t kBreakpointSize = 1;                   // where it stops: after it
auto& next(user_regs_struct& registers) { return registers.rip; }
// RDTSC or RDTSCP: how long it is; else 0.
std::size_t counter_read(long word) {
  return (word & 0xffff) == 0x310f ? 2 : (word & 0xffffff) == 0xf9010f ? 3 : 0;
}
std::uint64_t counter() { return __builtin_ia32_rdtsc(); }
void set_counter(user_regs_struct& registers, std::uint64_t ticks) {
  registers.rax = ticks & 0xffffffff;
  registers.rdx = ticks >> 32;
}
// A LOCK prefix, or an XCHG with memory, which needs none.
bool is_atomic_rmw(long word) {
  std::array<std::uint8_t, sizeof word> code{};
  std::memcpy(code.data(), &word, sizeof word);
  std::size_t i = 0;
  while (code[i] == 0x66 || code[i] == 0x67 || code[i] == 0xf2 || code[i] == 0xf3) ++i;
  if (code[i] == 0xf0) return true;
  if ((code[i] & 0xf0) == 0x40) ++i;  // REX
  return (code[i] & 0xfe) == 0x86 && code[i + 1] < 0xc0;
}
#elif defined(__aarch64__)
constexpr long kBreakpoint = 0xd4200000, kBreakpointMask = 0xffffffff;  // brk #0
constexpr long kSystemCall = 0xd4000001, kSystemCallMask = 0xffffffff;  // svc #0
constexpr long kPause = 0xd5033fdf, kPauseMask = 0xffffffff;            // isb
constexpr std::uintptr_t kBreakpointSize = 0;                           // where it stops: at it
auto& next(user_regs_struct& registers) { return registers.pc; }
std::size_t counter_read(long) { return 0; }  // traps nowhere
std::uint64_t counter() { return 0; }
void set_counter(user_regs_struct&, std::uint64_t) {}
// A store-exclusive, a compare-and-swap, or one of the LSE operations.
bool is_atomic_rmw(long word) {
  return (word & 0x3fe00000) == 0x08000000 || (word & 0x3fa07c00) == 0x08a07c00 ||
         (word & 0x3f200c00) == 0x38200000;
}
#else
#error "say here what a breakpoint, a system call and a pause look like"
#endif

constexpr milliseconds kLook(50);
constexpr milliseconds kLifetime = std::chrono::minutes(1);

// waitid has no time-out of its own: as long as this lives, a timer interrupts it now and then.
class Interruptions {
 public:
  Interruptions() {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // without SA_RESTART
    ::sigaction(SIGALRM, &action, &old_action_);
    itimerval timer{};
    timer.it_value.tv_usec = timer.it_interval.tv_usec = kLook / std::chrono::microseconds(1);
    ::setitimer(ITIMER_REAL, &timer, &old_timer_);
  }
  ~Interruptions() {
    ::setitimer(ITIMER_REAL, &old_timer_, nullptr);
    ::sigaction(SIGALRM, &old_action_, nullptr);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

 private:
  struct sigaction old_action_ {};
  itimerval old_timer_{};
};

void be_traced(const std::function<void()>& body) {
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  mark();
  body();
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

user_regs_struct registers_of(pid_t pid) {
  user_regs_struct registers{};
  iovec buffer{&registers, sizeof registers};
  if (::ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &buffer) != 0) fail("PTRACE_GETREGSET");
  return registers;
}

void set_registers(user_regs_struct registers, pid_t pid) {
  iovec buffer{&registers, sizeof registers};
  if (::ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &buffer) != 0) fail("PTRACE_SETREGSET");
}

void go_to(std::uintptr_t address, pid_t pid) {
  user_regs_struct registers = registers_of(pid);
  next(registers) = address;
  set_registers(registers, pid);
}

long word_at(std::uintptr_t address, pid_t pid) {
  errno = 0;
  const long word = ::ptrace(PTRACE_PEEKTEXT, pid, address, nullptr);
  if (errno != 0) fail("PTRACE_PEEKTEXT");
  return word;
}

// The system's own functions look at the counter for the time.
bool is_of_this_program(std::uintptr_t address) {
  return address >= reinterpret_cast<std::uintptr_t>(&__executable_start) &&
         address < reinterpret_cast<std::uintptr_t>(&etext);
}

}  // namespace

// By no instruction that operations use as well: run_to() would take the last mark's for one of theirs,
// step over it, and with it over the stop.
void mark() { std::raise(SIGTRAP); }

void count_ticks() {
#if defined(__x86_64__)
  ::prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
#endif
}

Tracee::Tracee(const std::function<void()>& body, milliseconds patience)
    : patience_(patient(patience)), child_([&body] { be_traced(body); }, kLifetime) {
  wait_for_stop();
}

bool Tracee::run() {
  do {
    if (!go_on(PTRACE_CONT)) return false;
  } while (answer() || signal_ != 0);
  return true;
}

bool Tracee::step() {
  if (!go_on(PTRACE_SINGLESTEP)) return false;
  answer();
  return true;
}

bool Tracee::answer() {
  if (signal_ != SIGSEGV) return false;
  user_regs_struct registers = registers_of(child_.pid());
  const std::uintptr_t address = next(registers);
  const std::size_t size =
      counter_read(::ptrace(PTRACE_PEEKTEXT, child_.pid(), address, nullptr));  // -1: nothing there
  if (size == 0) return false;
  set_counter(registers, is_of_this_program(address) ? ticks_ += kTicks : counter());
  next(registers) = address + size;
  set_registers(registers, child_.pid());
  signal_ = 0;
  return true;
}

bool Tracee::run_to(std::uintptr_t address, int times) {
  const long word = word_at(address, child_.pid());
  const long trap = (word & ~kBreakpointMask) | kBreakpoint;
  while (times-- > 0) {
    poke(address, trap);
    if (!run()) return false;
    poke(address, word);
    if (where() != address + kBreakpointSize) return true;  // a mark
    go_to(address, child_.pid());
    if (times > 0 && !step()) return false;
  }
  return true;
}

std::uintptr_t Tracee::where() const {
  user_regs_struct registers = registers_of(child_.pid());
  return next(registers);
}

bool Tracee::at_system_call() const {
  return (word_at(where(), child_.pid()) & kSystemCallMask) == kSystemCall;
}

bool Tracee::at_atomic_rmw() const { return is_atomic_rmw(word_at(where(), child_.pid())); }

bool Tracee::at_pause() const { return (word_at(where(), child_.pid()) & kPauseMask) == kPause; }

bool Tracee::go_on(decltype(PTRACE_CONT) how) {
  if (state_ != State::stopped) return false;
  if (::ptrace(how, child_.pid(), nullptr, signal_) != 0) fail("ptrace");
  return wait_for_stop();
}

// A stop by another signal than SIGTRAP is on that signal's way to the tracee: it is passed on.
bool Tracee::wait_for_stop() {
  const Interruptions interruptions;
  siginfo_t info{};
  auto looks = patience_ / kLook + 1;
  // WNOWAIT: a tracee that has ended is left for Child to reap.
  while (::waitid(P_PID, static_cast<id_t>(child_.pid()), &info, WEXITED | WSTOPPED | WNOWAIT) !=
         0) {
    if (errno != EINTR) fail("waitid");
    if (--looks > 0) continue;
    state_ = State::asleep;
    return false;
  }
  const bool stopped = info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED;
  if (!stopped) state_ = State::ended;
  signal_ = stopped && info.si_status != SIGTRAP ? info.si_status : 0;
  return stopped;
}

void Tracee::poke(std::uintptr_t address, long word) const {
  if (::ptrace(PTRACE_POKETEXT, child_.pid(), address, word) != 0) fail("PTRACE_POKETEXT");
}

}  // namespace shoal_test
