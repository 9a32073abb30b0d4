// SPDX-License-Identifier: MIT
#include "watch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <utility>

namespace shoal::stress {
namespace {

// Between two looks; what is more than that, the engine itself was not given.
constexpr std::int64_t kMostCredit = 50'000'000;

// The third word of /proc/PID/stat; '?' where there is no such process.
char state_of(pid_t pid) {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(pid));
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return '?';
  char text[256];
  const ssize_t size = ::read(file, text, sizeof text - 1);
  ::close(file);
  if (size <= 0) return '?';
  text[size] = 0;
  const char* const end = std::strrchr(text, ')');  // the name may have anything in it
  return end != nullptr && end[1] == ' ' ? end[2] : '?';
}

std::int64_t cpu_time_of(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

const char* spelled_state(char state) {
  switch (state) {
    case 'S':
      return "asleep";
    case 'R':
      return "running";
    default:
      return "stopped";
  }
}

}  // namespace

// What the participant had of the time since the look before.
std::int64_t Watch::had(Seen& seen, const Look& look, std::int64_t elapsed) {
  const bool same = seen.present && look.present && seen.pid == look.pid;
  seen.present = look.present;
  seen.pid = look.pid;
  if (!seen.present) return elapsed;
  const char state = state_of(seen.pid);
  const bool slept = state == 'S' && seen.state == 'S';
  seen.state = state;
  const std::int64_t before = std::exchange(seen.cpu_time, cpu_time_of(seen.pid));
  if (state == 'T') return 0;
  return same && !slept ? seen.cpu_time - before : elapsed;
}

void Watch::look(const std::vector<Look>& looks, std::int64_t now) {
  const std::int64_t elapsed = looked_ == 0 ? 0 : std::min(now - looked_, kMostCredit);
  looked_ = now;
  std::int64_t credit = elapsed;
  total_ = 0;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    credit = std::clamp<std::int64_t>(had(seen_[i], looks[i], elapsed), 0, credit);
    total_ += looks[i].operations;
  }
  for (std::size_t i = 0; i < looks.size(); ++i) {
    Seen& seen = seen_[i];
    seen.stalled += credit;
    if (seen.present && looks[i].operations == seen.operations) continue;
    seen.operations = looks[i].operations;
    seen.others_then = total_;
    seen.stalled = 0;
  }
}

std::int64_t Watch::longest_stall() const {
  std::int64_t longest = 0;
  for (const Seen& seen : seen_) longest = std::max(longest, seen.stalled);
  return longest;
}

std::string Watch::describe(std::int64_t patience) const {
  std::string who;
  std::uint64_t by_others = 0;
  unsigned count = 0;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const Seen& seen = seen_[i];
    if (!seen.present || seen.stalled < patience) continue;
    who +=
        (count++ == 0 ? "P" : ", P") + std::to_string(i) + " (" + spelled_state(seen.state) + ")";
    by_others = std::max(by_others, total_ - seen.others_then);
  }
  const std::string time = std::to_string(longest_stall() / 1'000'000) + " ms";
  const std::string what = who + (count == 1 ? " has" : " have") + " not got on for " + time;
  if (by_others == 0) return what + ", nor has anybody else";
  return what + ", in which others did " + std::to_string(by_others) +
         (by_others == 1 ? " step" : " steps");
}

}  // namespace shoal::stress
