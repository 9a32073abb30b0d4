// SPDX-License-Identifier: MIT

// The program shoal, run as people and scripts run it: what it prints, what its exit code says, and
// that nobody who uses a segment can tell that it was there.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <shoal/shoal.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "description.hpp"
#include "format.hpp"
#include "os/checksum.hpp"
#include "spelling.hpp"
#include "support/child.hpp"
#include "support/gate.hpp"
#include "support/patience.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"
#include "support/waiting.hpp"
#include "waits.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Lock;
using shoal::Open;
using shoal::Segment;
using shoal::SegmentOptions;
using shoal::Value;
using shoal::tool::Json;
namespace format = shoal::format;
namespace tool = shoal::tool;

namespace {

using Clock = std::chrono::steady_clock;

// A file in memory that the program writes to.
class Sink {
 public:
  Sink() : fd_(::memfd_create("sink", MFD_CLOEXEC)) {}
  ~Sink() { ::close(fd_); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  int fd() const { return fd_; }
  std::string text() const {
    struct stat status {};
    ::fstat(fd_, &status);
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    if (::pread(fd_, text.data(), text.size(), 0) != status.st_size) text.clear();
    return text;
  }

 private:
  int fd_;
};

// The program, running. It is spawned, not forked: a fork would take a place in each segment that
// this process has open.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), SHOAL_TOOL);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, out_.fd(), 1);
    ::posix_spawn_file_actions_adddup2(&actions, err_.fd(), 2);
    const int error = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::system_error(error, std::generic_category(), SHOAL_TOOL);
  }
  ~Program() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void interrupt() const { ::kill(pid_, SIGINT); }
  // Its exit code; -N: signal N; -1000: it did not end in time.
  int wait(std::chrono::milliseconds deadline = 20s) {
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    pollfd ended{pidfd, POLLIN, 0};
    const bool in_time = ::poll(&ended, 1, static_cast<int>(patient(deadline).count())) == 1;
    ::close(pidfd);
    if (!in_time) return -1000;
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  std::string out() const { return out_.text(); }
  std::string err() const { return err_.text(); }

 private:
  Sink out_;
  Sink err_;
  pid_t pid_ = -1;
};

struct Result {
  int code;
  std::string out;
  std::string err;
  Json json() const { return Json::parse(out); }
};
template <class... Args>
Result shoal_program(const Args&... arguments) {
  Program program({std::string(std::string_view(arguments))...});
  const int code = program.wait();
  return {code, program.out(), program.err()};
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

SegmentOptions small() {
  SegmentOptions options;
  options.capacity = 128 << 10;
  options.max_objects = 32;
  options.max_processes = 16;
  options.max_threads = 16;
  return options;
}

struct Large {
  std::array<double, 4> numbers;
};

// An object of each kind, with something in it.
struct Furniture {
  explicit Furniture(std::string_view name) : segment(name, small()) {
    text.store("hello");
    array.store(1, 11);
    event.set();
    bounded.acquire();
    queue.push(1), queue.push(2);
    words.push("a word");
    joinable.push(5), static_cast<void>(joinable.pop());
    end.send(7);
  }
  Segment segment;
  Value<std::int64_t> number{segment, "number", -42};
  Value<double> fraction{segment, "fraction", 1.5};
  Value<bool> yes{segment, "yes", true};
  Value<shoal::FixedString<20>> text{segment, "text"};
  Value<Large> large{segment, "large"};
  shoal::Array<std::int32_t> array{segment, "array", 3};
  Lock lock{segment, "lock"};
  shoal::RLock rlock{segment, "rlock"};
  shoal::Semaphore semaphore{segment, "semaphore", 3};
  shoal::BoundedSemaphore bounded{segment, "bounded", 4};
  shoal::Event event{segment, "event"};
  shoal::Condition condition{segment, "condition"};
  shoal::Barrier barrier{segment, "barrier", 2};
  shoal::Queue<int> queue{segment, "queue", 5};
  shoal::Queue<std::string> words{segment, "words", {4, 4096}};
  shoal::JoinableQueue<int> joinable{segment, "joinable", 5};
  shoal::Pipe pipe{segment, "pipe", {1024}};
  shoal::Connection end{pipe.first()};
};

std::string bytes_of(const TempName& name) {
  std::ifstream file(name.path(), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A process that opens the segment, and is killed in it.
void die_in(const TempName& name) {
  const Gate inside;
  Child child([&] {
    const Segment segment(name, small());
    inside.open();
    return sleep_forever();
  });
  inside.wait();
  child.kill();
}

Json only(const Json& json) {
  REQUIRE(json["segments"].size() == 1);
  return json["segments"][0];
}

std::set<int> pids(const Json& list, const char* who) {
  std::set<int> pids;
  for (const Json& one : list) pids.insert(one[who]["pid"].get<int>());
  return pids;
}

}  // namespace

TEST_SUITE_BEGIN("tool");

TEST_CASE("ls tells of a segment's size, use, objects, processes, threads, owner") {
  const TempName name;
  const Furniture furniture(name);
  const Result result = shoal_program("ls", "--json", name);
  REQUIRE(result.code == 0);
  const Json facts = only(result.json());
  CHECK(facts["name"] == name.str());
  CHECK(facts["size"] == small().capacity);
  CHECK(facts["used"] == furniture.segment.used());
  CHECK(facts["objects"] == furniture.segment.objects().size());
  CHECK(facts["processes"] == 1);
  CHECK(facts["dead"] == 0);
  CHECK(facts["threads"] >= 1);  // this one has used a queue
  CHECK(facts["uid"] == ::geteuid());
  CHECK(facts["creator"] == ::getpid());
  CHECK(facts["state"] == "in use");
  CHECK(facts["participants"][0]["pid"] == ::getpid());
  const Result text = shoal_program("ls", name.path());  // the file's path will do
  CHECK(text.code == 0);
  CHECK(says(text.out, "SEGMENT"));
  CHECK(says(text.out, name.str()));
  CHECK_FALSE(says(text.out, "\033"));  // no terminal, no colour
}

TEST_CASE("ls tells apart who is alive, who is dead, and nobody") {
  const TempName name;
  { const Segment segment(name, small()); }
  CHECK(only(shoal_program("ls", "--json", name).json())["state"] == "unused");
  die_in(name);
  const Json dead = only(shoal_program("ls", "--json", name).json());
  CHECK(dead["state"] == "left by the dead");
  CHECK(dead["processes"] == 0);
  CHECK(dead["dead"] == 1);
  CHECK(shoal_program("ls", "no.such.segment").code == 1);
  CHECK(says(shoal_program("ls", "--json").out, name.str()));
}

TEST_CASE("show tells what is in each object") {
  const TempName name;
  const Furniture furniture(name);
  const Result result = shoal_program("show", "--json", name);
  REQUIRE(result.code == 0);
  Json objects;
  const Json facts = result.json();
  for (const Json& object : facts["objects"]) objects[object["name"].get<std::string>()] = object;
  CHECK(objects.size() == furniture.segment.objects().size());
  CHECK(objects["number"]["content"] == -42);
  CHECK(objects["number"]["kind"] == "value");
  CHECK(objects["number"]["type"] == "int64");
  CHECK(objects["fraction"]["content"] == 1.5);
  CHECK(objects["yes"]["content"] == true);
  CHECK(objects["text"]["content"] == "hello");
  CHECK(objects["large"]["content"].contains("hex"));
  CHECK(objects["array"]["content"] == Json::array({0, 11, 0}));
  CHECK(objects["lock"]["state"] == "free");
  CHECK(objects["semaphore"]["permits"] == 3);
  CHECK(objects["bounded"]["permits"] == 3);
  CHECK(objects["bounded"]["holders"][0]["pid"] == ::getpid());
  CHECK(objects["event"]["set"] == true);
  CHECK(objects["barrier"]["parties"] == 2);
  CHECK(objects["queue"]["items"] == 2);
  CHECK(objects["queue"]["capacity"] == 5);
  CHECK(objects["words"]["items"] == 1);
  CHECK(objects["joinable"]["items"] == 0);
  CHECK(objects["joinable"]["taken"] == 1);
  CHECK(objects["pipe"]["first"]["holders"][0]["pid"] == ::getpid());
  CHECK(objects["pipe"]["first"]["on_the_way"] > 0);
  const Result one = shoal_program("show", name, "number");
  CHECK(one.code == 0);
  CHECK(says(one.out, "= -42"));
  CHECK(shoal_program("show", name, "nothing").code == 1);
}

TEST_CASE("show tells who holds a lock, and who waits for it") {
  const TempName name;
  const Segment segment(name, small());
  const Lock lock(segment, "till");
  const Gate held;
  Child holder([&] {
    lock.lock();
    held.open();
    return sleep_forever();
  });
  held.wait();
  Child waiter([&] {
    lock.lock();
    return true;
  });
  waiter.wait_until_asleep();
  const Result result = shoal_program("show", "--json", name, "till");
  const Json facts = result.json();
  CHECK(facts["state"] == "held");
  CHECK(facts["holder"]["pid"] == holder.pid());
  CHECK(facts["holder"]["tid"] == holder.pid());
  CHECK(facts["waiting"][0]["pid"] == waiter.pid());
  CHECK(says(shoal_program("show", name).out, "held by process " + std::to_string(holder.pid())));
}

TEST_CASE("to look changes no byte, and takes no place") {
  const TempName name;
  const Furniture furniture(name);
  die_in(name);
  const std::string before = bytes_of(name);
  CHECK(shoal_program("ls", name).code == 0);
  CHECK(shoal_program("show", name).code == 0);
  CHECK(shoal_program("show", name, "queue").code == 0);
  CHECK(shoal_program("doctor", name).code == 0);
  CHECK(shoal_program("top", "--count", "1", "--interval", "0.05", name).code == 0);
  CHECK(shoal_program("gc", name).code == 0);
  CHECK(shoal_program("rm", name).code == 4);
  CHECK(bytes_of(name) == before);
}

TEST_CASE("rm removes what nobody has open, and the rest by force only") {
  const TempName name;
  {
    const Segment segment(name, small());
    const Result kept = shoal_program("rm", "--json", name);
    CHECK(kept.code == 4);
    CHECK(only(kept.json())["did"] == "kept");
    CHECK(says(only(kept.json())["why"].get<std::string>(), std::to_string(::getpid())));
    CHECK(std::filesystem::exists(name.path()));
    CHECK(shoal_program("rm", "--force", name).code == 0);
    CHECK_FALSE(std::filesystem::exists(name.path()));
  }
  { const Segment segment(name, small()); }
  CHECK(shoal_program("rm", name).code == 0);
  CHECK_FALSE(std::filesystem::exists(name.path()));
  CHECK(shoal_program("rm", name).code == 1);
  std::ofstream(name.path()) << "no segment";
  CHECK(shoal_program("rm", name).code == 0);
  CHECK(shoal_program("rm", "../x").code == 1);
}

TEST_CASE("gc removes what only the dead have used, and says why") {
  const TempName name;
  die_in(name);
  const Json dry = only(shoal_program("gc", "--dry-run", "--json", name).json());
  CHECK(dry["did"] == "would be removed");
  CHECK(std::filesystem::exists(name.path()));
  const Json done = only(shoal_program("gc", "--json", name).json());
  CHECK(done["did"] == "removed");
  CHECK(says(done["why"].get<std::string>(), "left by the dead"));
  CHECK_FALSE(std::filesystem::exists(name.path()));
}

TEST_CASE("gc keeps what somebody alive has open, stopped or not, and what is not of the dead") {
  const TempName name;
  const Gate inside;
  Child living([&] {
    const Segment segment(name, small());
    inside.open();
    return sleep_forever();
  });
  inside.wait();
  die_in(name);
  living.stop();
  const Result kept = shoal_program("gc", "--json", name);
  CHECK(kept.code == 0);
  CHECK(only(kept.json())["did"] == "kept");
  CHECK(says(only(kept.json())["why"].get<std::string>(), std::to_string(living.pid())));
  living.kill();
  const TempName orderly;
  { const Segment segment(orderly, small()); }
  CHECK(only(shoal_program("gc", "--json", orderly).json())["did"] == "kept");
  CHECK(only(shoal_program("gc", "--unused", "--json", orderly).json())["did"] == "removed");
  const TempName strange;
  std::ofstream(strange.path()) << "no segment";
  CHECK(only(shoal_program("gc", "--unused", "--json", strange).json())["did"] == "kept");
  CHECK(std::filesystem::exists(strange.path()));
}

namespace {

struct Tally {
  std::atomic<int> rounds{0};
  std::atomic<int> strays{0};  // had a segment open that has not its name
  std::atomic<int> errors{0};
};

// Opens the segment, uses it, looks whether it is still the one of that name, leaves; for ever.
[[noreturn]] void work(const TempName& name, Tally& tally) {
  for (std::uint64_t token = static_cast<std::uint64_t>(::getpid()) << 32;; ++token) {
    const Segment mine(name, small());
    const Lock lock(mine, "lock", shoal::OnOwnerDeath::inherit);
    const Value<std::uint64_t> value(mine, "token");
    try {
      const Segment named(name, Open::existing);
      const Value<std::uint64_t> same(named, "token", Open::existing);
      const std::scoped_lock held(lock);
      value.store(token);
      if (same.load() != token) ++tally.strays;
    } catch (const shoal::NotFound&) {
      ++tally.strays;
    }
    ++tally.rounds;
  }
}

bool worked(const TempName& name, Tally& tally) {
  try {
    work(name, tally);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "worker: %s\n", error.what());
    ++tally.errors;
  }
  return false;
}

}  // namespace

TEST_CASE("gc never takes a segment from a survivor, whoever is killed") {
  const TempName name;
  const Shared<Tally> tally;
  int kills = 0;
  int removed = 0;
  std::minstd_rand random(4711);
  std::vector<std::unique_ptr<Child>> workers(2);
  const auto end = Clock::now() + 10s;  // where all is slow, fewer rounds
  for (int round = 0; (round < 400 || removed < 20) && Clock::now() < end; ++round) {
    auto& victim = workers[random() % workers.size()];
    // Sometimes all are gone: then there is something to collect, and others come at that moment.
    if (victim && round % 8 == 0)
      for (auto& worker : workers) worker.reset(), ++kills;
    else if (victim)
      victim.reset(), ++kills;
    else
      victim = std::make_unique<Child>([&] { return worked(name, *tally); }, 60s);
    const Result result = shoal_program("gc", "--json", name);
    if (result.code != 0 && std::filesystem::exists(name.path())) FAIL(result.out << result.err);
    if (result.out.find("\"removed\"") != std::string::npos) ++removed;
  }
  workers.clear();
  CHECK(tally->strays == 0);
  CHECK(tally->errors == 0);
  CHECK(removed > 0);
  CHECK(tally->rounds > 100);
  MESSAGE("gc: " << kills << " kills, " << removed << " times removed, " << tally->rounds.load()
                 << " visits, strays " << tally->strays.load());
}

TEST_CASE("gc leaves a survivor's data whole while others are killed") {
  const TempName name;
  const Segment segment(name, small());
  const Value<std::int64_t> count(segment, "count", 0);
  const Lock lock(segment, "lock", shoal::OnOwnerDeath::inherit);
  const Shared<std::atomic<std::int64_t>> oracle;
  for (int round = 0; round < 30; ++round) {
    Child worker([&]() -> bool {
      const Segment own(name, Open::existing);
      const Value<std::int64_t> own_count(own, "count", Open::existing);
      for (;;) {
        own_count.fetch_add(1);
        oracle->fetch_add(1);
      }
    });
    const Result result = shoal_program("gc", "--unused", "--json", name);
    CHECK(only(result.json())["did"] == "kept");
    worker.kill();
  }
  // Of each that was killed, one addition may be in the count only.
  CHECK(count.load() >= oracle->load());
  CHECK(count.load() <= oracle->load() + 30);
  CHECK(Value<std::int64_t>(Segment(name, Open::existing), "count", Open::existing).load() ==
        count.load());
}

namespace {

// Two processes that take two locks in opposite order.
struct Deadlock {
  Deadlock(const Lock& left, const Lock& right)
      : one([&] { return take(left, right, first, second); }, 60s),
        other([&] { return take(right, left, second, first); }, 60s) {
    first.wait();
    second.wait();
    one.wait_until_asleep();
    other.wait_until_asleep();
  }
  static bool take(const Lock& mine, const Lock& theirs, const Gate& have, const Gate& they_have) {
    mine.lock();
    have.open();
    they_have.wait();
    theirs.lock();
    return true;
  }
  const Gate first;
  const Gate second;
  Child one;
  Child other;
};

void check_deadlock(const Json& facts, const Deadlock& deadlock) {
  REQUIRE(facts["problems"].size() == 1);
  const Json problem = facts["problems"][0];
  CHECK(problem["what"] == "deadlock");
  const std::set<int> both{deadlock.one.pid(), deadlock.other.pid()};
  CHECK(problem["cycle"].size() == 2);
  CHECK(pids(problem["cycle"], "waiter") == both);
  CHECK(pids(problem["cycle"], "holder") == both);
  std::set<std::string> objects;
  for (const Json& wait : problem["cycle"]) objects.insert(wait["object"].get<std::string>());
  CHECK(objects == std::set<std::string>{"left", "right"});
}

}  // namespace

TEST_CASE("doctor names both processes and both locks of a deadlock") {
  const TempName name;
  const Segment segment(name, small());
  const Lock left(segment, "left");
  const Lock right(segment, "right");
  const Deadlock deadlock(left, right);
  const Result result = shoal_program("doctor", "--json", name);
  CHECK(result.code == 3);
  check_deadlock(result.json(), deadlock);
  const Result text = shoal_program("doctor", name);
  CHECK(text.code == 3);
  for (const std::string& part :
       {std::to_string(deadlock.one.pid()), std::to_string(deadlock.other.pid()),
        std::string("'left'"), std::string("'right'")})
    CHECK(says(text.out, part));
}

TEST_CASE("doctor finds a deadlock across two segments") {
  const TempName names[2];
  const Segment one(names[0], small());
  const Segment other(names[1], small());
  const Lock left(one, "left");
  const Lock right(other, "right");
  const Deadlock deadlock(left, right);
  const Result result = shoal_program("doctor", "--json", names[0], names[1]);
  CHECK(result.code == 3);
  check_deadlock(result.json(), deadlock);
}

TEST_CASE("doctor finds a thread that waits for itself") {
  const TempName name;
  const Segment segment(name, small());
  const Lock lock(segment, "lock");
  const Gate held;
  Child child([&] {
    lock.lock();
    held.open();
    lock.lock();
    return true;
  });
  held.wait();
  child.wait_until_asleep();
  const Json facts = shoal_program("doctor", "--json", name).json();
  REQUIRE(facts["problems"].size() == 1);
  CHECK(facts["problems"][0]["what"] == "deadlock");
  CHECK(facts["problems"][0]["cycle"].size() == 1);
}

TEST_CASE("doctor calls nothing a deadlock that moves on") {
  const TempName name;
  const Segment segment(name, small());
  const Lock left(segment, "left");
  const Lock right(segment, "right");
  // Nested here, one after the other there: a look at one moment and a look at another one could be
  // put together to a circle.
  Child nested([&]() -> bool {
    for (;;) {
      const std::scoped_lock outer(left);
      const std::scoped_lock inner(right);
    }
  });
  Child single([&]() -> bool {
    for (;;) {
      { const std::scoped_lock held(right); }
      { const std::scoped_lock held(left); }
    }
  });
  for (int i = 0; i < 20; ++i) {
    const Result result = shoal_program("doctor", "--json", name);
    CHECK(result.code == 0);
    CHECK(result.json()["problems"].empty());
  }
}

TEST_CASE("doctor tells of abandoned locks, and repairs them only when told to") {
  const TempName name;
  const Segment segment(name, small());
  const Lock lock(segment, "till");
  const shoal::RLock rlock(segment, "again");
  const Value<Large> value(segment, "value");
  const Lock heir(segment, "heir", shoal::OnOwnerDeath::inherit);
  const Gate held;
  Child child([&] {
    lock.lock(), rlock.lock(), value.get_lock().lock(), heir.lock();
    held.open();
    return sleep_forever();
  });
  held.wait();
  CHECK(shoal_program("doctor", name).code == 0);
  child.kill();
  const Result result = shoal_program("doctor", "--json", name);
  CHECK(result.code == 3);
  const Json problems = result.json()["problems"];
  std::set<std::string> objects;
  for (const Json& problem : problems) {
    CHECK(problem["what"] == "abandoned lock");
    CHECK(says(problem["text"].get<std::string>(), "process " + std::to_string(child.pid())));
    objects.insert(problem["object"].get<std::string>());
  }
  CHECK(objects == std::set<std::string>{"till", "again", "value"});
  CHECK_THROWS_AS(lock.lock(), shoal::OwnerDied);
  CHECK(shoal_program("doctor", "--repair", name).code == 0);
  for (int i = 0; i < 2; ++i) {
    const std::scoped_lock all(lock, rlock, value.get_lock(), heir);
  }
  CHECK(shoal_program("doctor", name).code == 0);
}

namespace {

// Everything that the program makes of a segment. True: it was found to be damaged.
bool look_at(const std::string& name) {
  try {
    const tool::SegmentView view(name);
    bool damaged = !view.damage().empty();
    std::string text = tool::spelled_time(view.header().created);
    text += tool::describe(view).dump(-1, ' ', false, Json::error_handler_t::replace);
    for (const tool::ObjectView& object : view.objects()) {
      const tool::Description description = tool::describe(view, object, 16);
      text += description.line;
      text += description.facts.dump(-1, ' ', false, Json::error_handler_t::replace);
      damaged = damaged || description.facts.contains("damaged");
    }
    static_cast<void>(tool::find_cycles(tool::find_waits(view)));
    return damaged;
  } catch (const tool::Damaged&) {
    return true;
  } catch (const tool::Absent&) {
    return false;
  } catch (const tool::Unreadable&) {
    return false;
  }
}

// The bytes of a segment's file, to be written over.
class Scribble {
 public:
  explicit Scribble(const TempName& name) : sound_(bytes_of(name)) {
    const int fd = ::open(name.path().c_str(), O_RDWR | O_CLOEXEC);
    void* const at = ::mmap(nullptr, sound_.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (at == MAP_FAILED) throw std::runtime_error("cannot map " + name.path());
    bytes_ = static_cast<char*>(at);
  }
  ~Scribble() { ::munmap(bytes_, sound_.size()); }
  Scribble(const Scribble&) = delete;
  Scribble& operator=(const Scribble&) = delete;

  void scribble(std::mt19937_64& random) {
    for (std::uint64_t n = 1 + random() % 24; n > 0; --n) {
      const std::size_t at = place(random) / 8 * 8;
      const std::uint64_t word = garbage(random);
      const std::size_t size = std::size_t{1} << random() % 4;
      std::memcpy(bytes_ + at, &word, size);
      written_.push_back(at);
    }
    if (random() % 2 == 0) sign();
  }
  void restore() {
    for (const std::size_t at : written_) std::memcpy(bytes_ + at, &sound_[at], 8);
    std::memcpy(bytes_, sound_.data(), sizeof(format::Header));
    written_.clear();
  }

 private:
  // Where something is: the tables and the objects, the header seldom.
  std::size_t place(std::mt19937_64& random) const {
    format::Header header;
    std::memcpy(&header, sound_.data(), sizeof header);
    const std::pair<std::uint64_t, std::uint64_t> ranges[] = {
        {0, sizeof header},
        {format::kMarksAt, sizeof(format::Marks)},
        {format::kProcessesAt, 4 * sizeof(format::ProcessRecord)},
        {header.opens_at, 256},
        {header.objects_at, 20 * sizeof(format::ObjectRecord)},
        {header.objects_at, 20 * sizeof(format::ObjectRecord)},
        {header.threads_at, 4 * sizeof(format::ThreadRecord)},
        {header.heap_at, 32 << 10},
        {header.heap_at, 32 << 10}};
    const auto& [begin, size] = ranges[random() % 16 == 0 ? 0 : 1 + random() % 8];
    return begin + random() % size;
  }
  static std::uint64_t garbage(std::mt19937_64& random) {
    const std::uint64_t likely[] = {0,       1,          ~std::uint64_t{0}, std::uint64_t{1} << 63,
                                    0x10001, 0xffffffff, 0x7fffffff,        std::uint64_t{1} << 62,
                                    64,      4096,       128 << 10};
    return random() % 2 == 0 ? likely[random() % std::size(likely)] : random() >> random() % 64;
  }
  void sign() {
    const std::uint32_t sum = shoal::os::checksum(bytes_, offsetof(format::Header, checksum));
    std::memcpy(bytes_ + offsetof(format::Header, checksum), &sum, sizeof sum);
  }

  const std::string sound_;
  char* bytes_ = nullptr;
  std::vector<std::size_t> written_;
};

}  // namespace

TEST_CASE("a scribbled segment is reported, not crashed on") {
  const TempName name;
  const Furniture furniture(name);
  const Shared<std::atomic<int>> damaged;
  constexpr int kTimes = 6000;
  Child child(
      [&] {
        Scribble bytes(name);
        std::mt19937_64 random(815);
        for (int i = 0; i < kTimes; ++i) {
          bytes.scribble(random);
          if (look_at(name.str())) ++*damaged;
          bytes.restore();
        }
        return !look_at(name.str());
      },
      60s);
  CHECK(child.exit_status() == 0);
  CHECK(*damaged > kTimes / 4);
  MESSAGE("scribbled " << kTimes << " times, " << damaged->load() << " called damaged");
}

TEST_CASE("the program itself goes on through scribbled, cut and foreign files") {
  const TempName name;
  const Furniture furniture(name);
  const auto looks = [&] {
    for (const char* const command : {"ls", "show", "doctor"}) {
      const Result result = shoal_program(command, "--json", name);
      const bool expected = result.code == 0 || result.code == 3;
      CHECK_MESSAGE(expected, command << " ended with " << result.code << ": " << result.err);
      CHECK_FALSE(Json::parse(result.out, nullptr, false).is_discarded());
    }
  };
  {
    Scribble bytes(name);
    std::mt19937_64 random(816);
    for (int i = 0; i < 15; ++i) {
      bytes.scribble(random);
      looks();
      bytes.restore();
    }
  }
  const TempName other;
  const auto is_damaged = [&](const char* why) {
    const Result result = shoal_program("ls", "--json", other);
    CHECK(result.code == 3);
    CHECK(only(result.json())["state"] == "damaged");
    CHECK(says(result.out, why));
  };
  std::ofstream(other.path()).close();
  is_damaged("cut off");
  std::ofstream(other.path()) << std::string(5000, 'x');
  is_damaged("does not begin as one");
  std::ofstream(other.path(), std::ios::binary) << bytes_of(name).substr(0, 8192);
  is_damaged("8192 bytes");
  std::filesystem::remove(other.path());
  std::filesystem::create_symlink(name.path(), other.path());
  is_damaged("symbolic link");
  std::filesystem::remove(other.path());
  ::mkfifo(other.path().c_str(), 0600);
  is_damaged("not a regular file");
}

TEST_CASE("a segment that is truncated while it is looked at is no harm") {
  const TempName name;
  { const Furniture furniture(name); }
  const auto size = std::filesystem::file_size(name.path());
  const Shared<std::atomic<bool>> stop;
  Child looker([&] {
    for (int i = 0; i < 2000; ++i) look_at(name.str());
    return true;
  });
  // Last: a fork looks at what its process still has in the segment.
  Child cutter([&] {
    while (!*stop) {
      if (::truncate(name.path().c_str(), 300) != 0) return false;
      if (::truncate(name.path().c_str(), static_cast<off_t>(size)) != 0) return false;
    }
    return true;
  });
  CHECK(looker.succeeds());
  *stop = true;
  CHECK(cutter.succeeds());
}

TEST_CASE("top prints a table a look, and ends at Ctrl-C") {
  const TempName name;
  const Segment segment(name, small());
  const shoal::Queue<int> queue(segment, "queue", 100);
  Child busy([&]() -> bool {
    for (;;) queue.push(1), static_cast<void>(queue.pop());
  });
  const Result result = shoal_program("top", "--json", "--count", "3", "--interval", "0.05", name);
  CHECK(result.code == 0);
  CHECK(std::count(result.out.begin(), result.out.end(), '\n') == 3);
  const Json last = Json::parse(result.out.substr(
      result.out.find('\n') + 1,
      result.out.find('\n', result.out.find('\n') + 1) - result.out.find('\n') - 1));
  CHECK(last["objects"][0]["object"] == "queue");
  CHECK(last["objects"][0]["operations_per_second"] > 0);
  Program endless({"top", "--interval", "0.05", name.str()});
  const auto end = Clock::now() + patient(10s);
  while (endless.out().find("queue") == std::string::npos && Clock::now() < end)
    std::this_thread::yield();
  endless.interrupt();
  CHECK(endless.wait() == 130);
  CHECK(says(endless.out(), "OPS/S"));
  CHECK_FALSE(says(endless.out(), "\033"));
}

TEST_CASE("the command line is explained, and refused with 2") {
  for (const char* const command : {"ls", "show", "rm", "gc", "doctor", "top", "stress"}) {
    const Result help = shoal_program(command, "--help");
    CHECK(help.code == 0);
    CHECK(says(help.out, "Exit codes"));
    CHECK(shoal_program(command, "--nonsense").code == 2);
  }
  CHECK(shoal_program("--help").code == 0);
  CHECK(shoal_program("--version").code == 0);
  CHECK(shoal_program().code == 2);
  CHECK(shoal_program("nonsense").code == 2);
  CHECK(shoal_program("rm").code == 2);
  CHECK(shoal_program("top", "--interval", "0").code == 2);
}

TEST_CASE("ls of a thousand segments") {
  constexpr std::size_t kSegments = 1000;
  std::vector<std::unique_ptr<TempName>> names;
  for (std::size_t i = 0; i < kSegments; ++i) {
    names.push_back(std::make_unique<TempName>());
    Value<int>(Segment(*names.back(), small()), "n");
  }
  const auto begin = Clock::now();
  const Result result = shoal_program("ls", "--json");
  const auto took = Clock::now() - begin;
  std::set<std::string> listed;
  const Json facts = result.json();
  for (const Json& segment : facts["segments"]) listed.insert(segment["name"].get<std::string>());
  CHECK(std::all_of(names.begin(), names.end(),
                    [&](const auto& name) { return listed.contains(name->str()); }));
  MESSAGE("ls of " << listed.size() << " segments: "
                   << std::chrono::duration<double, std::milli>(took).count() << " ms");
}

TEST_SUITE_END();
