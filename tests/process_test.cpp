// SPDX-License-Identifier: MIT

// Records of processes and threads, as docs/format.md tells them and the users of locks rely on:
// joining, leaving, fork, raw clones, reuse, burial.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shoal/shoal.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "format.hpp"
#include "support/child.hpp"
#include "support/expect.hpp"
#include "support/full_programme.hpp"
#include "support/gate.hpp"
#include "support/patience.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"
#include "tables.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Lock;
using shoal::Open;
using shoal::Segment;
using shoal::SegmentOptions;
using shoal::Value;
namespace format = shoal::format;

namespace {

// A segment's tables, looked at from outside: its user is no participant.
class Onlooker {
 public:
  explicit Onlooker(const TempName& name) : Onlooker(name.path()) {}
  ~Onlooker() { ::munmap(base_, size_); }
  Onlooker(const Onlooker&) = delete;
  Onlooker& operator=(const Onlooker&) = delete;

  int processes() const {
    int count = 0;
    for (std::uint32_t i = 0; i < tables().processes(); ++i)
      if (format::life_of(tables().process(i).life) == format::Life::taken) ++count;
    return count;
  }
  std::set<std::uint32_t> pids() const {
    std::set<std::uint32_t> pids;
    for (std::uint32_t i = 0; i < tables().processes(); ++i)
      if (format::life_of(tables().process(i).life) == format::Life::taken)
        pids.insert(tables().process(i).pid);
    return pids;
  }
  std::uint32_t records_used() const { return tables().processes(); }
  int threads() const {
    int count = 0;
    for (std::uint32_t i = 0; i < tables().threads(); ++i)
      if (tables().thread(i).owner != 0) ++count;
    return count;
  }
  std::uint64_t generation(std::uint32_t record) const {
    return format::generation_of(tables().process(record).life);
  }
  int open_bits(std::uint32_t object) const {
    int count = 0;
    for (std::uint32_t i = 0; i < tables().processes(); ++i)
      if (tables().is_open_by(object, i)) ++count;
    return count;
  }

 private:
  explicit Onlooker(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat status {};
    if (fd < 0 || ::fstat(fd, &status) != 0) throw std::runtime_error("no segment " + path);
    size_ = static_cast<std::size_t>(status.st_size);
    base_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (base_ == MAP_FAILED) throw std::runtime_error("cannot map " + path);
  }
  shoal::detail::Tables tables() const {
    return {*static_cast<const format::Header*>(base_), static_cast<std::byte*>(base_)};
  }

  std::size_t size_ = 0;
  void* base_ = nullptr;
};

// Takes the lock, and lets it go.
void take_turn(const Lock& lock) { const std::scoped_lock held(lock); }

SegmentOptions with_processes(std::size_t processes) {
  SegmentOptions options;
  options.max_processes = processes;
  return options;
}

// A clone(2) past the C library: no fork handlers run. The child is as Child's are, without a deadline of
// its own but an alarm.
template <class F>
pid_t raw_clone(F body) {
  const long pid = ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid != 0) return static_cast<pid_t>(pid);
  for (int signal : {SIGABRT, SIGALRM, SIGSEGV, SIGTERM}) ::signal(signal, SIG_DFL);
  ::alarm(20);
  int status = 99;
  try {
    status = body();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "raw clone: %s\n", error.what());
  }
  ::_exit(status);
}

int status_of(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1000;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TEST_CASE(
    "a process has one record in a segment, however many handles, and gives it back with the "
    "last") {
  const TempName name;
  std::optional<Segment> keep;
  {
    const Segment segment(name);
    const Onlooker look(name);
    CHECK(look.processes() == 1);
    CHECK(look.pids() == std::set{static_cast<std::uint32_t>(::getpid())});
    std::optional<Value<int>> value(std::in_place, segment, "n");
    keep = segment;
    CHECK(look.processes() == 1);
  }
  const Onlooker look(name);
  CHECK(look.processes() == 1);
  keep.reset();
  CHECK(look.processes() == 0);
  CHECK(look.threads() == 0);
  for (int i = 0; i < 10; ++i) Segment{name};
  CHECK(look.processes() == 0);
  CHECK(look.records_used() == 1);
}

TEST_CASE("a process that holds a lock keeps its record, though its handles are gone") {
  const TempName name;
  { Lock(Segment(name), "lock").lock(); }
  const Onlooker look(name);
  CHECK(look.processes() == 1);
  Lock(Segment(name), "lock").unlock();
  CHECK(look.processes() == 0);
}

TEST_CASE("a forked child has a record of its own before it runs, and its parent keeps its") {
  const TempName name;
  const Segment segment(name);
  const Onlooker look(name);
  const Gate looked;
  Child child([&] { looked.wait(); });
  CHECK(look.processes() == 2);
  looked.open();
  CHECK(child.succeeds());
  const Lock lock(segment, "lock");
  CHECK(lock.try_lock());
  lock.unlock();
  CHECK_FALSE(segment.erase("none"));
}

TEST_CASE("records of the dead are used again before the table is full of them") {
  const TempName name;
  const Segment segment(name, with_processes(4));
  const Onlooker look(name);
  for (int i = full_programme() ? 1000 : 100; i > 0; --i) {
    Child child([&] {
      const Lock lock(segment, "lock" + std::to_string(i % 5));
      if (!lock.try_lock()) return false;
      if (i % 3 != 0) lock.unlock();
      return true;
    });
    if (!child.succeeds()) {  // abandoned by one before
      for (int l = 0; l < 5; ++l) Lock(segment, "lock" + std::to_string(l)).recover().unlock();
    }
  }
  CHECK(look.records_used() <= 4);
  CHECK(look.generation(1) + look.generation(2) + look.generation(3) >= 60);
}

TEST_CASE("a process that ends without leaving is buried, and what it held is told") {
  const TempName name;
  const Segment segment(name, with_processes(2));
  const Lock lock(segment, "lock");
  for (int i = 0; i < 5; ++i) {
    Child child([&] { lock.lock(); });
    CHECK(child.succeeds());
    Child next([&] { return lock.owner()->pid == child.pid() && !segment.erase("none"); });
    CHECK(next.succeeds());  // there is room for one only: the dead was buried
    CHECK_THROWS_AS(lock.lock(), shoal::OwnerDied);
    CHECK(lock.owner()->pid == child.pid());
    lock.recover().unlock();
  }
}

TEST_CASE("a program that ends without a goodbye is told of") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock");
  ExecChild child("lock.leave", name.str(), "lock");
  CHECK(child.succeeds());
  CHECK_THROWS_AS(lock.lock(), shoal::OwnerDied);
  CHECK(lock.owner()->pid == child.pid());
  CHECK(lock.owner()->process == "shoal_child");
}

TEST_CASE("a raw clone joins by itself, as a process of its own") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock");
  const Value<int> value(segment, "n");
  take_turn(lock);
  CHECK(status_of(raw_clone([&] {
          if (!lock.try_lock()) return 1;
          if (lock.owner()->pid != ::getpid()) return 2;
          value.store(7);
          lock.unlock();
          return Value<int>(segment, "n").load() == 7 ? 0 : 3;
        })) == 0);
  CHECK(value.load() == 7);
  CHECK(lock.try_lock());
  CHECK(lock.owner()->pid == ::getpid());
  lock.unlock();
}

TEST_CASE("the thread of a raw clone is named as itself, not as its parent's") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock");
  take_turn(lock);
  CHECK(status_of(raw_clone([&] {
          lock.lock();
          return lock.owner()->tid == ::gettid() ? 0 : 1;
        })) == 0);
}

TEST_CASE(
    "a raw clone does not hold what its parent holds, nor does its death end the parent's hold") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock");
  lock.lock();
  CHECK(status_of(raw_clone([&] { return lock.try_lock() || lock.try_lock_for(150ms) ? 1 : 0; })) ==
        0);
  CHECK(lock.is_locked());
  Child rival([&] { return !lock.try_lock(); });
  CHECK(rival.succeeds());
  lock.unlock();
}

TEST_CASE("a raw clone shares none of its parent's ends of pipes, and takes no message away") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock");
  const shoal::Pipe pipe(segment, "pipe");
  const shoal::Connection first = pipe.first();
  const shoal::Connection second = pipe.second();
  for (int i = 0; i < 2; ++i) first.send(i);
  CHECK(second.recv<int>() == 0);
  CHECK(status_of(raw_clone([&] {
          take_turn(lock);  // from here on it is somebody
          if (!throws<shoal::Closed>([&] { first.send(2); })) return 1;
          return throws<shoal::Closed>([&] { static_cast<void>(second.recv<int>()); }) ? 0 : 2;
        })) == 0);
  CHECK(second.recv_for<int>(0s) == 1);
  CHECK_FALSE(second.poll());
}

TEST_CASE("a raw clone that has the lock and is killed is told of, though its parent lives") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock");
  take_turn(lock);
  const Gate holding;
  const pid_t clone = raw_clone([&] {
    lock.lock();
    holding.open();
    sleep_forever();
    return 0;
  });
  holding.wait();
  ::kill(clone, SIGKILL);
  CHECK(status_of(clone) == -SIGKILL);
  CHECK_THROWS_AS(lock.lock(), shoal::OwnerDied);
  CHECK(lock.owner()->pid == clone);
}

TEST_CASE("a raw clone's open objects keep their space once it has used its handles") {
  using Half = std::array<unsigned char, 300 * 1024>;
  const TempName name;
  SegmentOptions options;
  options.capacity = 1 << 20;
  const Segment segment(name, options);
  const Lock lock(segment, "lock");
  const Gate joined;
  const Gate erased;
  pid_t clone = 0;
  {
    const auto half = std::make_unique<Value<Half>>(segment, "half", Open::create);
    half->update([](Half& bytes) { bytes.fill(9); });
    clone = raw_clone([&] {
      take_turn(lock);
      joined.open();
      erased.wait();
      return half->get_obj()[77] == 9 && half->load()[1000] == 9 ? 0 : 1;
    });
    joined.wait();
  }
  CHECK(segment.erase("half"));
  CHECK_THROWS_AS(Value<Half>(segment, "other", Open::create), shoal::NoSpace);
  erased.open();
  CHECK(status_of(clone) == 0);
  CHECK_NOTHROW(Value<Half>(segment, "other", Open::create));
}

TEST_CASE("a spawned program keeps nothing of its parent's alive") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock");
  const Gate ready;
  const SharedCounter spawned;
  Child parent([&] {
    lock.lock();
    pid_t pid = 0;
    std::string program = "/bin/sleep";
    std::string time = "20";
    char* argv[] = {program.data(), time.data(), nullptr};
    if (::posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv, environ) != 0) return false;
    *spawned = pid;
    ready.open();
    return sleep_forever();
  });
  ready.wait();
  parent.kill();
  CHECK_THROWS_AS(lock.lock(), shoal::OwnerDied);
  ::kill(static_cast<pid_t>(spawned->load()), SIGKILL);
}

TEST_CASE("a fork into a full segment: the child is told, the parent goes on") {
  const TempName name;
  const Segment segment(name, with_processes(1));
  const Lock lock(segment, "lock");
  std::scoped_lock held(lock);
  Child child([&] {
    try {
      static_cast<void>(lock.try_lock());
      return 1;
    } catch (const shoal::TooManyParticipants& error) {
      return std::string(error.what()).find(name.str()) == std::string::npos ? 2 : 0;
    }
  });
  CHECK(child.exit_status() == 0);
  CHECK(lock.is_locked());
  CHECK(lock.owner()->pid == ::getpid());
}

TEST_CASE("a fork with no file descriptor left: the child is told, the parent goes on") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock");
  Child parent([&] {
    rlimit old{};
    ::getrlimit(RLIMIT_NOFILE, &old);
    const rlimit none{3, old.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return 9;
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(10);
      try {
        lock.lock();
        ::_exit(1);
      } catch (const shoal::TooManyParticipants& error) {
        ::setrlimit(RLIMIT_NOFILE, &old);  // a sanitizer wants one to look at the error
        ::_exit(std::string(error.what()).find("open files") == std::string::npos ? 2 : 0);
      }
    }
    const int status = status_of(child);
    std::scoped_lock held(lock);
    return status;
  });
  CHECK(parent.exit_status() == 0);
}

TEST_CASE("a process that gave up its privileges may fork where it may still open the file") {
  if (::geteuid() != 0) {
    MESSAGE("skipped 1: needs root");
    return;
  }
  for (const unsigned mode : {0600U, 0666U}) {
    CAPTURE(mode);
    const TempName name;
    SegmentOptions options;
    options.mode = mode;
    const Segment segment(name, options);
    const Lock lock(segment, "lock");
    Child parent([&] {
      take_turn(lock);
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 9;
      take_turn(lock);  // it has the segment open
      const pid_t child = ::fork();
      if (child == 0) {
        ::alarm(10);
        try {
          lock.lock();
          ::_exit(lock.owner()->pid == ::getpid() ? 0 : 2);
        } catch (const shoal::TooManyParticipants&) {
          ::_exit(3);  // it is told, and holds nothing
        }
      }
      return status_of(child);
    });
    CHECK(parent.exit_status() == (mode == 0600 ? 3 : 0));
  }
}

TEST_CASE("threads that wait and end leave no record behind") {
  const TempName name;
  SegmentOptions options;
  options.max_threads = 16;
  const Segment segment(name, options);
  const Lock lock(segment, "lock");
  const Onlooker look(name);
  const int batches = full_programme() ? 1250 : 125;
  std::int64_t count = 0;
  for (int batch = 0; batch < batches; ++batch) {
    std::vector<std::thread> threads;
    lock.lock();
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        if (lock.try_lock_for(1us)) lock.unlock();
        std::scoped_lock held(lock);
        ++count;
      });
    if (batch % 10 == 0)
      while (look.threads() == 0) ::sched_yield();
    lock.unlock();
    for (std::thread& thread : threads) thread.join();
    REQUIRE(look.threads() <= 1);
  }
  CHECK(count == batches * 8);
  CHECK(look.threads() <= 1);  // this one's own, if it ever waited
}

TEST_CASE("10,000 short-lived threads lose no record") {
  const TempName name;
  SegmentOptions options;
  options.max_threads = 4;
  const Segment segment(name, options);
  const Lock lock(segment, "lock");
  const Onlooker look(name);
  std::scoped_lock held(lock);
  for (int i = 0; i < 10000; i += 4) {
    std::array<std::thread, 4> threads;
    for (std::thread& thread : threads)
      thread = std::thread([&] { static_cast<void>(lock.try_lock_for(200us)); });
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(look.threads() == 0);
}

TEST_CASE("more threads may wait than max_threads") {
  const TempName name;
  SegmentOptions options;
  options.max_threads = 2;
  const Segment segment(name, options);
  const Lock lock(segment, "lock");
  const Onlooker look(name);
  {
    std::scoped_lock held(lock);
    Child others([&] {
      std::vector<std::thread> threads;
      for (int i = 0; i < 10; ++i) threads.emplace_back([&] { std::scoped_lock mine(lock); });
      for (std::thread& thread : threads) thread.join();
    });
    others.wait_until_asleep();
    CHECK(look.threads() <= 2);
    std::vector<std::thread> threads;
    for (int i = 0; i < 10; ++i)
      threads.emplace_back([&] {
        if (lock.try_lock_for(20ms)) lock.unlock();
      });
    for (std::thread& thread : threads) thread.join();
    lock.unlock();
    CHECK(others.succeeds());
    lock.lock();
  }
  CHECK(look.threads() == 0);
}

TEST_CASE("a killed process's thread records come back") {
  const TempName name;
  SegmentOptions options;
  options.max_threads = 3;
  options.max_processes = 3;
  const Segment segment(name, options);
  const Lock lock(segment, "lock");
  const Onlooker look(name);
  std::scoped_lock held(lock);
  for (int i = 0; i < 10; ++i) {
    Child waiter([&] {
      std::thread other([&] { lock.lock(); });
      lock.lock();
      other.join();
    });
    while (look.threads() < 2) ::sched_yield();
    waiter.kill();
    static_cast<void>(segment.used());  // buries
    CHECK(look.threads() == 0);
    CHECK(look.processes() == 1);
  }
}

TEST_CASE("killed threads leave room for others, though nobody asks for it") {
  const TempName name;
  SegmentOptions options;
  options.max_threads = 3;
  const Segment segment(name, options);
  const shoal::Queue<int> queue(segment, "queue", 100);
  const Onlooker look(name);
  for (int i = 0; i < 5; ++i) {
    const SharedCounter pushed;
    Child victim([&] {
      const auto push = [&] {
        queue.push(i);
        ++*pushed;
        sleep_forever();
      };
      std::thread other(push);
      push();
    });
    const auto end = std::chrono::steady_clock::now() + patient(10s);
    while (*pushed < 2 && std::chrono::steady_clock::now() < end) ::sched_yield();
    REQUIRE(*pushed == 2);
    victim.kill();
    CHECK(look.threads() >= 2);
  }
  queue.push(5);
  CHECK(queue.size() == 11);
}

TEST_CASE(
    "the last handle of a segment may go in one thread while another is inside an operation") {
  const TempName name;
  for (int round = 0; round < 200; ++round) {
    std::optional<Segment> segment(std::in_place, name);
    auto lock = std::make_unique<Lock>(*segment, "lock");
    std::atomic<int> inside = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
      threads.emplace_back([&inside, mine = *lock] {
        ++inside;
        for (int turn = 0; turn < 20; ++turn) {
          std::scoped_lock held(mine);
          if (turn % 5 == 0) ::sched_yield();
        }
        if (mine.try_lock_for(1ms)) mine.unlock();
      });
    while (inside == 0) ::sched_yield();
    segment.reset();
    lock.reset();
    for (std::thread& thread : threads) thread.join();
  }
  const Onlooker look(name);
  CHECK(look.processes() == 0);
  CHECK(look.threads() == 0);
}

TEST_CASE("a thread that waited in a segment may outlive it, and wait in the next") {
  const TempName first;
  const TempName second;
  std::thread([&] {
    for (int i = 0; i < 50; ++i) {
      const TempName& name = i % 2 == 0 ? first : second;
      const Segment segment(name);
      const Lock lock(segment, "lock");
      lock.lock();
      CHECK_FALSE(lock.try_lock_for(1ms));
      lock.unlock();
    }
  }).join();
  CHECK(Onlooker(first).threads() == 0);
  CHECK(Onlooker(second).threads() == 0);
}

TEST_CASE(
    "a fork takes what its parent has open with it, without a gap, though the parent ends at "
    "once") {
  using Half = std::array<unsigned char, 300 * 1024>;
  const TempName name;
  SegmentOptions options;
  options.capacity = 1 << 20;
  const Segment segment(name, options);
  const int rounds = full_programme() ? 500 : 50;
  for (int round = 0; round < rounds; ++round) {
    const Gate erased;
    const Gate done;
    const SharedCounter wrong;
    Child parent([&] {
      const auto half = std::make_unique<Value<Half>>(segment, "half", Open::create);
      half->update([](Half& bytes) { bytes.fill(9); });
      if (::fork() != 0) ::_exit(0);
      ::alarm(20);
      erased.wait();
      if (half->get_obj()[7] != 9 || half->load()[100000] != 9) ++*wrong;
      done.open();
      ::_exit(0);
    });
    REQUIRE(parent.succeeds());
    REQUIRE(segment.erase("half"));
    CHECK_THROWS_AS(Value<Half>(segment, "other", Open::create), shoal::NoSpace);
    erased.open();
    done.wait();
    CHECK(*wrong == 0);
    const auto end = std::chrono::steady_clock::now() + patient(10s);
    while (segment.used() != 0 && std::chrono::steady_clock::now() < end) ::sched_yield();
    REQUIRE(segment.used() == 0);
  }
}

// The allocator of AddressSanitizer takes its locks around a fork only since LLVM 18: before that, a
// child forked beside other threads may hang in its first allocation.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kForkBesideThreadsMayHang = true;
#else
constexpr bool kForkBesideThreadsMayHang = false;
#endif

TEST_CASE("a child that was forked while another thread opened the first segment may open one" *
          doctest::skip(kForkBesideThreadsMayHang)) {
  ExecChild fresh(30s, "segment.fork");
  CHECK(fresh.succeeds());
}

TEST_CASE(
    "forks from some threads while others open, lock, erase and close: nothing hangs, nothing is "
    "lost" *
    doctest::skip(kForkBesideThreadsMayHang)) {
  const TempName name;
  const Segment keep(name);
  const int rounds = full_programme() ? 1000 : 60;
  Child process(
      [&] {
        std::atomic<bool> over = false;
        std::atomic<int> wrong = 0;
        std::vector<std::thread> threads;
        for (int t = 0; t < 2; ++t)
          threads.emplace_back([&, t] {
            while (!over) {
              const Segment segment(name);
              const Lock lock(segment, "lock");
              const Value<int> value(segment, "n" + std::to_string(t));
              std::scoped_lock held(lock);
              value.fetch_add(1);
              segment.erase("n" + std::to_string(t));
            }
          });
        std::vector<std::thread> forkers;
        for (int t = 0; t < 2; ++t)
          forkers.emplace_back([&] {
            for (int i = 0; i < rounds; ++i) {
              const pid_t child = ::fork();
              if (child == 0) {
                ::alarm(20);
                try {
                  const Segment segment(name);
                  const Lock lock(segment, "lock");
                  for (int turn = 0; turn < 20; ++turn) std::scoped_lock held(lock);
                  ::_exit(0);
                } catch (const std::exception& error) {
                  std::fprintf(stderr, "forked: %s\n", error.what());
                  ::_exit(1);
                }
              }
              if (status_of(child) != 0) ++wrong;
            }
          });
        for (std::thread& thread : forkers) thread.join();
        over = true;
        for (std::thread& thread : threads) thread.join();
        return wrong == 0;
      },
      100s);
  CHECK(process.succeeds());
  Onlooker look(name);
  static_cast<void>(keep.used());
  CHECK(look.processes() == 1);
  CHECK(look.threads() == 0);
}

TEST_CASE("a child that lets go of all it inherited leaves nothing of its own behind") {
  const TempName name;
  const Segment segment(name);
  auto held = std::make_unique<Lock>(segment, "held");
  held->lock();
  held.reset();  // held, and no handle
  const Onlooker look(name);
  Child child([&] {
    {
      const Lock lock(segment, "held");
      if (lock.try_lock()) return 1;
    }
    return look.open_bits(0) == 1 ? 0 : 2;
  });
  CHECK(child.exit_status() == 0);
  Lock(segment, "held").unlock();
}
