// SPDX-License-Identifier: MIT
#include "support/child.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "support/patience.hpp"

namespace shoal_test {
namespace {

using std::chrono::milliseconds;
using Time = std::chrono::steady_clock::time_point;

// The test framework's handlers would report the child's end as the test's.
void restore_signals() {
  for (int signal : {SIGABRT, SIGALRM, SIGFPE, SIGILL, SIGINT, SIGSEGV, SIGTERM}) {
    ::signal(signal, SIG_DFL);
  }
}

// The parent kills first; this is for a parent that waits for something else and never looks.
void die_after(milliseconds time) {
  itimerval timer{};
  timer.it_value.tv_sec = time.count() / 1000 + 1;
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

[[noreturn]] void live(const std::function<int()>& body, milliseconds deadline) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  restore_signals();
  die_after(deadline);
  int status = 1;
  try {
    status = body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child %d: %s\n", ::getpid(), error.what());
  } catch (...) {
    std::fprintf(stderr, "child %d: unknown exception\n", ::getpid());
  }
  ::_exit(status);
}

// The letter of /proc/PID/task/TID/stat that follows the name in parentheses: R runs, S sleeps, ...
char state_of(const std::filesystem::path& task) {
  std::ifstream file(task / "stat");
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(") ");
  return name_end == std::string::npos ? 'X' : line[name_end + 2];
}

bool all_threads_are(char state, pid_t pid) {
  std::error_code gone;
  const std::filesystem::directory_iterator tasks("/proc/" + std::to_string(pid) + "/task", gone);
  return !gone && std::all_of(begin(tasks), end(tasks),
                              [&](const auto& task) { return state_of(task) == state; });
}

// For poll, which is asked again after a second.
int milliseconds_to(Time end, Time now) {
  if (end <= now) return 0;
  const auto left = std::min<Time::duration>(end - now, milliseconds(1000));
  return static_cast<int>(std::chrono::ceil<milliseconds>(left).count());
}

}  // namespace

void Child::start(const std::function<int()>& body, milliseconds deadline) {
  const milliseconds time = patient(deadline);
  deadline_ = Clock::now() + time;
  pid_ = ::fork();
  if (pid_ == 0) live(body, time);
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd_ >= 0) return;
  const std::system_error error(errno, std::generic_category(), "pidfd_open");
  send(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  throw error;
}

Child::~Child() {
  kill();
  if (pidfd_ >= 0) ::close(pidfd_);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      deadline_(other.deadline_),
      status_(other.status_),
      timed_out_(other.timed_out_) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(deadline_, other.deadline_);
  std::swap(status_, other.status_);
  std::swap(timed_out_, other.timed_out_);
  return *this;
}

bool Child::succeeds() {
  const int status = exit_status();
  if (timed_out_) std::fprintf(stderr, "child %d was killed at its deadline\n", pid_);
  return status == 0;
}

int Child::exit_status() {
  if (!ends_by(deadline_)) {
    timed_out_ = true;
    kill();
  }
  return status_.value();
}

void Child::kill() {
  send(SIGKILL);
  static_cast<void>(ends_by(Clock::time_point::max()));
}

void Child::stop() {
  send(SIGSTOP);
  int wait_status = 0;
  if (!status_ && ::waitpid(pid_, &wait_status, WUNTRACED) == pid_) note(wait_status);
}

void Child::resume() { send(SIGCONT); }

void stop_process(pid_t pid) {
  ::kill(pid, SIGSTOP);
  while (!all_threads_are('T', pid)) ::sched_yield();
}

void Child::wait_until_asleep() {
  while (!all_threads_are('S', pid_)) {
    if (ends_by(Clock::time_point::min())) throw std::runtime_error("child ended, not asleep");
    if (Clock::now() > deadline_) throw std::runtime_error("child did not fall asleep");
    ::sched_yield();
  }
}

void Child::note(int wait_status) {
  if (WIFEXITED(wait_status)) status_ = WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) status_ = -WTERMSIG(wait_status);
  if (status_ == -SIGALRM) timed_out_ = true;
}

bool Child::ends_by(Clock::time_point end) {
  while (pid_ > 0 && !status_) {
    const auto now = Clock::now();
    pollfd ended{pidfd_, POLLIN, 0};
    int wait_status = 0;
    if (::poll(&ended, 1, milliseconds_to(end, now)) == 1) {
      if (::waitpid(pid_, &wait_status, 0) == pid_) note(wait_status);
    } else if (now >= end) {
      return false;
    }
  }
  return true;
}

void Child::send(int signal) const {
  if (pid_ > 0 && !status_) ::kill(pid_, signal);
}

void ExecChild::run(std::vector<std::string> arguments, std::chrono::milliseconds deadline) {
  std::vector<char*> argv;
  std::string program = SHOAL_TEST_CHILD;
  argv.push_back(program.data());
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  start(
      [&] {
        ::execv(argv[0], argv.data());
        std::perror(argv[0]);
        return 127;
      },
      deadline);
}

pid_t fork_and_wait(int& status) {
  const pid_t child = ::fork();
  if (child == 0) {
    restore_signals();
    die_after(patient(Child::kDeadline));
    return 0;
  }
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return child;
}

bool sleep_forever() {
  for (;;) ::pause();
}

}  // namespace shoal_test
