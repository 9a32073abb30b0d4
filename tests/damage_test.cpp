// SPDX-License-Identifier: MIT

// Segments that somebody has written over: opening gives a typed error; using gives errors, time-outs
// or wrong data. Never a signal, never a timed call that hangs, never an access outside. What is
// written over while it is being used is in scribble_test.cpp.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <shoal/shoal.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "format.hpp"
#include "kinds.hpp"
#include "support/child.hpp"
#include "support/full_programme.hpp"
#include "support/gate.hpp"
#include "support/segment_bytes.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using doctest::Contains;
using shoal::Lock;
using shoal::Open;
using shoal::Segment;
using shoal::SegmentOptions;
using shoal::Value;
namespace format = shoal::format;

namespace {

using Large = std::array<unsigned char, 5000>;

SegmentOptions small() {
  SegmentOptions options;
  options.capacity = 128 << 10;
  options.max_objects = 16;
  options.max_processes = 16;
  options.max_threads = 16;
  return options;
}

// Makes a segment with three objects, and leaves it.
void furnish(const TempName& name) {
  const Segment segment(name, small());
  const Lock lock(segment, "lock");
  const Value<std::int64_t> number(segment, "number", 5);
  const Value<Large> large(segment, "large", Open::create);
}

enum Verdict {
  sound = 0,
  corrupted = 10,
  other_version = 11,
  other_error = 12,
  foreign_error = 13
};

// What opening gives. In a child: a signal is its exit status.
template <class F>
int verdict_of(F open) {
  Child child([&]() -> int {
    try {
      open();
      return sound;
    } catch (const shoal::Corrupted&) {
      return corrupted;
    } catch (const shoal::VersionMismatch&) {
      return other_version;
    } catch (const shoal::Error& error) {
      std::fprintf(stderr, "%s\n", error.what());
      return other_error;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "not a shoal::Error: %s\n", error.what());
      return foreign_error;
    }
  });
  return child.exit_status();
}
int verdict_of(const TempName& name) {
  return verdict_of([&] {
    const Segment segment(name, small());
    Value<std::int64_t>(segment, "number").fetch_add(1);
    Value<Large>(segment, "another", Open::or_create);
    const Lock lock(segment, "lock");
    lock.lock();
    static_cast<void>(lock.try_lock_for(1ms));
    lock.unlock();
  });
}

template <class F>
void attempt(F call) {
  try {
    call();
  } catch (const shoal::Error&) {
  }
}

// Everything that ends by itself, on whatever is there. A large Value's writes are not timed.
void use_all(const TempName& name, bool large_too) {
  attempt([&] {
    const Segment segment(name, small());
    attempt([&] { static_cast<void>(segment.objects()); });
    attempt([&] { static_cast<void>(segment.used()); });
    attempt([&] {
      const Lock lock(segment, "lock");
      static_cast<void>(lock.is_locked());
      static_cast<void>(lock.owner());
      static_cast<void>(lock.inherited());
      static_cast<void>(lock.on_owner_death());
      bool abandoned = false;
      try {
        if (lock.try_lock()) lock.unlock();
        if (lock.try_lock_for(3ms)) lock.unlock();
      } catch (const shoal::OwnerDied&) {
        abandoned = true;
      }
      if (abandoned && large_too) lock.recover().unlock();
      attempt([&] { lock.unlock(); });
    });
    attempt([&] {
      const Value<std::int64_t> number(segment, "number");
      number.store(number.load() ^ number.fetch_add(1));
      number.update([](std::int64_t& n) { n ^= 1; });
    });
    attempt([&] {
      const Value<Large> large(segment, "large", Open::or_create);
      static_cast<void>(large.get_obj()[sizeof(Large) - 1]);
      if (!large_too) return;
      static_cast<void>(large.load());
      large.update([](Large& bytes) { ++bytes[17]; });
    });
    attempt([&] { Value<Large>(segment, "fresh", Open::create); });
    attempt([&] { segment.erase("fresh"); });
    attempt([&] { static_cast<void>(segment.used()); });
  });
}

}  // namespace

TEST_CASE("every byte of the header, flipped in any way, gives Corrupted or VersionMismatch") {
  const TempName name;
  furnish(name);
  const SegmentBytes bytes(name);
  int points = 0;
  for (std::size_t at = 0; at < sizeof(format::Header); ++at)
    for (const int flip : {0x01, 0x80, 0xff}) {
      CAPTURE(at);
      CAPTURE(flip);
      bytes[at] = static_cast<unsigned char>(bytes[at] ^ flip);
      const int verdict = verdict_of([&] { const Segment segment(name, small()); });
      bytes[at] = static_cast<unsigned char>(bytes[at] ^ flip);
      CHECK((verdict == corrupted || verdict == other_version));
      ++points;
    }
  CHECK(verdict_of([&] { const Segment segment(name, small()); }) == sound);
  MESSAGE(points << " headers");
}

TEST_CASE("a header that was changed and signed anew is checked all the same") {
  const TempName name;
  furnish(name);
  const SegmentBytes bytes(name);
  const format::Header before = bytes.header();
  const auto check = [&](const std::string& what, auto change) {
    CAPTURE(what);
    change(bytes.header());
    bytes.sign();
    const int verdict = verdict_of(name);
    bytes.header() = before;
    CHECK((verdict == corrupted || verdict == other_version));
  };
  check("opens_at", [](format::Header& h) { h.opens_at = std::uint64_t{1} << 40; });
  check("opens_at 0", [](format::Header& h) { h.opens_at = 0; });
  check("objects_at", [](format::Header& h) { h.objects_at = std::uint64_t{1} << 40; });
  check("objects_at -1", [](format::Header& h) { h.objects_at = ~0ULL; });
  check("threads_at", [](format::Header& h) { h.threads_at = std::uint64_t{1} << 40; });
  check("heap_at", [](format::Header& h) { h.heap_at = 0; });
  check("capacity", [](format::Header& h) { h.capacity *= 2; });
  check("capacity 0", [](format::Header& h) { h.capacity = 0; });
  check("max_processes 0", [](format::Header& h) { h.max_processes = 0; });
  check("max_processes", [](format::Header& h) { h.max_processes = ~0U; });
  check("max_objects", [](format::Header& h) { h.max_objects = ~0U; });
  check("max_threads", [](format::Header& h) { h.max_threads = ~0U; });
  check("heap behind the end", [&](format::Header& h) {
    const std::uint64_t file = h.heap_at + h.capacity;
    h.heap_at += (1000000ULL - h.max_objects) * sizeof(format::ObjectRecord) +
                 (1000000ULL - h.max_objects) * 8;
    h.heap_at = h.heap_at / 4096 * 4096;
    h.max_objects = 1000000;
    // As the layout is computed: then a capacity that makes the sum right by overflow.
    const auto pages = [](std::uint64_t n) { return (n + 4095) / 4096 * 4096; };
    h.objects_at = h.opens_at + pages(h.max_objects * 8ULL);
    h.threads_at = h.objects_at + pages(h.max_objects * sizeof(format::ObjectRecord));
    h.heap_at = h.threads_at + pages(h.max_threads * sizeof(format::ThreadRecord));
    h.capacity = file - h.heap_at;
  });
  CHECK(verdict_of([&] { const Segment segment(name, small()); }) == sound);
}

TEST_CASE("another format version is VersionMismatch, which tells both") {
  const TempName name;
  furnish(name);
  const SegmentBytes bytes(name);
  bytes.header().version = 99;
  for (const bool sign : {false, true}) {
    if (sign) bytes.sign();
    CHECK_THROWS_WITH_AS(Segment(name, small()), Contains("format 99"), shoal::VersionMismatch);
    CHECK_THROWS_WITH_AS(Segment(name, small()), Contains("format 1"), shoal::VersionMismatch);
  }
}

TEST_CASE("another machine's segment is VersionMismatch") {
  const TempName name;
  furnish(name);
  const SegmentBytes bytes(name);
  SUBCASE("byte order") { bytes.header().byte_order = 0x04030201; }
  SUBCASE("pointer size") { bytes.header().pointer_size = 4; }
  bytes.sign();
  CHECK_THROWS_AS(Segment(name, small()), shoal::VersionMismatch);
}

TEST_CASE("a file that is cut short or too long is Corrupted, and remove takes it away") {
  const std::vector<off_t> sizes = {0, 1, 7, 95, 96, 511, 4096, 4097, 20000};
  for (const off_t size : sizes) {
    CAPTURE(size);
    const TempName name;
    furnish(name);
    REQUIRE(::truncate(name.path().c_str(), size) == 0);
    CHECK_THROWS_WITH_AS(Segment(name, small()), Contains(name.str().c_str()), shoal::Corrupted);
    CHECK_THROWS_WITH_AS(Segment(name, Open::existing), Contains("Segment::remove"),
                         shoal::Corrupted);
    CHECK(Segment::remove(name));
    CHECK_NOTHROW(Segment(name, Open::create));
  }
  const TempName name;
  furnish(name);
  REQUIRE(::truncate(name.path().c_str(), 100 << 20) == 0);
  CHECK_THROWS_AS(Segment(name, small()), shoal::Corrupted);
}

TEST_CASE("a file of something else is Corrupted") {
  for (const std::string& content :
       {std::string("hello"), std::string(10000, 'x'), std::string(10000, '\0')}) {
    const TempName name;
    std::ofstream(name.path()) << content;
    CHECK_THROWS_AS(Segment{name}, shoal::Corrupted);
    CHECK_THROWS_AS(Segment(name, Open::existing), shoal::Corrupted);
    CHECK_THROWS_AS(Segment(name, Open::create), shoal::AlreadyExists);
  }
}

TEST_CASE(
    "a FIFO, a directory, a socket, a link in a segment's place: an error at once, and nothing is "
    "followed") {
  const TempName name;
  const TempName target;
  const Segment segment(target);
  SUBCASE("FIFO") {
    REQUIRE(::mkfifo(name.path().c_str(), 0600) == 0);
    CHECK(verdict_of([&] { Segment opened{name}; }) == corrupted);
    CHECK(verdict_of([&] { Segment opened(name, Open::existing); }) == corrupted);
    CHECK(Segment::remove(name));
  }
  SUBCASE("directory") {
    REQUIRE(::mkdir(name.path().c_str(), 0700) == 0);
    CHECK(verdict_of([&] { Segment opened{name}; }) == corrupted);
    CHECK_THROWS_AS(Segment::remove(name), shoal::Error);
    REQUIRE(::rmdir(name.path().c_str()) == 0);
  }
  SUBCASE("socket") {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, name.path().c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(verdict_of([&] { Segment opened{name}; }) == corrupted);
    ::close(fd);
  }
  SUBCASE("link to a segment") {
    REQUIRE(::symlink(target.path().c_str(), name.path().c_str()) == 0);
    CHECK(verdict_of([&] { Segment opened{name}; }) == corrupted);
    CHECK(Segment::remove(name));  // the link
    CHECK_NOTHROW(Segment(target, Open::existing));
  }
  SUBCASE("link to nothing") {
    REQUIRE(::symlink("/nonexistent/shoal", name.path().c_str()) == 0);
    CHECK(verdict_of([&] { Segment opened{name}; }) == corrupted);
  }
}

TEST_CASE(
    "each byte of the tables and the objects, flipped before opening: no signal, no hang of a "
    "timed call") {
  const TempName name;
  furnish(name);
  const SegmentBytes bytes(name);
  std::vector<unsigned char> before(bytes.size());
  std::copy_n(&bytes[0], bytes.size(), before.begin());
  const shoal::detail::Tables tables = bytes.tables();
  std::vector<std::size_t> points;
  const auto add = [&](std::size_t from, std::size_t size) {
    const std::size_t step = full_programme() ? 1 : 3;
    for (std::size_t at = from; at < from + size; at += step) points.push_back(at);
  };
  add(format::kMarksAt, sizeof(format::Marks));
  add(tables.process_at(0), 2 * sizeof(format::ProcessRecord));
  add(tables.header().opens_at, 3 * 8);
  for (std::uint32_t i = 0; i < 3; ++i) add(tables.object_at(i), 80);
  add(tables.header().heap_at, 128 + 384 + 320);
  const std::size_t changing = std::max(sizeof(format::Header), bytes.size());
  for (const std::size_t at : points) {
    CAPTURE(at);
    bytes[at] = static_cast<unsigned char>(bytes[at] ^ 0xff);
    Child child([&] { use_all(name, false); });
    CHECK(child.exit_status() == 0);
    std::copy(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(changing), &bytes[0]);
  }
  CHECK(verdict_of([&] { use_all(name, true); }) == sound);
  MESSAGE(points.size() << " bytes flipped");
}

TEST_CASE("a live record whose range is outside the segment is Corrupted") {
  const TempName name;
  furnish(name);
  const SegmentBytes bytes(name);
  format::ObjectRecord& record = bytes.object("number");
  const auto verdict = [&](std::uint64_t offset, std::uint64_t size) {
    const auto old_offset = record.offset.exchange(offset);
    const auto old_size = record.bytes.exchange(size);
    const int got = verdict_of([&] { Value<std::int64_t>(Segment(name), "number").fetch_add(1); });
    record.offset = old_offset;
    record.bytes = old_size;
    return got;
  };
  const std::uint64_t capacity = bytes.header().capacity;
  CHECK(verdict(std::uint64_t{1} << 40, record.bytes) == corrupted);
  CHECK(verdict(~0ULL - 63, record.bytes) == corrupted);
  CHECK(verdict(capacity, record.bytes) == corrupted);
  CHECK(verdict(capacity - 64, record.bytes) == corrupted);
  CHECK(verdict(record.offset + 8, record.bytes) == corrupted);
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1} << 40, UINT64_MAX})
    CHECK(verdict(record.offset, size) == corrupted);
  CHECK(verdict(record.offset, record.bytes) == sound);
}

TEST_CASE("a live record too small for its kind is Corrupted, also where any size will do") {
  const TempName name;
  const Segment segment(name, small());
  static_cast<void>(shoal::Array<double>(segment, "array", 100));
  static_cast<void>(shoal::Barrier(segment, "barrier", 2));
  static_cast<void>(shoal::Queue<int>(segment, "queue", 100));
  static_cast<void>(shoal::Pipe(segment, "pipe", {.capacity = 256}));
  const SegmentBytes bytes(name);
  for (const char* object : {"array", "barrier", "queue", "pipe"}) {
    bytes.object(object).offset = bytes.header().capacity - 64;
    bytes.object(object).bytes = 64;
  }
  CHECK(verdict_of([&] { shoal::Array<double>(segment, "array").store(0, 1); }) == corrupted);
  CHECK(verdict_of([&] { shoal::Barrier(segment, "barrier").arrive_and_wait_for(1ms); }) ==
        corrupted);
  CHECK(verdict_of([&] { shoal::Queue<int>(segment, "queue").push(1); }) == corrupted);
  CHECK(verdict_of([&] { static_cast<void>(shoal::Pipe(segment, "pipe").first()); }) == corrupted);
}

TEST_CASE("two records that claim one range: wrong data, no signal") {
  const TempName name;
  furnish(name);
  const SegmentBytes bytes(name);
  bytes.object("number").offset = bytes.object("lock").offset.load();
  bytes.object("large").offset = bytes.object("lock").offset.load();
  Child child([&] { use_all(name, false); });
  CHECK(child.exit_status() == 0);
}

TEST_CASE("records that change between check and use: nothing outside the segment is touched") {
  const TempName name;
  furnish(name);
  const SegmentBytes bytes(name);
  format::ObjectRecord& number = bytes.object("number");
  format::ObjectRecord& large = bytes.object("large");
  const std::uint64_t good = number.offset;
  const std::uint64_t good_bytes = number.bytes;
  std::atomic<std::uint64_t>& offset = number.offset;
  std::atomic<std::uint64_t>& size = number.bytes;
  std::atomic<std::uint64_t>& large_offset = large.offset;
  const Gate over;
  Child scribbler(
      [&] {
        std::mt19937_64 random(3);
        while (!over.is_open()) {
          const std::uint64_t bad = std::uint64_t{1} << (20 + random() % 43);
          offset.store(bad);
          for (std::uint64_t i = random() % 64; i > 0; --i) offset.load();
          offset.store(good);
          for (std::uint64_t i = random() % 64; i > 0; --i) offset.load();
          if (random() % 4 == 0) {
            size.store(bad);
            large_offset.store(bad);
            size.store(good_bytes);
            large_offset.store(good + 4096);
          }
        }
      },
      60s);
  const auto work = [&](int rounds) {
    const Segment segment(name, small());
    for (int i = 0; i < rounds; ++i) {
      attempt([&] { Value<std::int64_t>(segment, "number").fetch_add(1); });
      attempt([&] { static_cast<void>(segment.used()); });
      if (i % 4 == 0)
        attempt(
            [&] { Value<std::array<char, 3000>>(segment, "new", Open::create).get_obj()[0] = 1; });
      if (i % 4 == 2) attempt([&] { segment.erase("new"); });
    }
  };
  Child opener([&] { work(full_programme() ? 2000000 : 60000); },
               full_programme() ? 300000ms : 40000ms);
  CHECK(opener.exit_status() == 0);
  over.open();
  CHECK(scribbler.succeeds());
}

TEST_CASE("a queue whose tail was written over: Corrupted, at once") {
  const TempName name;
  const Segment segment(name, small());
  const shoal::Queue<std::int64_t> queue(segment, "queue", 4);
  const SegmentBytes bytes(name);
  const std::size_t word = bytes.header().heap_at + bytes.object("queue").offset +
                           offsetof(shoal::detail::QueueWord, tail);
  for (const std::uint64_t tail :
       {std::uint64_t{1} << 40, std::uint64_t{5} << 60, ~std::uint64_t{3}}) {
    CAPTURE(tail);
    bytes.word(word).store(tail);
    CHECK(verdict_of([&] { static_cast<void>(queue.try_pop()); }) == corrupted);
    CHECK(verdict_of([&] { static_cast<void>(queue.pop_for(1ms)); }) == corrupted);
  }
}

TEST_CASE("an inner lock that is written over in its holder's hands does not end the process") {
  const TempName name;
  const Segment segment(name, small());
  const Value<Large> large(segment, "large", Open::create);
  const SegmentBytes bytes(name);
  const std::size_t writer = bytes.header().heap_at + bytes.object("large").offset +
                             offsetof(shoal::detail::ValueWord, writer);
  Child child([&] {
    large.update([&](Large&) { std::memset(&bytes[writer], 0, sizeof(shoal::detail::LockWord)); });
    large.store({});
  });
  CHECK(child.exit_status() == 0);
}

TEST_CASE("a process may fork, whatever is written over the counts of what it holds") {
  const TempName name;
  const Segment segment(name, small());
  const shoal::RLock rlock(segment, "rlock");
  const shoal::BoundedSemaphore semaphore(segment, "semaphore", 2);
  const shoal::JoinableQueue<int> queue(segment, "queue", 2);
  const SegmentBytes bytes(name);
  const auto at = [&](const char* object) {
    return &bytes[bytes.header().heap_at + bytes.object(object).offset];
  };
  auto& lock_word = *reinterpret_cast<shoal::detail::LockWord*>(at("rlock"));
  auto& bounded_word = *reinterpret_cast<shoal::detail::BoundedWord*>(at("semaphore"));
  auto& queue_word = *reinterpret_cast<shoal::detail::QueueWord*>(at("queue"));
  const std::uint32_t processes = bytes.header().max_processes;
  Child parent([&] {
    rlock.lock();
    semaphore.acquire();
    queue.push(1);
    queue.pop();
    for (const std::uint32_t count : {~0U, 1U << 31, ~0U >> 1}) {
      lock_word.depth = count;
      for (auto& held : held_permits(bounded_word, processes))
        held.permits = static_cast<std::int32_t>(count);
      for (auto& account : accounts(queue_word, processes)) account.counts = count;
      int status = 0;
      if (fork_and_wait(status) == 0) {
        rlock.unlock();  // its parent's
        ::_exit(rlock.is_locked() ? 0 : 1);
      }
      if (status != 0) return false;
    }
    return true;
  });
  CHECK(parent.succeeds());
}

TEST_CASE(
    "an owner's words of garbage: a timed call ends, and the lock can be had once they are zero") {
  const TempName name;
  const Segment segment(name, small());
  const Lock lock(segment, "lock");
  const SegmentBytes bytes(name);
  auto* const words = reinterpret_cast<std::uint64_t*>(&bytes[bytes.tables().header().heap_at]);
  std::mt19937_64 random(11);
  for (int i = 0; i < (full_programme() ? 5000 : 300); ++i) {
    const std::array<std::uint64_t, 4> words_of_garbage = {garbage(random), garbage(random),
                                                           garbage(random), garbage(random)};
    for (std::size_t w = 0; w < 4; ++w) std::atomic_ref(words[w]).store(words_of_garbage[w]);
    CAPTURE(words_of_garbage[0]);
    CAPTURE(words_of_garbage[1]);
    CAPTURE(words_of_garbage[2]);
    attempt([&] {
      if (lock.try_lock()) lock.unlock();
    });
    attempt([&] {
      if (lock.try_lock_for(1ms)) lock.unlock();
    });
    attempt([&] { lock.unlock(); });
    static_cast<void>(lock.owner());
    for (std::size_t w = 0; w < 16; ++w) std::atomic_ref(words[w]).store(0);
    REQUIRE(lock.try_lock());
    REQUIRE_NOTHROW(lock.unlock());
  }
}
