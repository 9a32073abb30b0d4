// SPDX-License-Identifier: MIT
#include "members.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "interruptible.hpp"
#include "participant.hpp"

namespace shoal::stress {
namespace {

void pin(const std::vector<unsigned>& cpus, unsigned index) {
  if (cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpus[index % cpus.size()], &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0)
    throw std::system_error(errno, std::generic_category(), "sched_setaffinity");
}

}  // namespace

void Members::start(unsigned index) {
  control_.slots[index].life.fetch_add(1, std::memory_order_relaxed);
  const pid_t parent = ::getpid();
  members_[index].resume_at = 0;
  // fork() takes the directory locks of shoal's segments, which a stopped one may hold.
  signal_stopped(SIGCONT);
  members_[index].child = std::make_unique<os::Child>([&, index] {
    // Of the thread that forks: the engine's, which is there as long as its process is.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) return 1;
    Interruptible::ignore();
    pin(plan_.cpus, index);
    return Participant(control_, plan_, index).live(subject_);
  });
  signal_stopped(SIGSTOP);
  control_.slots[index].pid.store(members_[index].child->pid(), std::memory_order_relaxed);
}

void Members::signal_stopped(int signal) {
  for (const Member& member : members_)
    if (member.resume_at != 0) member.child->send(signal);
}

bool Members::all_ready() const {
  return std::all_of(control_.slots.begin(), control_.slots.begin() + count(),
                     [](const Slot& slot) { return slot.ready.load(std::memory_order_relaxed); });
}

void Members::kill(unsigned index) {
  Slot& slot = control_.slots[index];
  slot.condemned.store(slot.life.load(std::memory_order_relaxed), std::memory_order_release);
  members_[index].child->send(SIGKILL);
  static_cast<void>(members_[index].child->ends_by(detail::kForever));
  subject_.killed(index);
}

bool Members::stop(unsigned index, std::int64_t resume_at) {
  if (members_[index].resume_at != 0) return false;
  members_[index].resume_at = resume_at;
  members_[index].child->send(SIGSTOP);
  return true;
}

void Members::resume(std::int64_t now) {
  for (Member& member : members_) {
    if (member.resume_at == 0 || member.resume_at > now) continue;
    member.resume_at = 0;
    member.child->send(SIGCONT);
  }
}

std::int64_t Members::next_resume() const {
  std::int64_t next = detail::kForever;
  for (const Member& member : members_)
    if (member.resume_at != 0) next = std::min(next, member.resume_at);
  return next;
}

std::string Members::note_ends() {
  std::string wrong;
  for (unsigned i = 0; i < members_.size(); ++i) {
    if (members_[i].left) continue;
    const std::optional<int> code = members_[i].child->exit_code();
    members_[i].left = code.has_value();
    if (code.value_or(0) == 0) continue;
    wrong = "P" + std::to_string(i) +
            (*code < 0 ? " was ended by signal " + std::to_string(-*code)
                       : " ended by itself, with status " + std::to_string(*code));
  }
  return wrong;
}

bool Members::all_left() const {
  return std::all_of(members_.begin(), members_.end(), [](const Member& one) { return one.left; });
}

// What they do is of no interest any more.
void Members::end_all() {
  for (const Member& member : members_)
    if (member.child) member.child->send(SIGKILL);
  for (Member& member : members_) {
    if (member.child) static_cast<void>(member.child->ends_by(detail::kForever));
    member.left = true;
  }
}

std::vector<Watch::Look> Members::looks() const {
  std::vector<Watch::Look> looks;
  for (unsigned i = 0; i < members_.size(); ++i)
    looks.push_back({members_[i].child->pid(),
                     control_.slots[i].operations.load(std::memory_order_relaxed),
                     !members_[i].left});
  return looks;
}

}  // namespace shoal::stress
