// SPDX-License-Identifier: MIT

// The promises of shoal/segment.hpp and shoal/open.hpp: names, open modes, erasing, removing, room.

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <shoal/shoal.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "format.hpp"
#include "os/file.hpp"
#include "support/child.hpp"
#include "support/full_programme.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using doctest::Contains;
using shoal::Lock;
using shoal::Open;
using shoal::Segment;
using shoal::SegmentOptions;
using shoal::Value;

namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

template <std::size_t N>
struct Block {
  std::array<unsigned char, N> bytes;
};

SegmentOptions with_open(Open open) {
  SegmentOptions options;
  options.open = open;
  return options;
}
SegmentOptions with_capacity(std::size_t capacity) {
  SegmentOptions options;
  options.capacity = capacity;
  return options;
}
SegmentOptions with_processes(std::size_t processes) {
  SegmentOptions options;
  options.max_processes = processes;
  return options;
}

template <std::size_t N>
bool is_zero(const Block<N>& block) {
  return std::all_of(block.bytes.begin(), block.bytes.end(),
                     [](unsigned char c) { return c == 0; });
}
template <std::size_t N>
Block<N> filled(unsigned char with) {
  Block<N> block;
  block.bytes.fill(with);
  return block;
}

std::set<std::string> names_of(const Segment& segment) {
  std::set<std::string> names;
  for (const shoal::ObjectInfo& object : segment.objects()) names.insert(object.name);
  return names;
}

bool is_listed(const std::string& name) {
  const std::vector<std::string> names = Segment::list();
  return std::find(names.begin(), names.end(), name) != names.end();
}

// By inode: a file that got its name after it was mapped is listed by another.
int mappings_of(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return -1;
  const std::string inode = " " + std::to_string(file.st_ino) + " ";
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);)
    if (line.find(inode) != std::string::npos) ++count;
  return count;
}

int open_files() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("or_create makes a segment where there is none, and finds the one that is there") {
  const TempName name;
  const Segment made(name);
  Value<int>(made, "n").store(7);
  CHECK(Value<int>(Segment(name), "n", Open::existing).load() == 7);
}

TEST_CASE("create throws AlreadyExists where the segment exists, and says what to do") {
  const TempName name;
  const Segment made(name, Open::create);
  CHECK_THROWS_WITH_AS(Segment(name, Open::create), Contains("Open::existing"),
                       shoal::AlreadyExists);
  CHECK_THROWS_WITH_AS(Segment(name, with_open(Open::create)), Contains(name.str().c_str()),
                       shoal::AlreadyExists);
}

TEST_CASE("existing throws NotFound where there is no segment, and makes none") {
  const TempName name;
  CHECK_THROWS_WITH_AS(Segment(name, Open::existing), Contains(name.str().c_str()),
                       shoal::NotFound);
  CHECK_THROWS_WITH_AS(Segment(name, Open::existing), Contains("create it first"), shoal::NotFound);
  CHECK_FALSE(std::filesystem::exists(name.path()));
}

TEST_CASE("an object's open modes: or_create, create, existing") {
  const TempName name;
  const Segment segment(name);
  CHECK_THROWS_WITH_AS(Lock(segment, "jobs", Open::existing), Contains("lock 'jobs'"),
                       shoal::NotFound);
  CHECK_THROWS_AS(Value<int>(segment, "jobs", Open::existing), shoal::NotFound);
  CHECK(segment.objects().empty());
  const Lock made(segment, "jobs", Open::create);
  CHECK_THROWS_WITH_AS(Lock(segment, "jobs", Open::create), Contains("Open::or_create"),
                       shoal::AlreadyExists);
  const Lock found(segment, "jobs", Open::existing);
  const Lock either(segment, "jobs");
  made.lock();
  CHECK(found.is_locked());
  CHECK(either.is_locked());
  made.unlock();
}

TEST_CASE("every error is a shoal::Error and a std::system_error whose text begins with shoal") {
  const TempName name;
  try {
    Segment(name, Open::existing);
    FAIL("no error");
  } catch (const std::system_error& error) {
    CHECK(error.code() == std::errc::no_such_file_or_directory);
    CHECK(dynamic_cast<const shoal::Error*>(&error) != nullptr);
    CHECK(std::string(error.what()).starts_with("shoal: "));
  }
}

TEST_CASE("names are 1 to 63 bytes of A-Z a-z 0-9 . _ - and do not begin with a dot") {
  const TempName name;
  const Segment segment(name);
  const std::string longest(63, 'n');
  const std::vector<std::string> good = {"a",  "Z",       "0",     "_",    "-",     "a.b", "-.-",
                                         "9.", "A_b-c.D", longest, "a..b", "shoal", "CON"};
  for (const std::string& object : good) {
    CAPTURE(object);
    CHECK_NOTHROW(Value<int>(segment, object));
    CHECK(segment.erase(object));
  }
  const std::vector<std::string> bad = {"",
                                        ".",
                                        "..",
                                        ".a",
                                        "a/b",
                                        "/",
                                        "a b",
                                        " ",
                                        "a\n",
                                        "a\tb",
                                        "a*",
                                        "a:b",
                                        "a\\b",
                                        "\xc3\xa9",
                                        "a\x7f",
                                        "a,b",
                                        "a~",
                                        longest + "n",
                                        std::string(300, 'n'),
                                        std::string("a\0b", 3),
                                        std::string(1, '\0')};
  for (const std::string& text : bad) {
    CAPTURE(text);
    CHECK_THROWS_AS(Segment{text}, shoal::InvalidName);
    CHECK_THROWS_AS(Segment(text, Open::existing), shoal::InvalidName);
    CHECK_THROWS_AS(Segment::remove(text), shoal::InvalidName);
    CHECK_THROWS_AS(Value<int>(segment, text), shoal::InvalidName);
    CHECK_THROWS_AS(Lock(segment, text), shoal::InvalidName);
    CHECK_THROWS_AS(segment.erase(text), shoal::InvalidName);
  }
  CHECK_THROWS_WITH_AS(Segment{"a/b"}, Contains("A-Z a-z 0-9 . _ -"), shoal::InvalidName);
  CHECK_THROWS_WITH_AS(Segment(std::string("a\0b", 3)), Contains("'a?b'"), shoal::InvalidName);
  CHECK(segment.objects().empty());
}

TEST_CASE("a segment's name may have 63 bytes") {
  const TempName temp;
  std::string name = temp.str();
  name.resize(63, 'x');
  const Segment segment(name, Open::create);
  CHECK(segment.name() == name);
  CHECK(is_listed(name));
  CHECK(Segment::remove(name));
}

TEST_CASE("options out of their range throw std::invalid_argument and make nothing") {
  const TempName name;
  const auto refused = [&](auto change) {
    SegmentOptions options;
    change(options);
    CHECK_THROWS_AS(Segment(name, options), std::invalid_argument);
    CHECK_THROWS_AS(Segment::anonymous(options), std::invalid_argument);
  };
  refused([](SegmentOptions& o) { o.capacity = 0; });
  refused([](SegmentOptions& o) { o.capacity = SIZE_MAX; });
  refused([](SegmentOptions& o) { o.max_objects = 0; });
  refused([](SegmentOptions& o) { o.max_objects = 65536; });
  refused([](SegmentOptions& o) { o.max_processes = 0; });
  refused([](SegmentOptions& o) { o.max_processes = 65536; });
  refused([](SegmentOptions& o) { o.max_threads = 0; });
  refused([](SegmentOptions& o) { o.max_threads = 65536; });
  refused([](SegmentOptions& o) { o.mode = 010000; });
  CHECK_FALSE(std::filesystem::exists(name.path()));
}

TEST_CASE("the largest documented numbers of objects, processes and threads work") {
  const TempName name;
  SegmentOptions options;
  options.max_objects = options.max_processes = options.max_threads = 65535;
  CHECK_NOTHROW(Value<int>(Segment(name, options), "n").store(1));
}

TEST_CASE("the smallest segment, of one object and one process, works") {
  const TempName name;
  SegmentOptions options;
  options.capacity = options.max_objects = options.max_processes = options.max_threads = 1;
  const Segment segment(name, options);
  CHECK(segment.capacity() >= 1);
  const Value<int> value(segment, "n", 5);
  CHECK(value.load() == 5);
}

TEST_CASE("who opens a segment finds what its creator chose") {
  const TempName name;
  const Segment made(name, with_capacity(1 * kMiB));
  const Segment found(name, with_capacity(8 * kMiB));
  CHECK(made.capacity() == 1 * kMiB);
  CHECK(found.capacity() == 1 * kMiB);
}

TEST_CASE("remove takes the name at once; handles keep working; a new one is another segment") {
  const TempName name;
  const Segment old(name);
  const Value<int> before(old, "n", 1);
  CHECK(Segment::remove(name));
  CHECK_FALSE(Segment::remove(name));
  CHECK_FALSE(is_listed(name.str()));
  CHECK_THROWS_AS(Segment(name, Open::existing), shoal::NotFound);

  const Segment fresh(name, Open::create);
  const Value<int> after(fresh, "n", 2);
  before.store(10);
  CHECK(after.load() == 2);
  CHECK(Value<int>(old, "n", Open::existing).load() == 10);
  CHECK_NOTHROW(Lock(old, "made.later").lock());
  CHECK(names_of(fresh) == std::set<std::string>{"n"});
  CHECK(old.name() == fresh.name());
}

TEST_CASE("who comes while a segment's name is taken away is in the next of that name, not alone") {
  const TempName name;
  { const Value<int> old(Segment(name), "n", 1); }
  const Gate sealed;
  Child late([&] {
    sealed.wait();
    const Value<int> n(Segment(name), "n", 5);
    return n.load() == 5;
  });
  // Every place is taken, and the directory: who comes has opened the file, and waits.
  shoal::os::File file;
  REQUIRE_FALSE(shoal::os::File::open(name.str(), file));
  REQUIRE_FALSE(file.try_lock(shoal::format::kDirectoryByte));
  REQUIRE_FALSE(file.try_lock(shoal::format::life_byte(0), SegmentOptions{}.max_processes));
  sealed.open();
  late.wait_until_asleep();
  CHECK(Segment::remove(name));
  file.close();
  CHECK(late.succeeds());
  CHECK(Value<int>(Segment(name, Open::existing), "n", Open::existing).load() == 5);
}

TEST_CASE("a removed segment goes on working for forked children") {
  const TempName name;
  const Segment segment(name);
  const Lock lock(segment, "lock");
  const Value<int> value(segment, "n");
  CHECK(Segment::remove(name));
  Child child([&] {
    const std::scoped_lock held(lock);
    value.store(3);
    Value<int>(segment, "of.child", 4);
  });
  CHECK(child.succeeds());
  CHECK(value.load() == 3);
  CHECK(Value<int>(segment, "of.child", Open::existing).load() == 4);
}

TEST_CASE("list tells the segments this user can see, sorted, and nothing else") {
  const TempName first;
  const TempName second;
  const TempName folder;
  const Segment b(second);
  const Segment a(first);
  std::filesystem::create_directory(folder.path());
  const std::vector<std::string> names = Segment::list();
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::count(names.begin(), names.end(), first.str()) == 1);
  CHECK(std::count(names.begin(), names.end(), second.str()) == 1);
  CHECK(std::count(names.begin(), names.end(), folder.str()) == 0);
  std::filesystem::remove(folder.path());
  CHECK(Segment::remove(first));
  CHECK_FALSE(is_listed(first.str()));
}

TEST_CASE("objects tells name, kind, type and size of each") {
  const TempName name;
  const Segment segment(name);
  CHECK(segment.objects().empty());
  const Value<std::int64_t> value(segment, "count");
  const Lock lock(segment, "guard");
  const Value<shoal::FixedString<32>> text(segment, "text");
  std::map<std::string, shoal::ObjectInfo> by_name;
  for (const shoal::ObjectInfo& object : segment.objects()) by_name[object.name] = object;
  REQUIRE(by_name.size() == 3);
  CHECK(by_name["count"].kind == "value");
  CHECK(by_name["count"].type == "int64");
  CHECK(by_name["count"].bytes >= 8);
  CHECK(by_name["guard"].kind == "lock");
  CHECK(by_name["guard"].type.empty());
  CHECK(by_name["text"].type == "text32");
  CHECK(segment.erase("count"));
  CHECK(names_of(segment) == std::set<std::string>{"guard", "text"});
}

TEST_CASE("used grows with each object and goes back with it") {
  const TempName name;
  const Segment segment(name, with_capacity(4 * kMiB));
  CHECK(segment.used() == 0);
  const std::size_t one = [&] {
    const Value<Block<64 * kKiB>> block(segment, "one", Block<64 * kKiB>{});
    return segment.used();
  }();
  CHECK(one >= 128 * kKiB);  // two copies
  CHECK(one <= segment.capacity());
  CHECK(segment.used() == one);  // nobody has it open, and it has its name
  Lock(segment, "lock");
  CHECK(segment.used() > one);
  CHECK(segment.erase("one"));
  CHECK(segment.erase("lock"));
  CHECK(segment.used() == 0);
}

TEST_CASE("handles may be copied, moved, assigned, and may outlive the Segment") {
  const TempName name;
  std::optional<Segment> segment(std::in_place, name);
  Value<int> value(*segment, "n", 1);
  Value<int> other(*segment, "m", 100);
  Lock lock(*segment, "lock");
  {
    Segment copy = *segment;
    const Segment moved = std::move(copy);
    copy = moved;
    CHECK(copy.name() == moved.name());
  }
  segment.reset();
  Value<int> copy = value;
  copy.store(2);
  CHECK(value.load() == 2);
  const Value<int> moved = std::move(copy);
  CHECK(moved.load() == 2);
  copy = other;  // assigning to a moved-from handle
  CHECK(copy.load() == 100);
  std::swap(value, other);
  CHECK(value.load() == 100);
  CHECK(other.load() == 2);
  Lock locked = lock;
  locked.lock();
  CHECK(lock.is_locked());
  const Lock last = std::move(locked);
  last.unlock();
  CHECK_FALSE(lock.is_locked());
}

TEST_CASE("every operation on a shared object is const: lambdas capture handles by copy") {
  const TempName name;
  const Segment segment(name);
  const Value<int> value(segment, "n");
  const Lock lock(segment, "lock");
  const auto use = [segment, value, lock] {
    const std::scoped_lock held(lock);
    value.store(value.load() + 1);
    value.fetch_add(1);
    value.update([](int& n) { ++n; });
    return segment.erase("none");
  };
  CHECK_FALSE(use());
  CHECK(value.load() == 3);
}

TEST_CASE("a process has one mapping of a segment's file, however many handles") {
  const TempName name;
  const int files = open_files();
  {
    const Segment first(name);
    const int one = open_files();
    std::vector<Segment> more;
    for (int i = 0; i < 20; ++i) more.emplace_back(name);
    CHECK(mappings_of(name.path()) == 1);
    CHECK(open_files() == one);
    const Value<int> value(more.back(), "n", 4);
    CHECK(Value<int>(first, "n").load() == 4);
  }
  CHECK(mappings_of(name.path()) == 0);
  CHECK(open_files() == files);
}

TEST_CASE("threads that open one segment at once have one mapping") {
  const TempName name;
  for (int round = 0; round < 50; ++round) {
    std::barrier ready(5);
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        ready.arrive_and_wait();
        const Segment segment(name);
        const Value<int> value(segment, "n");
        value.fetch_add(1);
        ready.arrive_and_wait();
        ready.arrive_and_wait();
        if (value.load() != 4) ++wrong;
      });
    ready.arrive_and_wait();
    ready.arrive_and_wait();
    CHECK(mappings_of(name.path()) == 1);
    ready.arrive_and_wait();
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(mappings_of(name.path()) == 0);
    CHECK(Segment::remove(name));
  }
}

TEST_CASE("a hundred segments at once are a hundred segments") {
  std::vector<std::unique_ptr<TempName>> names;
  std::vector<Segment> segments;
  std::vector<Value<int>> values;
  for (int i = 0; i < 100; ++i) {
    names.push_back(std::make_unique<TempName>());
    segments.emplace_back(*names.back());
    values.emplace_back(segments.back(), "n", i);
  }
  Child child([&] {
    for (const Value<int>& value : values) value.fetch_add(1000);
    for (const Segment& segment : segments) Lock(segment, "lock").lock();
  });
  CHECK(child.succeeds());
  for (int i = 0; i < 100; ++i) CHECK(values[static_cast<std::size_t>(i)].load() == 1000 + i);
}

TEST_CASE("erase takes an object's name at once; old handles work, a new object is another") {
  const TempName name;
  const Segment segment(name);
  const Value<int> old(segment, "n", 1);
  CHECK(segment.erase("n"));
  CHECK_FALSE(segment.erase("n"));
  CHECK(segment.objects().empty());
  CHECK_THROWS_AS(Value<int>(segment, "n", Open::existing), shoal::NotFound);
  const Value<double> fresh(segment, "n", 2.5);  // of another type, even
  old.store(9);
  CHECK(old.load() == 9);
  CHECK(fresh.load() == 2.5);
  CHECK(segment.erase("n"));
  CHECK(fresh.load() == 2.5);
}

TEST_CASE("erase of a lock that is held leaves its handles a working lock") {
  const TempName name;
  const Segment segment(name);
  const Lock old(segment, "lock");
  old.lock();
  CHECK(segment.erase("lock"));
  const Lock fresh(segment, "lock");
  CHECK_FALSE(fresh.is_locked());
  Child child([&] { return !old.try_lock() && fresh.try_lock(); });
  CHECK(child.succeeds());
  old.unlock();
  CHECK(old.try_lock());
  old.unlock();
}

TEST_CASE("an erased object's space comes back once no live process has it open") {
  using Half = Block<300 * kKiB>;
  const TempName name;
  const Segment segment(name, with_capacity(1 * kMiB));
  const Gate open;
  const Gate let_go;
  const Gate gone;
  Child other([&] {
    {
      const Value<Half> half(Segment(name), "half", Half{});
      open.open();
      let_go.wait();
    }
    gone.open();
    return sleep_forever();
  });
  open.wait();
  CHECK(segment.erase("half"));
  const std::size_t taken = segment.used();
  CHECK(taken >= 600 * kKiB);
  CHECK_THROWS_AS(Value<Half>(segment, "next", Half{}), shoal::NoSpace);
  let_go.open();
  gone.wait();
  CHECK(segment.used() == 0);
  CHECK_NOTHROW(Value<Half>(segment, "next", Half{}));
}

TEST_CASE("an erased object's space comes back when who had it open is killed -9") {
  using Half = Block<300 * kKiB>;
  const TempName name;
  const Segment segment(name, with_capacity(1 * kMiB));
  const Gate open;
  Child other([&] {
    const Value<Half> half(Segment(name), "half", Half{});
    open.open();
    return sleep_forever();
  });
  open.wait();
  CHECK(segment.erase("half"));
  CHECK_THROWS_AS(Value<Half>(segment, "next", Half{}), shoal::NoSpace);
  other.kill();
  SUBCASE("seen by used") { CHECK(segment.used() == 0); }
  SUBCASE("seen by who needs it") { CHECK_NOTHROW(Value<Half>(segment, "next", Half{})); }
}

TEST_CASE("an erased object that an inherited handle refers to keeps its space") {
  using Half = Block<300 * kKiB>;
  const TempName name;
  const Segment segment(name, with_capacity(1 * kMiB));
  const Gate erased;
  std::optional<Value<Half>> half(std::in_place, segment, "half", filled<300 * kKiB>(7));
  Child child([&] {
    erased.wait();
    return half->load().bytes[1000] == 7;
  });
  half.reset();
  CHECK(segment.erase("half"));
  CHECK(segment.used() >= 600 * kKiB);
  CHECK_THROWS_AS(Value<Half>(segment, "next", Half{}), shoal::NoSpace);
  erased.open();
  CHECK(child.succeeds());
  CHECK_NOTHROW(Value<Half>(segment, "next", Half{}));
}

TEST_CASE("what is made in the room of an erased object is zero again") {
  const TempName name;
  const Segment segment(name, with_capacity(256 * kKiB));
  for (int round = 0; round < 3; ++round) {
    for (const char* object : {"a", "b", "c"})
      Value<Block<20000>>(segment, object, filled<20000>(0xff)).store(filled<20000>(0xee));
    for (const char* object : {"a", "b", "c"}) CHECK(segment.erase(object));
    CHECK(is_zero(Value<Block<50000>>(segment, "all", Open::create).load()));
    const Value<Block<50000>> all(segment, "all");
    all.store(filled<50000>(0xdd));
    CHECK(segment.erase("all"));
  }
}

TEST_CASE("a full segment throws NoSpace, changes nothing, and its space is usable afterwards") {
  const TempName name;
  const Segment segment(name, with_capacity(256 * kKiB));
  int made = 0;
  const auto make_all = [&] {
    for (made = 0;; ++made) Value<Block<8000>>(segment, "n" + std::to_string(made), Block<8000>{});
  };
  CHECK_THROWS_WITH_AS(make_all(), Contains("SegmentOptions::capacity"), shoal::NoSpace);
  CHECK(made >= 14);
  const int most = made;
  CHECK(segment.objects().size() == static_cast<std::size_t>(made));
  CHECK_THROWS_AS(Value<Block<8000>>(segment, "more", Block<8000>{}), shoal::NoSpace);
  CHECK_NOTHROW(Value<Block<8000>>(segment, "n3", Open::existing));
  CHECK(segment.erase("n3"));
  CHECK_NOTHROW(Value<Block<8000>>(segment, "more", Block<8000>{}));
  for (const std::string& object : names_of(segment)) CHECK(segment.erase(object));
  CHECK(segment.used() == 0);
  CHECK_THROWS_AS(make_all(), shoal::NoSpace);
  CHECK(made == most);
}

TEST_CASE("an object larger than the segment throws NoSpace that names it and both sizes") {
  const TempName name;
  const Segment segment(name, with_capacity(64 * kKiB));
  CHECK_THROWS_WITH_AS(Value<Block<100 * kKiB>>(segment, "large", Open::create),
                       Contains("value 'large'"), shoal::NoSpace);
  CHECK_THROWS_WITH_AS(Value<Block<100 * kKiB>>(segment, "large", Open::create), Contains("65536"),
                       shoal::NoSpace);
  CHECK(segment.objects().empty());
  CHECK_NOTHROW(Value<int>(segment, "large"));
}

TEST_CASE("max_objects is a limit on objects that are there, not on those that ever were") {
  const TempName name;
  SegmentOptions options;
  options.max_objects = 3;
  const Segment segment(name, options);
  for (const char* object : {"a", "b", "c"}) Value<int>(segment, object, 1);
  CHECK_THROWS_WITH_AS(Value<int>(segment, "d"), Contains("max_objects"), shoal::NoSpace);
  for (int i = 0; i < 20; ++i) {
    CHECK(segment.erase("b"));
    CHECK(Value<int>(segment, "b").load() == 0);
    CHECK_THROWS_AS(Lock(segment, "d"), shoal::NoSpace);
  }
}

TEST_CASE(
    "one process more than max_processes gets TooManyParticipants; not so once one has died") {
  const TempName name;
  const Segment segment(name, with_processes(3));
  const auto joins = [&] {
    Child child([&] {
      try {
        Value<int>(Segment(name, Open::existing), "n").fetch_add(1);
        return 0;
      } catch (const shoal::TooManyParticipants& error) {
        return std::string(error.what()).find("max_processes") == std::string::npos ? 2 : 3;
      }
    });
    return child.exit_status();
  };
  // A program that is started by a fork has that fork's record until the forking side lets go of
  // it, which may be a moment after the program runs.
  const auto starts = [&] {
    int status = 3;
    for (int i = 0; i < 20 && status == 3; ++i)
      status = ExecChild("segment.join", name.str()).exit_status();
    return status == 0;
  };
  std::vector<std::unique_ptr<Child>> members;
  const auto add = [&] {
    const Gate inside;
    members.push_back(std::make_unique<Child>([&] {
      Value<int>(segment, "n").fetch_add(1);
      inside.open();
      return sleep_forever();
    }));
    inside.wait();
  };
  add();
  add();
  for (int i = 0; i < 5; ++i) {
    ExecChild stranger("segment.join", name.str());
    CHECK(stranger.exit_status() == 3);
    members.pop_back();
    CHECK(starts());
    add();
  }
  members.clear();
  CHECK(joins() == 0);
}

TEST_CASE("an anonymous segment is for forked children, and for nobody else") {
  const Segment segment = Segment::anonymous(with_capacity(1 * kMiB));
  CHECK(segment.name().empty());
  CHECK(segment.capacity() == 1 * kMiB);
  const Value<int> value(segment, "n", 1);
  const Lock lock(segment, "lock");
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 4; ++i)
    children.push_back(std::make_unique<Child>([&] {
      for (int turn = 0; turn < 1000; ++turn) {
        const std::scoped_lock held(lock);
        value.store(value.load() + 1);
      }
    }));
  for (auto& child : children) CHECK(child->succeeds());
  CHECK(value.load() == 4001);
  CHECK_FALSE(is_listed(""));
  CHECK_THROWS_WITH_AS(Value<long long>(segment, "lock"), Contains("anonymous segment"),
                       shoal::TypeMismatch);
  const Segment another = Segment::anonymous();
  CHECK_THROWS_AS(Value<int>(another, "n", Open::existing), shoal::NotFound);
}

TEST_CASE("a lock in an anonymous segment tells of its holder's death") {
  const Segment segment = Segment::anonymous();
  const Lock lock(segment, "lock");
  const Gate holding;
  Child holder([&] {
    lock.lock();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  holder.kill();
  CHECK_THROWS_WITH_AS(lock.lock(), Contains("anonymous segment"), shoal::OwnerDied);
}

TEST_CASE("a fresh segment of 64 MiB costs a few pages") {
  const TempName name;
  const Segment segment(name);
  CHECK(segment.capacity() == 64 * kMiB);
  struct stat file {};
  REQUIRE(::stat(name.path().c_str(), &file) == 0);
  CHECK(file.st_size >= static_cast<off_t>(64 * kMiB));
  CHECK(file.st_blocks * 512 <= 32 * 1024);
  const Value<int> value(segment, "n");
  const Lock lock(segment, "lock");
  REQUIRE(::stat(name.path().c_str(), &file) == 0);
  CHECK(file.st_blocks * 512 <= 64 * 1024);
}

TEST_CASE("memory is taken when an object is made, and given back when it is erased") {
  const TempName name;
  const Segment segment(name);
  struct stat file {};
  const auto kilobytes = [&] {
    REQUIRE(::stat(name.path().c_str(), &file) == 0);
    return file.st_blocks / 2;
  };
  const auto before = kilobytes();
  Value<Block<1 * kMiB>>(segment, "large", Block<1 * kMiB>{});
  CHECK(kilobytes() >= before + 2048);
  CHECK(segment.erase("large"));
  CHECK(segment.used() == 0);
  CHECK(kilobytes() <= before + 64);
}

TEST_CASE("the file's mode is the option's, whatever the umask is") {
  for (const mode_t mask : {0000U, 0022U, 0077U, 0777U}) {
    const mode_t old = ::umask(mask);
    for (const unsigned mode : {0600U, 0660U, 0666U, 0640U, 0777U}) {
      const TempName name;
      SegmentOptions options;
      options.mode = mode;
      const Segment segment(name, options);
      struct stat file {};
      CHECK(::stat(name.path().c_str(), &file) == 0);
      CHECK((file.st_mode & 07777) == mode);
    }
    ::umask(old);
  }
}

TEST_CASE("of eight processes that create a segment and an object at once, exactly one does") {
  for (int round = 0; round < 25; ++round) {
    const TempName name;
    const Gate start;
    const SharedCounter made_segment;
    const SharedCounter made_object;
    std::vector<std::unique_ptr<Child>> children;
    for (std::int64_t i = 0; i < 8; ++i)
      children.push_back(std::make_unique<Child>([&, i] {
        start.wait();
        try {
          const Segment segment(name, Open::create);
          ++*made_segment;
        } catch (const shoal::AlreadyExists&) {
        }
        const Segment segment(name);
        try {
          const Value<std::int64_t> value(segment, "made", i + 1, Open::create);
          ++*made_object;
        } catch (const shoal::AlreadyExists&) {
        }
        const Value<std::int64_t> value(segment, "made", Open::existing);
        return value.load() >= 1 && value.load() <= 8;
      }));
    start.open();
    for (auto& child : children) CHECK(child->succeeds());
    CHECK(*made_segment == 1);
    CHECK(*made_object == 1);
    CHECK(Segment(name).objects().size() == 1);
  }
}

TEST_CASE("an initial value is never seen half made") {
  for (int round = 0; round < 20; ++round) {
    const TempName name;
    const Segment segment(name);
    const Gate start;
    std::vector<std::unique_ptr<Child>> children;
    for (unsigned char i = 1; i <= 8; ++i)
      children.push_back(std::make_unique<Child>([&, i] {
        start.wait();
        const Value<Block<16 * kKiB>> value(segment, "block", filled<16 * kKiB>(i));
        const Block<16 * kKiB> seen = value.load();
        return seen.bytes[0] >= 1 && seen.bytes[0] <= 8 &&
               std::all_of(seen.bytes.begin(), seen.bytes.end(),
                           [&](unsigned char c) { return c == seen.bytes[0]; });
      }));
    start.open();
    for (auto& child : children) CHECK(child->succeeds());
  }
}

TEST_CASE("another kind, type or size under a name is TypeMismatch, which tells both sides") {
  const TempName name;
  const Segment segment(name);
  const Value<std::int64_t> value(segment, "n", 5);
  const Lock lock(segment, "lock");
  CHECK_THROWS_WITH_AS(Lock(segment, "n"), Contains("is a value, and was opened as a lock"),
                       shoal::TypeMismatch);
  CHECK_THROWS_WITH_AS(Value<int>(segment, "lock"),
                       Contains("is a lock, and was opened as a value"), shoal::TypeMismatch);
  CHECK_THROWS_WITH_AS(Value<std::uint64_t>(segment, "n"), Contains("uint64"), shoal::TypeMismatch);
  CHECK_THROWS_WITH_AS(Value<std::int32_t>(segment, "n"), Contains("int64"), shoal::TypeMismatch);
  CHECK_THROWS_AS(Value<double>(segment, "n"), shoal::TypeMismatch);
  CHECK_THROWS_AS(Value<Block<8>>(segment, "n", Open::existing), shoal::TypeMismatch);
  CHECK_THROWS_WITH_AS(Value<double>(segment, "n"), Contains("use another name, or erase it"),
                       shoal::TypeMismatch);
  CHECK_THROWS_WITH_AS(Value<double>(segment, "n"), Contains(name.str().c_str()),
                       shoal::TypeMismatch);
  CHECK(Value<long>(segment, "n").load() == 5);
  CHECK(Value<long long>(segment, "n").load() == 5);
  CHECK_THROWS_AS(Value<double>(segment, "n", Open::create), shoal::AlreadyExists);
}

TEST_CASE("objects are found by a freshly started process, at other addresses") {
  const TempName name;
  const Segment segment(name);
  const Value<std::int64_t> value(segment, "n", 41);
  const Value<shoal::FixedString<100>> text(segment, "text", "from the parent");
  const Lock lock(segment, "lock");
  lock.lock();
  ExecChild child("segment.visit", name.str());
  CHECK(child.succeeds());
  lock.unlock();
  CHECK(value.load() == 42);
  CHECK(text.load() == "from the child");
  CHECK(Value<double>(segment, "of.child", Open::existing).load() == 0.5);
}

TEST_CASE("handles that are statics go in order when a program ends") {
  const TempName name;
  const Segment segment(name);
  ExecChild child("segment.statics", name.str());
  CHECK(child.succeeds());
  const Value<int> value(segment, "n", Open::existing);
  CHECK(value.load() == 1);
}

TEST_CASE("last calls may come from destructors of a thread's objects and of statics") {
  constexpr int kThreads = 10;
  const TempName name;
  SegmentOptions options;
  options.max_threads = 4;  // and so many records there are: none is lost with a thread
  const Segment segment(name, options);
  const shoal::Queue<std::string> queue(segment, "words");
  ExecChild child("segment.farewell", name.str(), std::to_string(kThreads));
  CHECK(child.succeeds());
  std::vector<std::string> words;
  while (const auto word = queue.try_pop()) words.push_back(*word);
  std::vector<std::string> expected = {"main"};
  for (int i = 0; i < kThreads; ++i) expected.insert(expected.end(), {"thread", "last", "first"});
  expected.emplace_back("static");
  CHECK(words == expected);
}

TEST_CASE("objects never overlap, and nothing of the capacity is lost, however they come and go") {
  using Small = Block<100>;
  using Middle = Block<5000>;
  using Large = Block<30000>;
  const TempName name;
  const Segment segment(name, with_capacity(512 * kKiB));
  std::mt19937 random(12345);
  std::map<std::string, int> model;  // name, its fill and by that its type
  const auto put = [&](const std::string& object, int fill) {
    const auto c = static_cast<unsigned char>(fill);
    if (fill % 3 == 0) Value<Small>(segment, object, filled<100>(c), Open::create);
    if (fill % 3 == 1) Value<Middle>(segment, object, filled<5000>(c), Open::create);
    if (fill % 3 == 2) Value<Large>(segment, object, filled<30000>(c), Open::create);
  };
  const auto is_right = [&](const std::string& object, int fill) {
    const auto all = [fill](const auto& block) {
      return std::all_of(block.bytes.begin(), block.bytes.end(),
                         [&](unsigned char c) { return c == fill; });
    };
    if (fill % 3 == 0) return all(Value<Small>(segment, object, Open::existing).load());
    if (fill % 3 == 1) return all(Value<Middle>(segment, object, Open::existing).load());
    return all(Value<Large>(segment, object, Open::existing).load());
  };
  int full = 0;
  for (int step = 0; step < 3000; ++step) {
    const std::string object = "o" + std::to_string(random() % 40);
    if (const auto found = model.find(object); found != model.end()) {
      REQUIRE(is_right(object, found->second));
      REQUIRE(segment.erase(object));
      model.erase(found);
    } else {
      const int fill = static_cast<int>(random() % 250) + 1;
      try {
        put(object, fill);
        model[object] = fill;
      } catch (const shoal::NoSpace&) {
        ++full;
      }
    }
  }
  CHECK(full > 0);
  for (const auto& [object, fill] : model) CHECK(is_right(object, fill));
  CHECK(names_of(segment).size() == model.size());
  for (const auto& [object, fill] : model) CHECK(segment.erase(object));
  CHECK(segment.used() == 0);
  CHECK_NOTHROW(Value<Block<240 * kKiB>>(segment, "everything", Open::create));
}

TEST_CASE(
    "processes that make, open and erase the same names and are killed leave a sound segment") {
  const TempName name;
  SegmentOptions options = with_capacity(256 * kKiB);
  options.max_processes = 8;
  options.max_objects = 6;
  const Segment segment(name, options);
  const SharedCounter rounds;
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (;; ++*rounds) {
      const std::string object = "o" + std::to_string(random() % 8);
      try {
        const Value<Block<9000>> value(segment, object, filled<9000>(0x5a));
        for (const unsigned char c : value.load().bytes)
          if (c != 0x5a) return 1;
        if (random() % 2 == 0) segment.erase(object);
      } catch (const shoal::NoSpace&) {
        segment.erase("o" + std::to_string(random() % 8));
      }
    }
  };
  std::vector<std::unique_ptr<Child>> children;
  for (unsigned i = 0; i < 3; ++i)
    children.push_back(
        std::make_unique<Child>([&, i] { return work(i); }, std::chrono::seconds(60)));
  std::mt19937 random(1);
  const int kills = full_programme() ? 2000 : 150;
  for (int kill = 0; kill < kills; ++kill) {
    const std::int64_t before = *rounds;
    while (*rounds < before + static_cast<std::int64_t>(random() % 20)) ::usleep(50);
    const std::size_t victim = random() % children.size();
    children[victim]->kill();
    CHECK(children[victim]->exit_status() == -SIGKILL);
    const unsigned seed = 100U + static_cast<unsigned>(kill);
    children[victim] =
        std::make_unique<Child>([&, seed] { return work(seed); }, std::chrono::seconds(60));
  }
  children.clear();
  for (const std::string& object : names_of(segment)) CHECK(segment.erase(object));
  CHECK(segment.used() == 0);
  CHECK_NOTHROW(Value<Block<120 * kKiB>>(segment, "everything", Open::create));
  MESSAGE("killed " << kills << ", rounds " << rounds->load());
}

TEST_CASE("where the address space is full, the error names the segment, and no file is left") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  MESSAGE("skipped 1: a sanitizer needs it all");
  return;
#endif
  const TempName name;
  Child child([&] {
    const rlimit limit{512UL * kMiB, 512UL * kMiB};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) return 9;
    try {
      const Segment segment(name, with_capacity(4096 * kMiB));
      return 1;
    } catch (const shoal::Error& error) {
      if (std::string(error.what()).find(name.str()) == std::string::npos) return 2;
    } catch (const std::exception&) {
      return 3;
    }
    return std::filesystem::exists(name.path()) ? 4 : 0;
  });
  CHECK(child.exit_status() == 0);
}
