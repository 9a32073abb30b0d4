// SPDX-License-Identifier: MIT

// What the machine does to a segment: no memory, no descriptors, other users, other namespaces.
//
// Each case changes its environment in a child. What a machine forbids is skipped, and said so.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <shoal/shoal.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "support/child.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Lock;
using shoal::Open;
using shoal::Segment;
using shoal::SegmentOptions;
using shoal::Value;

namespace {

constexpr int kSkipped = 77;
constexpr uid_t kNobody = 65534;
constexpr std::size_t kKiB = 1024;

int skips = 0;

// True: go on. Counts and prints what the machine forbids.
bool ran(int status, const char* what) {
  if (status != kSkipped) return true;
  ++skips;
  MESSAGE("skipped " << skips << ": " << what << " is not possible here");
  return false;
}

bool says(const std::exception& error, const std::string& text) {
  if (std::string(error.what()).find(text) != std::string::npos) return true;
  std::fprintf(stderr, "'%s' does not say '%s'\n", error.what(), text.c_str());
  return false;
}

template <class E, class F>
bool throws(F call, const std::string& text = "") {
  try {
    call();
  } catch (const E& error) {
    return says(error, text);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "another exception: %s\n", error.what());
    return false;
  }
  std::fprintf(stderr, "no exception\n");
  return false;
}

// UBSan opens a pipe where it meets a type's virtual functions for the first time, and takes the
// object for damaged where it cannot: so it has to meet them while there are descriptors.
bool rehearse_an_error() {
  return throws<shoal::Error>([] {
    const std::error_code error(EMFILE, std::generic_category());
    if (error != std::errc::no_space_on_device) throw shoal::Error(error, error.message());
  });
}

// In a child of its own: /dev/shm is a tmpfs of that size, for it alone.
template <class F>
int with_shm_of(const char* size, F body) {
  Child child(
      [&] {
        const std::string options = "size=" + std::string(size);
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("tmpfs", "/dev/shm", "tmpfs", 0, options.c_str()) != 0)
          return kSkipped;
        return static_cast<int>(body());
      },
      30s);
  return child.exit_status();
}

// Takes all the memory of /dev/shm; what it takes, the destructor gives back.
class Filler {
 public:
  Filler() : fd_(::open("/dev/shm/filler", O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
    const std::vector<char> page(4096, 'x');
    while (::write(fd_, page.data(), page.size()) == 4096) {
    }
  }
  ~Filler() {
    ::close(fd_);
    ::unlink("/dev/shm/filler");
  }
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;

 private:
  int fd_;
};

long free_pages() {
  struct statfs status {};
  ::statfs("/dev/shm", &status);
  return static_cast<long>(status.f_bfree);
}

template <std::size_t N>
using Block = std::array<unsigned char, N>;

// Changes who this process is, for good.
bool become(uid_t user) { return ::setgid(user) == 0 && ::setuid(user) == 0; }

}  // namespace

TEST_CASE("a full /dev/shm: a new segment is NoSpace, says what to do, and leaves no file") {
  const int status = with_shm_of("64k", [] {
    const Filler filler;
    const long files_before = std::distance(std::filesystem::directory_iterator("/dev/shm"), {});
    if (!throws<shoal::NoSpace>([] { Segment segment("s"); }, "/dev/shm is full")) return 1;
    if (!throws<shoal::NoSpace>([] { Segment segment("s", Open::create); }, "segment 's'"))
      return 2;
    if (!throws<shoal::NoSpace>([] { Segment segment("s"); }, "remove segments")) return 3;
    return std::distance(std::filesystem::directory_iterator("/dev/shm"), {}) == files_before ? 0
                                                                                              : 4;
  });
  if (ran(status, "a tmpfs of its own")) CHECK(status == 0);
}

TEST_CASE(
    "a full /dev/shm: a new object is NoSpace, nothing changes, and it works once there is room") {
  const int status = with_shm_of("1m", [] {
    const Segment segment("s");
    const Value<int> before(segment, "before", 3);
    {
      const Filler filler;
      if (!throws<shoal::NoSpace>([&] { Value<Block<50000>> v(segment, "v", Open::create); },
                                  "value 'v'"))
        return 1;
      if (!throws<shoal::NoSpace>([&] { Value<Block<50000>> v(segment, "v", Open::create); },
                                  "/dev/shm is full"))
        return 2;
      if (segment.objects().size() != 1 || before.load() != 3) return 3;
      before.store(4);
    }
    if (Value<Block<50000>>(segment, "v", Open::create).load()[49999] != 0) return 4;
    return before.load() == 4 ? 0 : 5;
  });
  if (ran(status, "a tmpfs of its own")) CHECK(status == 0);
}

TEST_CASE("a full /dev/shm: an object larger than what is left gives back what it took") {
  const int status = with_shm_of("1m", [] {
    const Segment segment("s");
    const long before = free_pages();
    for (int i = 0; i < 10; ++i)
      if (!throws<shoal::NoSpace>([&] { Value<Block<2000 * kKiB>> v(segment, "v", Open::create); }))
        return 1;
    if (free_pages() < before - 2) return 2;
    if (segment.used() != 0) return 3;
    Value<Block<100 * kKiB>> v(segment, "v", Open::create);
    return 0;
  });
  if (ran(status, "a tmpfs of its own")) CHECK(status == 0);
}

TEST_CASE(
    "a full /dev/shm: what is there goes on: open, read, write, lock, wait, die, recover, erase") {
  const int status = with_shm_of("2m", [] {
    const Segment segment("s");
    const Lock lock(segment, "lock");
    const Value<Block<1000>> value(segment, "v", Open::create);
    const Filler filler;
    const Gate holding;
    Child holder([&] {
      const Segment mine("s", Open::existing);
      const Lock same(mine, "lock", Open::existing);
      same.lock();
      holding.open();
      return sleep_forever();
    });
    holding.wait();
    if (lock.try_lock_for(30ms)) return 1;
    std::vector<std::unique_ptr<Child>> waiters;
    for (int i = 0; i < 8; ++i)
      waiters.push_back(
          std::make_unique<Child>([&] { return throws<shoal::OwnerDied>([&] { lock.lock(); }); }));
    for (auto& waiter : waiters) waiter->wait_until_asleep();
    holder.kill();
    for (auto& waiter : waiters)
      if (!waiter->succeeds()) return 2;
    lock.recover().unlock();
    value.update([](Block<1000>& block) { block.fill(7); });
    if (value.load()[999] != 7) return 3;
    if (!segment.erase("v")) return 4;
    return segment.objects().size() == 1 ? 0 : 5;
  });
  if (ran(status, "a tmpfs of its own")) CHECK(status == 0);
}

TEST_CASE(
    "a full /dev/shm: as many processes and objects as may be, until NoSpace, and no signal") {
  const int status = with_shm_of("160k", [] {
    const Segment segment("s");
    int made = 0;
    try {
      for (;; ++made) {
        const std::string name = "n" + std::to_string(made);
        if (made % 2 == 0)
          Value<Block<3000>>(segment, name, Open::create);
        else
          Lock(segment, name, Open::create);
      }
    } catch (const shoal::NoSpace&) {
    }
    if (made < 10) return 1;
    const Filler filler;
    // Processes whose records need a page that is not to be had.
    std::vector<std::unique_ptr<Child>> members;
    int refused = 0;
    for (int i = 0; i < 70; ++i) {
      const Gate tried;
      const SharedCounter no;
      members.push_back(std::make_unique<Child>([&] {
        try {
          const Lock lock(segment, "n1", Open::existing);
          static_cast<void>(lock.is_locked());
        } catch (const shoal::TooManyParticipants&) {
          ++*no;
        } catch (const shoal::NoSpace&) {
          ++*no;
        }
        tried.open();
        return sleep_forever();
      }));
      tried.wait();
      refused += *no > 0;
    }
    ExecChild joins("segment.join", "s");  // a new program; 2: NoSpace
    const int joined = joins.exit_status();
    if (joined != 0 && joined != 2) return 2;
    if (refused == 0) return 3;
    members.clear();
    for (const shoal::ObjectInfo& object : segment.objects())
      if (!segment.erase(object.name)) return 4;
    return segment.used() == 0 ? 0 : 5;
  });
  if (ran(status, "a tmpfs of its own")) CHECK(status == 0);
}

TEST_CASE("no file descriptor left: a typed error that names the segment; afterwards all is well") {
  const TempName name;
  Child child([&] {
    if (!rehearse_an_error()) return 6;
    rlimit old{};
    ::getrlimit(RLIMIT_NOFILE, &old);
    const rlimit none{3, old.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    for (int fd = 3; fd < 64; ++fd) ::close(fd);
    if (!throws<shoal::Error>([&] { Segment segment(name); }, name.str())) return 1;
    if (!throws<shoal::Error>([&] { Segment segment(name, Open::create); }, "Too many open files"))
      return 2;
    if (!throws<shoal::Error>([&] { Segment segment = Segment::anonymous(); }, "anonymous"))
      return 3;
    if (std::filesystem::exists(name.path())) return 4;
    ::setrlimit(RLIMIT_NOFILE, &old);
    const Segment segment(name);
    const Lock lock(segment, "lock");
    ::setrlimit(RLIMIT_NOFILE, &none);
    for (int i = 0; i < 100; ++i) std::scoped_lock held(lock);
    Value<int>(segment, "n").fetch_add(1);
    return Value<int>(Segment(segment), "n").load() == 1 ? 0 : 5;
  });
  CHECK(child.exit_status() == 0);
}

TEST_CASE(
    "where stdin, stdout and stderr are closed, what is printed is not written into a segment") {
  const TempName name;
  Child child([&] {
    for (const int descriptor : {0, 1, 2}) ::close(descriptor);
    const Value<int> value(Segment(name), "n", 7);
    const Value<int> nameless(Segment::anonymous(), "n", 8);
    for (const int descriptor : {0, 1, 2})
      if (::write(descriptor, "?", 1) != -1) return false;
    return value.load() == 7 && nameless.load() == 8;
  });
  CHECK(child.succeeds());
  CHECK(Value<int>(Segment(name), "n").load() == 7);
}

TEST_CASE("who has closed all descriptors, as daemons do, takes nobody alive for dead") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock");
  std::scoped_lock held(lock);
  Child child([&] {
    const Lock same(Segment(name), "lock");
    for (int fd = 3; fd < 64; ++fd) ::close(fd);
    return !same.try_lock();
  });
  CHECK(child.succeeds());
  CHECK(lock.owner()->pid == ::getpid());
}

TEST_CASE("two pid namespaces at once, with equal pids: two processes") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock");
  const Value<int> counter(segment, "n");
  const std::array<Gate, 2> holding;
  const std::array<SharedCounter, 2> pids;
  // Runs body as process 1 of a namespace of its own.
  const auto in_namespace = [](const auto& body) {
    if (::unshare(CLONE_NEWPID) != 0) return kSkipped;
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::alarm(20);
      int status = 99;
      try {
        status = body();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "in its namespace: %s\n", error.what());
      }
      ::_exit(status);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
      if (errno != EINTR) return 98;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  };
  Child first(
      [&] {
        return in_namespace([&] {
          lock.lock();
          *pids[0] = ::getpid();
          holding[0].open();
          holding[1].wait();
          lock.unlock();
          for (int i = 0; i < 20000; ++i) {
            std::scoped_lock held(lock);
            counter.get_obj() = counter.get_obj() + 1;
          }
          lock.lock();
          return 0;  // and dies
        });
      },
      30s);
  Child second(
      [&] {
        return in_namespace([&] {
          *pids[1] = ::getpid();
          holding[0].wait();
          const bool right =
              !lock.try_lock() && lock.owner()->pid == ::getpid();  // another, so called too
          try {
            lock.unlock();
            return 1;
          } catch (const shoal::NotOwner&) {
          }
          holding[1].open();
          try {
            for (int i = 0; i < 20000; ++i) {
              std::scoped_lock held(lock);
              counter.get_obj() = counter.get_obj() + 1;
            }
          } catch (const shoal::OwnerDied&) {
            return 2;
          }
          return right ? 0 : 3;
        });
      },
      30s);
  const int status = first.exit_status();
  if (!ran(status, "a pid namespace")) return;
  CHECK(status == 0);
  const int other = second.exit_status();
  CHECK((other == 0 || other == 2));  // 2: the first was done sooner, and died holding
  CHECK(*pids[0] == 1);
  CHECK(*pids[1] == 1);
  CHECK_THROWS_AS(lock.lock(), shoal::OwnerDied);
  if (other == 0) CHECK(counter.load() == 40000);
}

TEST_CASE("another user's segment is refused unless the opener's mode grants it; root may always") {
  if (::geteuid() != 0) {
    static_cast<void>(ran(kSkipped, "being root"));
    return;
  }
  const TempName closed;
  const TempName open;
  SegmentOptions wide;
  wide.mode = 0666;
  const Segment made_closed(closed);
  const Segment made_open(open, wide);
  const Value<int> value(made_open, "n", 1);
  Child nobody([&] {
    if (!become(kNobody)) return kSkipped;
    if (!throws<shoal::PermissionDenied>([&] { Segment segment(closed); }, closed.str())) return 1;
    if (!throws<shoal::PermissionDenied>([&] { Segment segment(closed, Open::existing); }, "mode"))
      return 2;
    if (!throws<shoal::PermissionDenied>([&] { Segment segment(open); }, "SegmentOptions::mode"))
      return 3;
    if (!throws<shoal::PermissionDenied>([&] { Segment::remove(open); }, open.str())) return 4;
    const Segment segment(open, wide);
    Value<int>(segment, "n").fetch_add(1);
    const Lock lock(segment, "lock");
    const std::scoped_lock held(lock);
    const std::vector<std::string> seen = Segment::list();
    for (const std::string& name : seen)
      if (name == closed.str()) return 5;
    return 0;
  });
  const int status = nobody.exit_status();
  if (!ran(status, "another user")) return;
  CHECK(status == 0);
  CHECK(value.load() == 2);

  const TempName theirs;
  Child maker([&] {
    if (!become(kNobody)) return kSkipped;
    Value<int>(Segment(theirs), "n", 5);
    return 0;
  });
  CHECK(maker.exit_status() == 0);
  CHECK(Value<int>(Segment(theirs), "n", Open::existing).load() == 5);
}

TEST_CASE("who may only read a segment is refused") {
  if (::geteuid() != 0) {
    static_cast<void>(ran(kSkipped, "being root"));
    return;
  }
  const TempName name;
  SegmentOptions options;
  options.mode = 0644;
  const Segment made(name, options);
  Child nobody([&] {
    if (!become(kNobody)) return kSkipped;
    if (!throws<shoal::PermissionDenied>([&] { Segment segment(name, options); })) return 1;
    for (const std::string& seen : Segment::list())
      if (seen == name.str()) return 2;
    return 0;
  });
  const int status = nobody.exit_status();
  if (ran(status, "another user")) CHECK(status == 0);
}

TEST_CASE("processes of two users tell each other's deaths") {
  if (::geteuid() != 0) {
    static_cast<void>(ran(kSkipped, "being root"));
    return;
  }
  const TempName name;
  SegmentOptions options;
  options.mode = 0666;
  const Segment segment(name, options);
  const Lock lock(segment, "lock");
  const Gate holding;
  Child nobody([&] {
    if (!become(kNobody)) return kSkipped;
    lock.lock();
    holding.open();
    return static_cast<int>(sleep_forever());
  });
  holding.wait();
  CHECK_FALSE(lock.try_lock_for(120ms));
  nobody.kill();
  CHECK_THROWS_AS(lock.lock(), shoal::OwnerDied);
  CHECK(lock.owner()->pid == nobody.pid());
}
