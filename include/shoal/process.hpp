// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "shoal/detail/deadline.hpp"
#include "shoal/error.hpp"

namespace shoal {

// How many CPUs this process may run on, and how many cores these are: two hyperthreads are one.
[[nodiscard]] unsigned cpu_count();
[[nodiscard]] unsigned physical_cpu_count();

// A Process runs a function in a process of its own, or another program.
//
//   void greet(std::string name) { std::cout << "hello, " << name << '\n'; }
//
//   shoal::Process bob(greet, "bob");
//   bob.start();
//   bob.join();
//
// The function and its arguments are copied when the Process is made, and called in the child, which
// is a copy of this process, made by fork(2) as start() is called: it has what there was then, and
// what it changes is its own; only shoal's objects are shared. Of several threads it has the one
// that called start(). Handles of shoal's that this process had are valid there, held locks are not
// held.
//
// The child ends with the function: nothing else of this program runs in it, neither destructors
// nor what was given to std::atexit. What was written to stdout or stderr before start() is not written
// twice; what the child writes there is not lost. Of any other std::FILE or stream, the child never
// writes what this process has left in its buffer; and what the child leaves there is lost: it closes
// or flushes what it writes to. Python does the same.
//
// Only the process that made a Process may use it; any of its threads may. Out of turn, a call
// throws std::logic_error: before start(), after it, or in another process.
class Process {
 public:
  template <class F, class... A>
  requires(!std::same_as<std::remove_cvref_t<F>, Process> &&
           std::invocable<std::decay_t<F>, std::decay_t<A>...>) explicit Process(F&& function,
                                                                                 A&&... arguments)
      : Process(Body{call(std::forward<F>(function), std::forward<A>(arguments)...)}) {}

  // Of another program: its name, looked for in PATH unless there is a slash in it, and its
  // arguments. Throws std::invalid_argument where there is no name.
  [[nodiscard]] static Process program(std::vector<std::string> argv);

  // As the destructor does to what it replaces.
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  // Joins; a daemon is terminated first, and killed where it has not ended 5 s later. In a process
  // that has not made it: does nothing.
  ~Process();

  // Throws NotFound and PermissionDenied where there is no such program, or it may not be run.
  void start();
  // Waits until it has ended.
  void join();
  // False when the time is over. Zero, negative and NaN: do not wait.
  template <class Rep, class Period>
  [[nodiscard]] bool join_for(std::chrono::duration<Rep, Period> wait) {
    return join_until(detail::deadline_after(wait));
  }

  // Started, and not ended.
  [[nodiscard]] bool is_alive() const;
  // 0 before start(). It stays when the process has ended; the system may give it to others then.
  [[nodiscard]] std::int32_t pid() const;
  // Once it has ended: what it returned to the system, 0 to 255, of a function 0; -N where signal N
  // ended it; 1 after an exception, whose type and what() it has written to stderr. 255 also where
  // this program has waited for it by other means: who does, gets to know it.
  [[nodiscard]] std::optional<int> exit_code() const;

  // Sends SIGTERM, or SIGKILL. Nothing happens where it has ended.
  void terminate();
  void kill();

  // To be told from others in messages, and by ps(1) its first 15 bytes; else "Process-" and a number.
  [[nodiscard]] const std::string& name() const;
  Process& name(std::string name) &;
  Process&& name(std::string name) &&;
  // A daemon ends with the process that made it, also where that is killed: by SIGKILL. Not with the
  // thread that started it. A program keeps a file descriptor open for that.
  Process& daemon(bool is_daemon = true) &;
  Process&& daemon(bool is_daemon = true) &&;

 private:
  friend class Waitable;
  struct State;

  // A type of its own: a std::function that is given to a Process is a function like others.
  struct Body {
    std::function<void()> call;
  };
  explicit Process(Body body);

  // A function object has to be copyable, what it calls does not.
  template <class F, class... A>
  static std::function<void()> call(F&& function, A&&... arguments) {
    using Call = std::tuple<std::decay_t<F>, std::decay_t<A>...>;
    return
        [call = std::make_shared<Call>(std::forward<F>(function), std::forward<A>(arguments)...)] {
          std::apply([](auto&&... parts) { static_cast<void>(std::invoke(std::move(parts)...)); },
                     std::move(*call));
        };
  }
  bool join_until(detail::Deadline deadline);
  void finish() noexcept;

  std::shared_ptr<State> state_;
};

}  // namespace shoal
