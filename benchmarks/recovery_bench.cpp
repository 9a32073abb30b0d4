// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "harness.hpp"
#include "shoal/error.hpp"
#include "shoal/lock.hpp"
#include "shoal/pipe.hpp"
#include "shoal/queue.hpp"
#include "shoal/segment.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// What who is killed, who kills it and who waits tell each other.
struct Death {
  std::atomic<pid_t> victim;  // 0: not yet where it is to die
  std::atomic<bool> awaited;
  std::atomic<Clock::rep> at;  // 0: not yet
};

// A process of the killer's; it does not survive it.
template <class Body>
pid_t fork_victim(Body body) {
  const pid_t victim = ::fork();
  if (victim < 0) throw std::runtime_error("fork failed");
  if (victim > 0) return victim;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(20);
  body();
  for (;;) ::pause();
}

// One that has said that it is where it is to die.
template <class Body>
pid_t victim_after(Death& death, Body body) {
  const pid_t victim = fork_victim([&] {
    body();
    death.victim.store(::getpid());
  });
  while (death.victim.load() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return victim;
}

// What can take part: pid_t victim(death), by the killer, starts a process and returns when that is
// where it is to die; await(death), by the survivor, waits for it, and throws where it was not told
// of the death.

class OfLock {
 public:
  OfLock(const Place& place, bool) : lock_(shoal::Segment(place.name), "lock") {}
  pid_t victim(Death& death) {
    return victim_after(death, [this] { lock_.lock(); });
  }
  void await(const Death&) {
    try {
      lock_.lock();
    } catch (const shoal::OwnerDied&) {
      return;
    }
    throw std::runtime_error("has it, and nobody told it");
  }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  shoal::Lock lock_;
};

class OfRobustMutex {
 public:
  OfRobustMutex(const Place& place, bool first)
      : mutex_(*static_cast<pthread_mutex_t*>(place.memory)) {
    if (!first) return;
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    ::pthread_mutex_init(&mutex_, &attributes);
  }
  pid_t victim(Death& death) {
    return victim_after(death, [this] { ::pthread_mutex_lock(&mutex_); });
  }
  void await(const Death&) {
    if (::pthread_mutex_lock(&mutex_) != EOWNERDEAD)
      throw std::runtime_error("has it, and nobody told it");
  }

 private:
  pthread_mutex_t& mutex_;
};

// The victim has claimed its place and not filled it yet. The survivor waits for the item behind.
class OfQueue {
 public:
  OfQueue(const Place& place, bool) : queue_(shoal::Segment(place.name), "queue", 4) {}
  pid_t victim(Death& death) {
    const pid_t rehearsal = before_push();
    int steps = 0;
    for (; queue_.size() == 0; ++steps) step(rehearsal);
    ::kill(rehearsal, SIGKILL);
    ::waitpid(rehearsal, nullptr, 0);
    static_cast<void>(queue_.pop());

    const pid_t victim = before_push();
    while (--steps > 0) step(victim);  // the last one would have published it
    queue_.push(kBehind);
    if (queue_.size() != 1) throw std::runtime_error("the victim has pushed");
    death.victim.store(victim);
    return victim;
  }
  void await(const Death&) {
    if (queue_.pop() != kBehind) throw std::runtime_error("popped what was not pushed");
  }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  static constexpr int kBehind = 2;

  // It has done it once before, so that it takes the same way each time.
  pid_t before_push() {
    const pid_t victim = fork_victim([this] {
      queue_.push(0);
      static_cast<void>(queue_.pop());
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      ::raise(SIGSTOP);
      queue_.push(1);
    });
    await_stop(victim);
    return victim;
  }
  static void step(pid_t victim) {
    ::ptrace(PTRACE_SINGLESTEP, victim, nullptr, nullptr);
    await_stop(victim);
  }
  static void await_stop(pid_t victim) {
    int status = 0;
    if (::waitpid(victim, &status, 0) != victim || !WIFSTOPPED(status))
      throw std::runtime_error("the victim has ended");
  }
  shoal::Queue<int> queue_;
};

class OfPipe {
 public:
  OfPipe(const Place& place, bool first) : pipe_(shoal::Segment(place.name), "pipe") {
    if (!first) end_.emplace(pipe_.first());
  }
  pid_t victim(Death& death) {
    return victim_after(death, [this] { end_.emplace(pipe_.second()); });
  }
  void await(const Death&) {
    try {
      static_cast<void>(end_->recv_bytes());
    } catch (const shoal::EndOfFile&) {
      return;
    }
    throw std::runtime_error("received what was not sent");
  }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  shoal::Pipe pipe_;
  std::optional<shoal::Connection> end_;
};

class OfFifo {
 public:
  OfFifo(const Place& place, bool first) : path_("/dev/shm/" + place.name) {
    if (first)
      ::mkfifo(path_.c_str(), 0600);
    else
      open(O_RDONLY | O_NONBLOCK);  // there is nobody at the other end yet
  }
  OfFifo(const OfFifo&) = delete;
  OfFifo& operator=(const OfFifo&) = delete;
  ~OfFifo() {
    ::close(end_);
    ::unlink(path_.c_str());
  }
  pid_t victim(Death& death) {
    return victim_after(death, [this] { open(O_WRONLY); });
  }
  void await(const Death&) {
    ::fcntl(end_, F_SETFL, 0);
    char byte = 0;
    if (::read(end_, &byte, 1) != 0) throw std::runtime_error("received what was not sent");
  }

 private:
  void open(int how) {
    end_ = ::open(path_.c_str(), how);
    if (end_ < 0) throw std::runtime_error("cannot open a FIFO");
  }
  std::string path_;
  int end_ = -1;
};

// As soon as the kernel says it.
class OfKernel {
 public:
  OfKernel(const Place&, bool) {}
  pid_t victim(Death& death) {
    return victim_after(death, [] {});
  }
  void await(const Death& death) {
    pollfd end{static_cast<int>(::syscall(SYS_pidfd_open, death.victim.load(), 0)), POLLIN, 0};
    if (end.fd < 0 || ::poll(&end, 1, -1) != 1) throw std::runtime_error("poll failed");
    ::close(end.fd);
  }
};

// Long enough for the waiter's sleeps to have grown as long as they get, and at any moment of one.
std::chrono::microseconds since_long() {
  return std::chrono::milliseconds(500) +
         std::chrono::microseconds(std::random_device()() % 100'000);
}

template <class Contestant>
void kill_one(Contestant& contestant, Death& death) {
  const pid_t victim = contestant.victim(death);
  while (!death.awaited.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(since_long());
  death.at.store(Clock::now().time_since_epoch().count());
  ::kill(victim, SIGKILL);
  ::waitpid(victim, nullptr, 0);
}

// From just before the kill to the survivor's look at the clock, after it has been told.
template <class Contestant>
Sample told() {
  const Report report = in_processes(2, [](const Worker& worker, const Place& place) {
    const auto contestant = open_together<Contestant>(worker, place);
    auto& death = talk<Death>(place);
    if (worker.number() == 0) {
      kill_one(*contestant, death);
    } else {
      while (death.victim.load() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      death.awaited.store(true);
      contestant->await(death);
      const auto now = Clock::now().time_since_epoch().count();
      if (death.at.load() == 0) throw std::runtime_error("went on before the death");
      worker.report(1, Clock::duration(now - death.at.load()));
    }
    worker.meet();
  });
  return one_of(report);
}

Case recovery(const char* name, const std::string& who, std::vector<Contender> contenders) {
  const std::string ours = contenders.front().name;
  contenders.push_back({"pidfd, poll()", told<OfKernel>, true});
  return {std::string("recovery.") + name,
          "kill -9 of " + who +
              ", until another process goes on, which has slept for more than "
              "500 ms; a round is a death",
          "pidfd, poll()",
          std::move(contenders),
          kMilliseconds,
          15,
          {{ours, "", 250e6}}};
}

}  // namespace

std::vector<Case> recovery_cases() {
  return {recovery("lock", "the holder of a lock",
                   {{"shoal::Lock", told<OfLock>}, {"pthread robust", told<OfRobustMutex>}}),
          recovery("push", "a process in the middle of a push", {{"shoal::Queue", told<OfQueue>}}),
          recovery("pipe", "the process at the other end of a pipe",
                   {{"shoal::Pipe", told<OfPipe>}, {"pipe(2)", told<OfFifo>}})};
}

}  // namespace bench
