// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shoal/detail/deadline.hpp"

// Processes that this one starts.
namespace shoal::os {

// Until what has been printed is where it should be: to stdout and stderr, by the C library's means and
// by C++'s. Other files are left alone, by parent and child alike: what is in their buffers at a fork
// would else be written by both.
void flush_output();

// Leaves at once: no destructors, no handlers.
[[noreturn]] void leave(int status);

// The reading and the writing end of a pipe. The writing end is this process's alone: forked children
// close it before they do anything else, programs do not get it. Throws std::system_error.
std::pair<int, int> unshared_pipe();
// A descriptor is this process's alone from here on.
void close_on_fork(int descriptor);
// Of one that is this process's alone: closes it, unless a fork has.
void close_unshared(int descriptor);
// Those forked by this thread, while this is there, keep the descriptor.
class PassOn {
 public:
  explicit PassOn(int descriptor);
  PassOn(const PassOn&) = delete;
  PassOn& operator=(const PassOn&) = delete;
  ~PassOn();
};

// A pipe of which only this process has the writing end: no forked child, no program started. So who
// has the reading end can tell that this process has ended, however it did.
class Tether {
 public:
  Tether();  // throws std::system_error
  Tether(const Tether&) = delete;
  Tether& operator=(const Tether&) = delete;
  // As though this process had ended: those tied to it are killed.
  ~Tether();

  // Called by a child: it will be killed as soon as the process that made this has ended, or its
  // whole process group. `passed_on`: to the program that it becomes.
  void tie(bool passed_on) const;
  void tie_group() const;

 private:
  void tie_to(int owner) const;
  int reading_ = -1;
  int writing_ = -1;
};

// A child, from fork(2) until it has been waited for.
class Child {
 public:
  // Runs the body in a forked process, which leaves with what that returns. Throws
  // std::system_error.
  explicit Child(const std::function<int()>& body);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();  // waits for nothing

  [[nodiscard]] std::int32_t pid() const { return pid_; }
  // 0 to 255, or -N for signal N; nothing while it runs. 255 where somebody else has waited for it.
  [[nodiscard]] std::optional<int> exit_code();
  // Waits. False at the deadline.
  [[nodiscard]] bool ends_by(detail::Deadline deadline);
  // Nothing happens where it has ended.
  void send(int signal);
  // Its process group, as it is until it has been waited for.
  void kill_group();
  // Without waiting for it: its pid stays its own.
  [[nodiscard]] bool has_ended();

 private:
  const std::int32_t pid_;
  int pidfd_ = -1;
  std::mutex mutex_;
  std::optional<int> exit_code_;
};

inline constexpr int kTerminate = 15;
inline constexpr int kKill = 9;

// Becomes another program; returns why not.
int become_program(const std::vector<std::string>& argv);

// As become_program() in a child, and waits until it has: throws std::system_error where it cannot.
// `before` is called in the child first.
std::unique_ptr<Child> start_program(const std::vector<std::string>& argv,
                                     const std::function<void()>& before);

// What ps(1) shows of this process: the first 15 bytes.
void set_process_name(const std::string& name);

}  // namespace shoal::os
