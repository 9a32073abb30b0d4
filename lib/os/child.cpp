// SPDX-License-Identifier: MIT
#include "os/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <memory>
#include <system_error>
#include <tuple>

#include "os/descriptor.hpp"
#include "os/process.hpp"

namespace shoal::os {

// Not fflush(nullptr): a thread that waits for input holds its file locked, whichever it is, and that
// would wait for it.
void flush_output() {
  std::cout.flush();
  std::clog.flush();
  std::fflush(stdout);
  std::fflush(stderr);
}

void leave(int status) { ::_exit(status); }

namespace {

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

template <class Call>
auto despite_signals(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

void make_pipe(int (&ends)[2]) {
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe2");
  for (int& descriptor : ends) move_beyond_stderr(descriptor);
}

// --- Descriptors that are not for children

struct Unshared {
  std::mutex mutex;
  std::vector<int> descriptors;
};
constinit Lasting<Unshared> unshared;
thread_local int passed_on = -1;

void before_fork() { unshared->mutex.lock(); }
void after_fork_in_parent() { unshared->mutex.unlock(); }
void after_fork_in_child() {
  for (const int descriptor : unshared->descriptors)
    if (descriptor != passed_on) ::close(descriptor);
  unshared->descriptors.clear();
  passed_on = -1;  // whoever passes it on is the parent's: here it would never be destroyed
  unshared->mutex.unlock();
}

[[gnu::init_priority(101)]] const AtFork at_fork(before_fork, after_fork_in_parent,
                                                 after_fork_in_child);

}  // namespace

std::pair<int, int> unshared_pipe() {
  const std::scoped_lock held(unshared->mutex);  // no fork before it is noted
  int ends[2];
  make_pipe(ends);
  unshared->descriptors.push_back(ends[1]);
  return {ends[0], ends[1]};
}

void close_on_fork(int descriptor) {
  const std::scoped_lock held(unshared->mutex);
  unshared->descriptors.push_back(descriptor);
}

void close_unshared(int descriptor) {
  const std::scoped_lock held(unshared->mutex);
  if (std::erase(unshared->descriptors, descriptor) > 0) ::close(descriptor);
}

PassOn::PassOn(int descriptor) { passed_on = descriptor; }
PassOn::~PassOn() { passed_on = -1; }

// --- Tether

Tether::Tether() { std::tie(reading_, writing_) = unshared_pipe(); }

Tether::~Tether() {
  ::close(reading_);
  close_unshared(writing_);
}

void Tether::tie(bool passed_on_to_program) const {
  tie_to(::getpid());
  if (passed_on_to_program) ::fcntl(reading_, F_SETFD, 0);
}

void Tether::tie_group() const { tie_to(-::getpgrp()); }

// The kernel sends the signal when the last writer has gone; and poll() tells if it went before.
void Tether::tie_to(int owner) const {
  ::fcntl(reading_, F_SETOWN, owner);
  ::fcntl(reading_, F_SETSIG, SIGKILL);
  ::fcntl(reading_, F_SETFL, O_ASYNC);
  pollfd ended{reading_, POLLIN, 0};
  if (::poll(&ended, 1, 0) > 0) ::raise(SIGKILL);
}

// --- Child

Child::Child(const std::function<int()>& body)
    : pid_([&body] {
        flush_output();
        const pid_t pid = ::fork();
        if (pid < 0) fail("fork");
        if (pid > 0) return pid;
        const int status = body();
        flush_output();
        leave(status);
      }()) {
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
}

Child::~Child() {
  if (pidfd_ >= 0) ::close(pidfd_);
}

std::optional<int> Child::exit_code() {
  const std::scoped_lock held(mutex_);
  if (exit_code_) return exit_code_;
  siginfo_t info{};
  const auto pid = static_cast<id_t>(pid_);
  if (despite_signals([&] { return ::waitid(P_PID, pid, &info, WEXITED | WNOHANG); }) != 0)
    exit_code_ = 255;
  else if (info.si_pid != 0)
    exit_code_ = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
  return exit_code_;
}

bool Child::ends_by(detail::Deadline deadline) {
  constexpr std::int64_t kMoment =
      1'000'000;  // without a descriptor to wait on: look, now and then
  constexpr std::int64_t kHour = 3'600'000'000'000;
  while (!exit_code()) {
    const std::int64_t now = detail::steady_now();
    if (deadline <= now) return false;
    const std::int64_t wait = std::min(deadline - now, pidfd_ >= 0 ? kHour : kMoment);
    const timespec time{static_cast<time_t>(wait / 1'000'000'000),
                        static_cast<long>(wait % 1'000'000'000)};
    pollfd ended{pidfd_, POLLIN, 0};  // without a descriptor: a sleep
    ::ppoll(&ended, 1, &time, nullptr);
  }
  return true;
}

void Child::send(int signal) {
  const std::scoped_lock held(mutex_);
  if (!exit_code_) ::kill(pid_, signal);  // until it has been waited for the pid is its
}

void Child::kill_group() {
  const std::scoped_lock held(mutex_);
  if (exit_code_) return;
  ::kill(-pid_, SIGKILL);  // it may not lead one yet: then it is alone
  ::kill(pid_, SIGKILL);
}

bool Child::has_ended() {
  const std::scoped_lock held(mutex_);
  if (exit_code_) return true;
  siginfo_t info{};
  const auto pid = static_cast<id_t>(pid_);
  return ::waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

// --- Programs

int become_program(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  pointers.reserve(argv.size() + 1);
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  ::execvp(pointers[0], pointers.data());
  return errno;
}

std::unique_ptr<Child> start_program(const std::vector<std::string>& argv,
                                     const std::function<void()>& before) {
  // The program's end of it closes as it starts, and no other child has it.
  const auto [reading, writing] = unshared_pipe();
  std::unique_ptr<Child> child;
  try {
    const PassOn pass_on(writing);
    child = std::make_unique<Child>([&, writing = writing] {
      before();
      const int error = become_program(argv);
      static_cast<void>(::write(writing, &error, sizeof error));
      return 127;
    });
  } catch (...) {
    ::close(reading);
    close_unshared(writing);
    throw;
  }
  close_unshared(writing);
  int error = 0;
  const ssize_t size =
      despite_signals([&, reading = reading] { return ::read(reading, &error, sizeof error); });
  ::close(reading);
  if (size != sizeof error) return child;
  static_cast<void>(child->ends_by(detail::kForever));
  throw std::system_error(error, std::generic_category());
}

void set_process_name(const std::string& name) { ::prctl(PR_SET_NAME, name.c_str()); }

}  // namespace shoal::os
