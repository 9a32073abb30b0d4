// SPDX-License-Identifier: MIT
#include "os/roll_call.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <tuple>
#include <utility>

namespace shoal::os {
namespace {

timespec time_of(std::int64_t nanoseconds) {
  return {static_cast<time_t>(nanoseconds / 1'000'000'000),
          static_cast<long>(nanoseconds % 1'000'000'000)};
}

sigset_t child_signal() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGCHLD);
  return set;
}

}  // namespace

RollCall::RollCall() { std::tie(reading_, writing_) = unshared_pipe(); }

RollCall::~RollCall() {
  begin();
  ::close(reading_);
}

// Once: the number may be another descriptor's then.
void RollCall::begin() { close_unshared(std::exchange(writing_, -1)); }

void RollCall::keep_to_itself() const { close_on_fork(writing_); }

bool RollCall::all_gone_by(detail::Deadline deadline) const {
  constexpr std::int64_t kHour = 3'600'000'000'000;
  for (;;) {
    const std::int64_t left = deadline - std::min(deadline, detail::steady_now());
    const timespec time = time_of(std::min(left, kHour));
    pollfd gone{reading_, POLLIN, 0};
    if (::ppoll(&gone, 1, &time, nullptr) > 0) return true;
    if (left == 0) return false;
  }
}

void become_foreman() {
  ::setpgid(0, 0);
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);
  const sigset_t child = child_signal();
  ::sigprocmask(SIG_SETMASK, &child, nullptr);
}

std::int32_t fork_worker(const std::function<int()>& body) {
  flush_output();
  const pid_t foreman = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  // The group's end is not that of one that has left it. A foreman has a single thread.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != foreman) ::raise(SIGKILL);
  for (int signal : {SIGHUP, SIGQUIT, SIGTERM}) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int status = body();
  flush_output();
  leave(status);
}

std::optional<Ended> wait_for_child(std::int64_t nanoseconds) {
  siginfo_t info{};
  for (int tries = 0; tries < 2; ++tries) {
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0) {
      if (info.si_code == CLD_EXITED) return Ended{info.si_pid, 0, info.si_status};
      return Ended{info.si_pid, info.si_status, 0};
    }
    if (tries > 0) break;
    const sigset_t child = child_signal();
    const timespec time = time_of(nanoseconds);
    ::sigtimedwait(&child, nullptr,
                   &time);  // one for several children, perhaps: then the next call
  }
  return std::nullopt;
}

}  // namespace shoal::os
