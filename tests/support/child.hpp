// SPDX-License-Identifier: MIT
#pragma once

// A Child is a process that a test forks, and that cannot outlive it.
//
//   Child rival([&] { return !lock.try_lock(); });
//   CHECK(rival.succeeds());
//
// The child runs the function and leaves with _exit: no destructor and no report of the test's runs
// twice. true, 0 or void is success; an escaping exception is printed to stderr and is exit status
// 1. A child does not assert, it returns: its parent would never hear of a failed assertion.
//
// Deadline: 10 s unless told otherwise, times SHOAL_TEST_PATIENCE. A child that is still there then
// is killed, and succeeds() says so on stderr. It is also killed when its Child is destroyed, and
// when the thread that made it ends.

#include <sys/types.h>

#include <chrono>
#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace shoal_test {

class Child {
 public:
  static constexpr std::chrono::milliseconds kDeadline = std::chrono::seconds(10);

  template <std::invocable F>
  explicit Child(F body, std::chrono::milliseconds deadline = kDeadline) {
    start([&body] { return status_of(body); }, deadline);
  }
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;

  pid_t pid() const { return pid_; }

  bool succeeds();    // waits for its end: has it succeeded?
  int exit_status();  // waits for its end: what it returned, or -N if signal N ended it
  bool timed_out() const { return timed_out_; }  // was it killed at its deadline?
  [[nodiscard]] bool ends_by(std::chrono::steady_clock::time_point end);  // waits no longer

  void kill();               // and waits: what the kernel does for the dead is done on return
  void stop();               // SIGSTOP, and waits until it has stopped
  void resume();             // SIGCONT
  void wait_until_asleep();  // until each of its threads sleeps in the kernel; throws if it ends

 protected:
  Child() = default;
  void start(const std::function<int()>& body, std::chrono::milliseconds deadline);

 private:
  using Clock = std::chrono::steady_clock;

  template <class F>
  static int status_of(F& body) {
    using Result = std::invoke_result_t<F&>;
    if constexpr (std::is_void_v<Result>) {
      body();
      return 0;
    } else if constexpr (std::is_same_v<Result, bool>) {
      return body() ? 0 : 1;
    } else {
      return body();
    }
  }

  void note(int wait_status);  // what waitpid said
  void send(int signal) const;

  pid_t pid_ = -1;
  int pidfd_ = -1;
  Clock::time_point deadline_;
  std::optional<int> status_;  // once it has been waited for
  bool timed_out_ = false;
};

// A child that runs another program instead of being forked into a copy of this one: nothing is at
// the same address there. The program is the one of tests/child_main.cpp; `scenario` says which of
// its functions to call, with the other arguments.
class ExecChild : public Child {
 public:
  template <std::convertible_to<std::string_view>... Args>
  explicit ExecChild(std::string_view scenario, const Args&... args) {
    run({std::string(scenario), std::string(std::string_view(args))...}, kDeadline);
  }
  template <std::convertible_to<std::string_view>... Args>
  ExecChild(std::chrono::milliseconds deadline, std::string_view scenario, const Args&... args) {
    run({std::string(scenario), std::string(std::string_view(args))...}, deadline);
  }

 private:
  void run(std::vector<std::string> arguments, std::chrono::milliseconds deadline);
};

// For a child that goes on from where it was forked, as no Child can: 0 there, with the deadline of
// one. In the parent it returns when the child has ended, and `status` is what waitpid() says.
pid_t fork_and_wait(int& status);

// For children that are going to be killed. It returns a bool for the sake of lambdas only.
[[noreturn]] bool sleep_forever();

// SIGSTOP for a process that is another one's child; waits until it has stopped.
void stop_process(pid_t pid);

}  // namespace shoal_test
