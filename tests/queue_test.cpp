// SPDX-License-Identifier: MIT
//
// What include/shoal/queue.hpp promises, one promise per case.

#include "shoal/queue.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <new>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "shoal/array.hpp"
#include "shoal/error.hpp"
#include "support/child.hpp"
#include "support/expect.hpp"
#include "support/full_programme.hpp"
#include "support/gate.hpp"
#include "support/segment_bytes.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"
#include "support/waiting.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::JoinableQueue;
using shoal::Loan;
using shoal::Open;
using shoal::Queue;
using shoal::QueueOptions;
using shoal::Segment;
using shoal::Taken;

namespace {

constexpr std::size_t kCapacities[] = {1, 2, 3, 7, 64, 1000};

// Bytes of a size and an alignment, told from each other by their first.
template <std::size_t Size, std::size_t Alignment = 1>
struct alignas(Alignment) Block {
  std::array<unsigned char, Size> bytes;
  bool operator==(const Block&) const = default;
};
struct Twelve {
  std::int32_t a, b, c;
  bool operator==(const Twelve&) const = default;
};

template <class T>
T nth(int n) {
  if constexpr (requires(T t) { t.bytes; }) {
    T block;
    block.bytes.fill(static_cast<unsigned char>(n + 1));
    return block;
  } else if constexpr (std::is_same_v<T, Twelve>) {
    return {n, -n, n * n};
  } else if constexpr (std::is_same_v<T, std::string>) {
    return std::string(static_cast<std::size_t>(n) * 37 % 200, static_cast<char>('a' + n % 26));
  } else {
    return static_cast<T>(n);
  }
}

// An anonymous segment, and a queue of so many in it.
template <class T, template <class> class Q = Queue>
struct Fresh {
  Segment segment = Segment::anonymous();
  Q<T> queue;
  explicit Fresh(std::size_t capacity) : queue(segment, "q", capacity) {}
};

// Whether so many fit, and no more.
template <class T>
bool has_room_for(const Queue<T>& queue, std::size_t items) {
  for (std::size_t i = 0; i < items; ++i)
    if (!queue.try_push(nth<T>(static_cast<int>(i)))) return false;
  return !queue.try_push(nth<T>(0));
}

// Two handles, in and out; each round begins one place further on.
template <class T>
bool keeps_order(std::size_t capacity) {
  const Segment segment = Segment::anonymous();
  const Queue<T> in(segment, "q", capacity);
  const Queue<T> out(segment, "q", Open::existing);
  for (int round = 0; round < 4; ++round) {
    if (!out.empty() || in.size() != 0 || out.try_pop()) return false;
    for (std::size_t i = 0; i < capacity; ++i) {
      if (in.full()) return false;
      in.push(nth<T>(static_cast<int>(i % 100)));
      if (out.size() != i + 1) return false;
    }
    if (!out.full() || in.try_push(nth<T>(0))) return false;
    for (std::size_t i = 0; i < capacity; ++i)
      if (out.pop() != nth<T>(static_cast<int>(i % 100))) return false;
    in.push(nth<T>(7));
    if (out.try_pop() != nth<T>(7)) return false;
  }
  return true;
}

// All that there is.
template <class T>
std::vector<T> drain(const Queue<T>& queue) {
  std::vector<T> items;
  try {
    while (std::optional<T> item = queue.try_pop()) items.push_back(std::move(*item));
  } catch (const shoal::Closed&) {
  }
  return items;
}

// Writes over a segment's file: the count before a text that is in there.
bool damage_count_before(const TempName& name, const std::string& text) {
  std::ostringstream bytes;
  bytes << std::ifstream(name.path(), std::ios::binary).rdbuf();
  const std::size_t at = bytes.view().find(text);
  if (at == std::string::npos) return false;
  const std::uint64_t count = 1 << 20;
  const int target = ::open(name.path().c_str(), O_WRONLY | O_CLOEXEC);
  const auto written =
      ::pwrite(target, &count, sizeof count, static_cast<off_t>(at - sizeof count));
  ::close(target);
  return written == sizeof count;
}

// That it has used since it began.
std::chrono::nanoseconds processor_time(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  REQUIRE(::clock_getcpuclockid(pid, &clock) == 0);
  REQUIRE(::clock_gettime(clock, &time) == 0);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

TEST_SUITE_BEGIN("Queue");

TEST_CASE("first in, first out, at every capacity") {
  for (const std::size_t capacity : kCapacities) {
    CAPTURE(capacity);
    CHECK(keeps_order<int>(capacity));
    CHECK(keeps_order<Block<100>>(capacity));
    CHECK(keeps_order<std::string>(capacity));
  }
}

TEST_CASE("the capacity is the creator's: what is said by others must agree") {
  const Segment segment = Segment::anonymous();
  CHECK(Queue<int>(segment, "default").capacity() == 1024);
  CHECK(Queue<int>(segment, "seven", 7).capacity() == 7);
  CHECK(Queue<int>(segment, "seven").capacity() == 7);
  CHECK(Queue<int>(segment, "seven", QueueOptions{.capacity = 7}, Open::existing).capacity() == 7);
  CHECK(throws<shoal::TypeMismatch>([&] { Queue<int>(segment, "seven", 8); }));
  CHECK(throws<shoal::AlreadyExists>([&] { Queue<int>(segment, "seven", 7, Open::create); }));
  CHECK(throws<shoal::NotFound>([&] { Queue<int>(segment, "none", Open::existing); }));
  const Queue<std::string> text(segment, "text", {.capacity = 3, .bytes = 4096});
  CHECK(Queue<std::string>(segment, "text").capacity() == 3);
  CHECK(Queue<std::string>(segment, "text", {.bytes = 4096}).capacity() == 3);
  for (const std::size_t bytes : {1, 4095, 4097, 9999})
    CHECK(throws<shoal::TypeMismatch>(
        [&] { Queue<std::string>(segment, "text", {.bytes = bytes}); }));
}

TEST_CASE("a queue of another type, or of another kind, is refused") {
  const Segment segment = Segment::anonymous();
  const Queue<int> numbers(segment, "numbers", 3);
  const Queue<std::string> texts(segment, "texts", 3);
  const JoinableQueue<int> jobs(segment, "jobs", 3);
  CHECK(throws<shoal::TypeMismatch>([&] { Queue<double>(segment, "numbers"); }));
  CHECK(throws<shoal::TypeMismatch>([&] { Queue<std::string>(segment, "numbers"); }));
  CHECK(throws<shoal::TypeMismatch>([&] { Queue<std::vector<int>>(segment, "texts"); }));
  CHECK(throws<shoal::TypeMismatch>([&] { JoinableQueue<int>(segment, "numbers"); }));
  CHECK(throws<shoal::TypeMismatch>([&] { Queue<int>(segment, "jobs"); }));
  CHECK(numbers.try_push(1));
  CHECK(jobs.try_push(1));
}

TEST_CASE("out-of-range arguments change nothing") {
  const Segment segment = Segment::anonymous();
  constexpr std::size_t kTooMany = (std::size_t{1} << 31) + 1;
  CHECK(throws<std::invalid_argument>([&] { Queue<int>(segment, "q", kTooMany); }));
  CHECK(throws<std::invalid_argument>(
      [&] { Queue<int>(segment, "q", std::numeric_limits<std::size_t>::max()); }));
  CHECK(throws<std::invalid_argument>([&] {
    Queue<std::string>(segment, "q", {.bytes = std::numeric_limits<std::size_t>::max()});
  }));
  CHECK(throws<shoal::InvalidName>([&] { Queue<int>(segment, "no/name"); }));
  CHECK(throws<shoal::NoSpace>([&] { Queue<Block<4096>>(segment, "large", 1 << 20); }));
  CHECK(segment.objects().empty());
}

TEST_CASE("zero, negative and NaN do not wait; huge and infinite do not overflow") {
  using Seconds = std::chrono::duration<double>;
  const Seconds nan(std::numeric_limits<double>::quiet_NaN());
  const Seconds infinite(std::numeric_limits<double>::infinity());
  const Fresh<int> fresh(1);
  const Queue<int>& queue = fresh.queue;
  CHECK_FALSE(queue.pop_for(0s));
  CHECK_FALSE(queue.pop_for(-1h));
  CHECK_FALSE(queue.pop_for(nan));
  CHECK_FALSE(queue.pop_until(std::chrono::steady_clock::time_point::min()));
  CHECK(queue.push_for(1, std::chrono::hours::max()));
  CHECK_FALSE(queue.push_for(2, 0s));
  CHECK_FALSE(queue.push_for(2, -1h));
  CHECK_FALSE(queue.push_for(2, nan));
  CHECK_FALSE(queue.push_until(2, std::chrono::steady_clock::time_point::min()));
  CHECK(queue.pop_for(infinite) == 1);
  CHECK(queue.push_until(3, std::chrono::steady_clock::time_point::max()));
  CHECK(queue.pop_until(std::chrono::steady_clock::time_point::max()) == 3);
}

TEST_CASE("who waits with a deadline waits that long, and has changed nothing") {
  const auto lasts = [](auto wait) {
    const auto begin = std::chrono::steady_clock::now();
    const bool gave_up = !wait();
    return gave_up && std::chrono::steady_clock::now() - begin >= 3ms;
  };
  const auto give_up = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> fresh(2);
    CHECK(lasts([&] { return fresh.queue.pop_for(3ms).has_value(); }));
    CHECK(has_room_for(fresh.queue, 2));
    CHECK(lasts([&] { return fresh.queue.push_for(nth<T>(3), 3ms); }));
    CHECK(fresh.queue.waiting() == 0);
    CHECK(drain(fresh.queue) == std::vector<T>{nth<T>(0), nth<T>(1)});
  };
  give_up(std::type_identity<int>());
  give_up(std::type_identity<Block<100>>());
  give_up(std::type_identity<std::string>());
}

TEST_CASE("a consumer asleep wakes when there is an item, a producer when there is room") {
  const auto wake = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> fresh(1);
    const Queue<T>& queue = fresh.queue;
    for (int round = 0; round < 5; ++round) {
      Child consumer([&] { return queue.pop() == nth<T>(5); });
      await_waiting(queue, 1);
      consumer.wait_until_asleep();
      queue.push(nth<T>(5));
      CHECK(consumer.succeeds());
      queue.push(nth<T>(6));
      Child producer([&] { queue.push(nth<T>(7)); });
      await_waiting(queue, 1);
      producer.wait_until_asleep();
      CHECK(queue.pop() == nth<T>(6));
      CHECK(producer.succeeds());
      CHECK(queue.pop() == nth<T>(7));
    }
    CHECK(queue.waiting() == 0);
  };
  wake(std::type_identity<int>());
  wake(std::type_identity<Block<100>>());
  wake(std::type_identity<std::string>());
}

TEST_CASE("several asleep all wake when a bulk call gives them items, or room") {
  const Fresh<int> fresh(6);
  const Queue<int>& queue = fresh.queue;
  SharedCounter sum;
  std::vector<Child> children;
  for (int i = 0; i < 4; ++i) children.emplace_back([&] { *sum += queue.pop(); });
  await_waiting(queue, 4);
  const std::array<int, 4> items{1, 20, 300, 4000};
  CHECK(queue.try_push_some(items) == 4);
  for (Child& child : children) CHECK(child.succeeds());
  CHECK(*sum == 4321);

  CHECK(has_room_for(queue, 6));
  children.clear();
  for (int i = 0; i < 4; ++i) children.emplace_back([&] { queue.push(9); });
  await_waiting(queue, 4);
  std::array<int, 4> popped{};
  CHECK(queue.try_pop_some(popped) == 4);
  for (Child& child : children) CHECK(child.succeeds());
  CHECK(drain(queue) == std::vector<int>{4, 5, 9, 9, 9, 9});
}

TEST_CASE("as many as fit are pushed at once, as many as there are are popped, in order") {
  const auto bulk = [&]<class T>(std::type_identity<T>) {
    std::vector<T> items;
    for (int i = 0; i < 10; ++i) items.push_back(nth<T>(i));
    for (const std::size_t capacity : {1, 3, 7, 64}) {
      CAPTURE(capacity);
      const std::size_t fit = std::min<std::size_t>(capacity, 10);
      const Fresh<T> fresh(capacity);
      const Queue<T>& queue = fresh.queue;
      std::vector<T> popped(100);
      CHECK(queue.try_pop_some(popped) == 0);
      CHECK(queue.try_push_some({}) == 0);
      for (int round = 0; round < 20; ++round) {
        CHECK(queue.try_push_some(items) == fit);
        if (capacity < 10) CHECK(queue.try_push_some(items) == 0);
        CHECK(queue.try_pop_some(std::span(popped).first(1)) == 1);
        CHECK(popped[0] == items[0]);
        CHECK(queue.try_pop_some(popped) == fit - 1);
        CHECK(std::equal(popped.begin(), popped.begin() + static_cast<long>(fit - 1),
                         items.begin() + 1));
        CHECK(queue.try_pop_some(std::span<T>()) == 0);
      }
    }
  };
  bulk(std::type_identity<int>());
  bulk(std::type_identity<Block<100>>());
  bulk(std::type_identity<std::string>());
}

TEST_CASE("a bulk push or pop of a closed queue does what it can first, and then throws Closed") {
  const Fresh<int> fresh(8);
  const std::array<int, 3> items{1, 2, 3};
  CHECK(fresh.queue.try_push_some(items) == 3);
  fresh.queue.close();
  CHECK(throws<shoal::Closed>([&] { static_cast<void>(fresh.queue.try_push_some(items)); }));
  std::array<int, 8> popped{};
  CHECK(fresh.queue.try_pop_some(popped) == 3);
  CHECK(throws<shoal::Closed>([&] { static_cast<void>(fresh.queue.try_pop_some(popped)); }));
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("Queue: what it carries");

namespace {

template <class T>
void carries_bytes() {
  const Fresh<T> fresh(3);
  const Queue<T>& queue = fresh.queue;
  for (int i = 0; i < 10; ++i) {
    queue.push(nth<T>(i));
    {
      Loan<T> loan = queue.loan();
      CHECK(reinterpret_cast<std::uintptr_t>(&*loan) % alignof(T) == 0);
      *loan = nth<T>(i + 1);
      queue.push(std::move(loan));
    }
    CHECK(queue.pop() == nth<T>(i));
    const Taken<T> taken = queue.take();
    CHECK(reinterpret_cast<std::uintptr_t>(&*taken) % alignof(T) == 0);
    CHECK(*taken == nth<T>(i + 1));
  }
  CHECK(has_room_for(queue, 3));
}

template <class T>
void carries(const std::vector<T>& items) {
  const Fresh<T> fresh(items.size());
  for (const T& item : items) fresh.queue.push(item);
  CHECK(drain(fresh.queue) == items);
}

}  // namespace

TEST_CASE("items of any size and alignment") {
  carries_bytes<int>();
  carries_bytes<char>();
  carries_bytes<double>();
  carries_bytes<Twelve>();
  carries_bytes<Block<12>>();
  carries_bytes<Block<64>>();
  carries_bytes<Block<65>>();
  carries_bytes<Block<4096>>();
  carries_bytes<Block<64, 64>>();
  carries_bytes<Block<4096, 4096>>();
}

TEST_CASE("{} is an item of its type") {
  const Segment segment = Segment::anonymous();
  const Queue<Twelve> queue(segment, "queue");
  queue.push({});
  queue.push({1, 2, 3});
  CHECK(queue.pop() == Twelve{});
  CHECK(queue.pop() == Twelve{1, 2, 3});
}

TEST_CASE("items of types that have a Codec") {
  using Pairs = std::vector<std::pair<int, std::string>>;
  carries<Pairs>({{}, {{1, "one"}}, {{2, ""}, {3, std::string(5000, 'x')}, {-1, "z"}}});
  carries<std::tuple<int, std::string>>({{1, "a"}, {2, std::string(100, 'b')}});
  carries<std::optional<std::string>>({std::nullopt, "", std::string(77, 'c')});
  carries<std::variant<int, std::string>>({5, "six", 7});
  carries<std::vector<std::vector<int>>>({{}, {{}}, {{1, 2}, {}, {3}}});
  carries<std::map<std::string, int>>({{}, {{"a", 1}, {"b", 2}}});
}

TEST_CASE("texts of 0 B to 1 MiB, mixed, between two processes") {
  const Segment segment = Segment::anonymous();
  const Queue<std::string> queue(segment, "q", 16);
  const std::size_t sizes[] = {0,    1,    39,    40,     41,      48, 63,      64,  65, 1000,
                               1023, 1024, 65536, 500000, 1 << 20, 3,  1048000, 200, 0};
  const auto text = [&](int i) {
    const std::size_t size = sizes[static_cast<std::size_t>(i) % std::size(sizes)];
    std::string made(size, static_cast<char>('a' + i % 26));
    for (std::size_t at = 0; at < size; at += 101) made[at] = static_cast<char>(at / 101 + i);
    return made;
  };
  constexpr int kItems = 400;
  Child producer([&] {
    for (int i = 0; i < kItems; ++i) queue.push(text(i));
  });
  int wrong = 0;
  for (int i = 0; i < kItems; ++i) wrong += queue.pop_for(10s) != text(i);
  CHECK(wrong == 0);
  CHECK(producer.succeeds());
  CHECK(queue.empty());
}

TEST_CASE("an item that is larger than all the room is refused, and changes nothing") {
  const Segment segment = Segment::anonymous();
  const Queue<std::string> queue(segment, "q", {.capacity = 4, .bytes = 10'000});
  const std::string large(9'990, 'x');
  queue.push("before");
  CHECK(throws<shoal::ItemTooLarge>([&] { queue.push(std::string(20'000, 'x')); }));
  CHECK(throws<shoal::ItemTooLarge>(
      [&] { static_cast<void>(queue.try_push(std::string(20'000, 'x'))); }));
  CHECK(queue.size() == 1);
  for (int i = 0; i < 5; ++i) {
    CHECK(queue.try_push(large));
    CHECK_FALSE(queue.try_push(large));  // it would fit, if it were alone
    CHECK(queue.try_push("small"));
    CHECK(queue.try_pop() == (i == 0 ? "before" : "small"));
    CHECK(queue.try_pop() == large);
    if (i == 0) continue;
    queue.push("small");
    CHECK(queue.try_pop() == "small");
  }
}

TEST_CASE(
    "there is room for as many items as the capacity says, if all are no more than the bytes") {
  for (const QueueOptions options :
       {QueueOptions{1, 100'000}, QueueOptions{7, 1'000}, QueueOptions{100, 64 << 10},
        QueueOptions{1'000, 100'000}, QueueOptions{10'000, 1 << 20}}) {
    CAPTURE(options.capacity);
    const Segment segment = Segment::anonymous();
    const Queue<std::string> queue(segment, "q", options);
    const std::size_t each = options.bytes / options.capacity;
    const auto fill = [&](std::size_t first, std::size_t other) {
      bool all = queue.try_push(std::string(first, 'a'));
      for (std::size_t i = 1; i < options.capacity; ++i)
        all &= queue.try_push(std::string(other, 'b'));
      return all && !queue.try_push("");
    };
    const auto drain = [&] {
      while (queue.try_pop()) continue;
    };
    CHECK(fill(each, each));
    drain();
    CHECK(fill(options.bytes - (options.capacity - 1) * 49, 49));
    drain();
    CHECK(fill(options.bytes, 0));
  }
}

TEST_CASE("of several items, of which one is too large, those before it are pushed") {
  const Segment segment = Segment::anonymous();
  const Queue<std::string> queue(segment, "q", {.capacity = 8, .bytes = 2'000});
  const std::vector<std::string> items{"a", "b", std::string(20'000, 'x'), "c"};
  const std::span<const std::string> all(items);
  CHECK(queue.try_push_some(all) == 2);
  CHECK(
      throws<shoal::ItemTooLarge>([&] { static_cast<void>(queue.try_push_some(all.subspan(2))); }));
  CHECK(queue.size() == 2);
}

TEST_CASE("who waits for room for a large item gets it once enough small ones have gone") {
  const Segment segment = Segment::anonymous();
  const Queue<std::string> queue(segment, "q", {.capacity = 8, .bytes = 8'000});
  for (int i = 0; i < 4; ++i) queue.push(std::string(1'900, 'a'));
  Child producer([&] { queue.push(std::string(5'000, 'b')); });
  await_waiting(queue, 1);
  for (int i = 0; i < 4; ++i) CHECK(queue.pop().size() == 1'900);
  CHECK(producer.succeeds());
  CHECK(queue.pop() == std::string(5'000, 'b'));
}

TEST_CASE("an item that there is no memory for is gone, and its room comes back") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  MESSAGE("skipped 1: a sanitizer needs all memory");
  return;
#endif
  const Segment segment = Segment::anonymous();
  const Queue<std::string> queue(segment, "q", QueueOptions{.capacity = 2, .bytes = 40 << 20});
  constexpr std::size_t kSize = 30 << 20;  // there is room for one
  Child producer([&] { queue.push(std::string(kSize, 'x')); });
  REQUIRE(producer.succeeds());
  Child consumer([&] {
    rlimit all{};
    ::getrlimit(RLIMIT_AS, &all);
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlimit little{pages * static_cast<std::size_t>(::getpagesize()) + kSize / 2,
                        all.rlim_max};
    if (::setrlimit(RLIMIT_AS, &little) != 0) return 9;
    const bool failed = throws<std::bad_alloc>([&] { queue.pop(); });
    ::setrlimit(RLIMIT_AS, &all);
    if (!failed || !queue.empty()) return 1;
    if (!queue.try_push(std::string(kSize, 'y'))) return 2;
    return queue.pop() == std::string(kSize, 'y') ? 0 : 3;
  });
  CHECK(consumer.exit_status() == 0);
}

TEST_CASE("bytes that do not decode throw Corrupted, and the others still come") {
  for (const std::size_t length : {20, 3000}) {
    CAPTURE(length);
    const TempName name;
    const Segment segment(name);
    const Queue<std::string> queue(segment, "q", 4);
    queue.push("before");
    queue.push("unmistakable" + std::string(length, 'x'));
    queue.push("after");
    REQUIRE(damage_count_before(name, "unmistakable"));
    CHECK(queue.pop() == "before");
    CHECK(throws<shoal::Corrupted>([&] { queue.pop(); }));
    CHECK(queue.pop() == "after");
    CHECK(has_room_for(queue, 4));
  }
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("Queue: Loan and Taken");

TEST_CASE("a loan takes the room of an item; pushed it is one, dropped the room comes back") {
  const auto lend = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> fresh(2);
    const Queue<T>& queue = fresh.queue;
    for (int round = 0; round < 3; ++round) {
      std::optional<Loan<T>> first = queue.try_loan();
      REQUIRE(first);
      CHECK(queue.empty());
      CHECK(queue.try_push(nth<T>(1)));
      CHECK(queue.full());
      CHECK_FALSE(queue.try_push(nth<T>(2)));
      CHECK_FALSE(queue.try_loan());
      **first = nth<T>(3);
      queue.push(std::move(*first));
      first.reset();
      CHECK_FALSE(queue.try_push(nth<T>(2)));
      CHECK(queue.pop() == nth<T>(1));
      static_cast<void>(queue.loan());  // dropped
      CHECK(queue.pop() == nth<T>(3));
      CHECK(has_room_for(queue, 2));
      CHECK(drain(queue).size() == 2);
    }
  };
  lend(std::type_identity<int>());
  lend(std::type_identity<Block<100>>());
}

TEST_CASE("what is taken takes its room until it goes") {
  const auto take = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> fresh(2);
    const Queue<T>& queue = fresh.queue;
    CHECK_FALSE(queue.try_take());
    for (int round = 0; round < 3; ++round) {
      CHECK(has_room_for(queue, 2));
      {
        const Taken<T> first = queue.take();
        CHECK(*first == nth<T>(0));
        CHECK_FALSE(queue.try_push(nth<T>(5)));
        const std::optional<Taken<T>> second = queue.try_take();
        REQUIRE(second);
        CHECK(**second == nth<T>(1));
        CHECK_FALSE(queue.try_take());
        CHECK(queue.full());
        CHECK_FALSE(queue.try_loan());
        CHECK(*first == nth<T>(0));
      }
      CHECK(has_room_for(queue, 2));
      CHECK(drain(queue).size() == 2);
    }
  };
  take(std::type_identity<int>());
  take(std::type_identity<Block<100>>());
}

TEST_CASE("who waits for an item to take takes no room meanwhile") {
  const auto take = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> fresh(1);
    Child consumer([&] { return *fresh.queue.take() == nth<T>(3); });
    await_waiting(fresh.queue, 1);
    consumer.wait_until_asleep();
    CHECK(fresh.queue.push_for(nth<T>(3), 5s));
    CHECK(consumer.succeeds());
    CHECK(has_room_for(fresh.queue, 1));
  };
  take(std::type_identity<int>());
  take(std::type_identity<Block<100>>());
}

TEST_CASE("who waits for room goes on when a loan or what was taken is dropped") {
  const auto wait = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> fresh(1);
    const Queue<T>& queue = fresh.queue;
    for (int round = 0; round < 3; ++round) {
      std::optional<Loan<T>> loan = queue.loan();
      Child producer([&] { queue.push(nth<T>(1)); });
      await_waiting(queue, 1);
      producer.wait_until_asleep();
      loan.reset();
      CHECK(producer.succeeds());
      std::optional<Taken<T>> taken = queue.take();
      Child lender([&] { queue.push(queue.loan()); });
      await_waiting(queue, 1);
      lender.wait_until_asleep();
      taken.reset();
      CHECK(lender.succeeds());
      queue.pop();
    }
  };
  wait(std::type_identity<int>());
  wait(std::type_identity<Block<100>>());
}

TEST_CASE("a forked child holds no loan: dropped there, it is still the parent's") {
  const auto lend = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> fresh(2);
    const Queue<T>& queue = fresh.queue;
    queue.push(nth<T>(1));
    std::optional<Taken<T>> taken = queue.take();
    std::optional<Loan<T>> loan = queue.loan();
    Child child([&] {
      taken.reset();
      const bool refused = throws<shoal::NotOwner>([&] { queue.push(std::move(*loan)); });
      loan.reset();
      return refused && !queue.try_push(nth<T>(2));
    });
    CHECK(child.succeeds());
    CHECK_FALSE(queue.try_push(nth<T>(2)));
    CHECK(**taken == nth<T>(1));
    **loan = nth<T>(4);
    queue.push(std::move(*loan));
    taken.reset();
    CHECK(queue.try_push(nth<T>(5)));
    CHECK(drain(queue) == std::vector<T>{nth<T>(4), nth<T>(5)});
    CHECK(has_room_for(queue, 2));
  };
  lend(std::type_identity<int>());
  lend(std::type_identity<Block<100>>());
}

TEST_CASE("the room of a killed holder comes back") {
  const auto hold = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> fresh(3);
    const Queue<T>& queue = fresh.queue;
    for (int round = 0; round < 5; ++round) {
      queue.push(nth<T>(0));
      const Gate holding;
      Child victim([&] {
        const Loan<T> first = queue.loan();
        const Loan<T> second = queue.loan();
        const Taken<T> taken = queue.take();
        holding.open();
        return sleep_forever();
      });
      holding.wait();
      CHECK_FALSE(queue.try_push(nth<T>(1)));
      Child producer([&] { queue.push(nth<T>(8)); });
      await_waiting(queue, 1);
      victim.kill();
      CHECK(producer.succeeds());
      CHECK(has_room_for(queue, 2));
      CHECK(drain(queue) == std::vector<T>{nth<T>(8), nth<T>(0), nth<T>(1)});
    }
  };
  hold(std::type_identity<int>());
  hold(std::type_identity<Block<100>>());
}

TEST_CASE("where there are too many threads for a call, room comes back all the same") {
  const auto drop = [&]<class T>(std::type_identity<T>) {
    Child child([] {
      shoal::SegmentOptions options;
      options.max_threads = 1;
      const Segment segment = Segment::anonymous(options);
      const Queue<T> queue(segment, "q", 2);
      queue.push(nth<T>(1));
      std::optional<Taken<T>> taken = queue.take();
      std::optional<Loan<T>> loan = queue.loan();
      bool refused = false;
      std::thread([&] {
        refused = throws<shoal::TooManyParticipants>([&] { queue.push(nth<T>(2)); });
        refused = refused && queue.full() && queue.empty();
        taken.reset();
        loan.reset();
      }).join();
      return refused && has_room_for(queue, 2);
    });
    CHECK(child.succeeds());
  };
  drop(std::type_identity<int>());
  drop(std::type_identity<Block<100>>());
}

TEST_CASE("a loan that is pushed to a closed queue is as before; its room comes back") {
  const Fresh<int> fresh(2);
  Loan<int> loan = fresh.queue.loan();
  *loan = 4;
  fresh.queue.close();
  CHECK(throws<shoal::Closed>([&] { fresh.queue.push(std::move(loan)); }));
  CHECK(*loan == 4);
  CHECK(throws<shoal::Closed>([&] { static_cast<void>(fresh.queue.loan()); }));
  CHECK(throws<shoal::Closed>([&] { static_cast<void>(fresh.queue.take()); }));
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("Queue: close");

TEST_CASE("a closed queue is drained, and then throws Closed, for good") {
  const auto close = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> fresh(3);
    const Queue<T>& queue = fresh.queue;
    queue.push(nth<T>(1));
    queue.push(nth<T>(2));
    CHECK_FALSE(queue.closed());
    queue.close();
    queue.close();
    CHECK(queue.closed());
    CHECK(throws<shoal::Closed>([&] { queue.push(nth<T>(3)); }));
    CHECK(throws<shoal::Closed>([&] { static_cast<void>(queue.try_push(nth<T>(3))); }));
    CHECK(throws<shoal::Closed>([&] { static_cast<void>(queue.push_for(nth<T>(3), 1h)); }));
    CHECK(queue.size() == 2);
    CHECK(queue.pop() == nth<T>(1));
    CHECK(Queue<T>(fresh.segment, "q").pop() == nth<T>(2));
    CHECK(throws<shoal::Closed>([&] { queue.pop(); }));
    CHECK(throws<shoal::Closed>([&] { static_cast<void>(queue.try_pop()); }));
    CHECK(throws<shoal::Closed>([&] { static_cast<void>(queue.pop_for(1h)); }));
    CHECK(Queue<T>(fresh.segment, "q").closed());
  };
  close(std::type_identity<int>());
  close(std::type_identity<Block<100>>());
  close(std::type_identity<std::string>());
}

TEST_CASE("a close wakes all who wait for items, or for room") {
  const auto close = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> empty(2);
    std::vector<Child> poppers;
    for (int i = 0; i < 3; ++i)
      poppers.emplace_back([&] { return throws<shoal::Closed>([&] { empty.queue.pop(); }); });
    await_waiting(empty.queue, 3);
    empty.queue.close();
    for (Child& popper : poppers) CHECK(popper.succeeds());

    const Fresh<T> full(2);
    CHECK(has_room_for(full.queue, 2));
    std::vector<Child> pushers;
    for (int i = 0; i < 3; ++i)
      pushers.emplace_back(
          [&] { return throws<shoal::Closed>([&] { full.queue.push(nth<T>(9)); }); });
    await_waiting(full.queue, 3);
    full.queue.close();
    for (Child& pusher : pushers) CHECK(pusher.succeeds());
    CHECK(drain(full.queue) == std::vector<T>{nth<T>(0), nth<T>(1)});
  };
  close(std::type_identity<int>());
  close(std::type_identity<Block<100>>());
  close(std::type_identity<std::string>());
}

TEST_CASE("a push that returned before the close is there, one that threw is not") {
  constexpr int kRounds = 50;
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    const Fresh<int> fresh(4);
    const Queue<int>& queue = fresh.queue;
    SharedCounter pushed;
    SharedCounter popped;
    std::vector<Child> children;
    for (int i = 0; i < 2; ++i) {
      children.emplace_back([&] {
        return throws<shoal::Closed>([&] {
          for (;; ++*pushed) queue.push(1);
        });
      });
      children.emplace_back([&] {
        return throws<shoal::Closed>([&] {
          for (;; ++*popped) queue.pop();
        });
      });
    }
    while (*popped < 1 + round * 20) ::sched_yield();
    queue.close();
    for (Child& child : children) CHECK(child.succeeds());
    CHECK(*pushed == *popped);
    CHECK(queue.empty());
  }
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("Queue: many");

TEST_CASE("three producers, three consumers, started independently: each item once, in order") {
  const std::int64_t each = full_programme() ? 3'333'334 : 33'334;
  const TempName name;
  const Segment segment(name);
  const Queue<std::uint64_t> queue(segment, "q", 1024);
  const shoal::Array<std::uint8_t> seen(segment, "seen", static_cast<std::size_t>(3 * each));
  std::vector<ExecChild> producers;
  std::vector<ExecChild> consumers;
  for (int i = 0; i < 3; ++i) {
    consumers.emplace_back(2min, "queue.consume", name.str(), std::to_string(each));
    producers.emplace_back(2min, "queue.produce", name.str(), std::to_string(i),
                           std::to_string(each));
  }
  for (ExecChild& producer : producers) CHECK(producer.succeeds());
  queue.close();
  for (ExecChild& consumer : consumers) CHECK(consumer.succeeds());
  CHECK(std::count(seen.begin(), seen.end(), 1) == 3 * each);
  CHECK(queue.empty());
}

TEST_CASE("a process with other addresses finds the same items, of every sort") {
  const TempName name;
  const Segment segment(name);
  const Queue<std::string> there(segment, "there", 4);
  const Queue<std::string> back(segment, "back", 4);
  ExecChild child("queue.echo", name.str());
  for (const std::size_t size : {0, 10, 3000, 100'000}) {
    there.push(std::string(size, 'x'));
    CHECK(back.pop_for(10s) == std::string(size, 'x') + "!");
  }
  there.close();
  CHECK(child.succeeds());
}

TEST_CASE("who waits for an item, or for room, sleeps: it uses no processor") {
  const TempName name;
  const Segment segment(name);
  const Queue<int> empty(segment, "empty", 1);
  const Queue<int> full(segment, "full", 1);
  full.push(0);
  Child consumer([&] { return empty.pop(); });
  Child producer([&] { full.push(1); });
  for (Child* const waiter : {&consumer, &producer}) {
    waiter->wait_until_asleep();
    const auto before = processor_time(waiter->pid());
    std::this_thread::sleep_for(500ms);  // in which it might be busy
    CHECK(processor_time(waiter->pid()) - before < 25ms);
  }
  empty.push(0);
  CHECK(full.pop() == 0);
  CHECK(consumer.succeeds());
  CHECK(producer.succeeds());
}

// As when a push looks for what is lent while another thread lends: both find room for the last item.
TEST_CASE("a take waits for no room that a loan has, whose push waits for the item to be taken") {
  const TempName name;
  const Segment segment(name);
  const Queue<int> queue(segment, "q", 1);
  Child child([&] {
    Loan<int> loan = queue.loan();
    *loan = 2;
    const SegmentBytes bytes(name);
    const std::size_t at = bytes.header().heap_at + bytes.object("q").offset +
                           offsetof(shoal::detail::QueueWord, loaned);
    std::atomic_ref(reinterpret_cast<std::uint32_t&>(bytes[at])).store(0);
    if (!queue.try_push(1)) return 1;
    std::thread pusher([&] { queue.push(std::move(loan)); });
    if (const auto taken = queue.take(); *taken != 1) return 2;
    if (const auto taken = queue.take(); *taken != 2) return 3;
    pusher.join();
    return queue.try_push(4) && !queue.try_push(5) && queue.try_pop() == 4 ? 0 : 4;
  });
  CHECK(child.exit_status() == 0);
}

TEST_CASE("threads and processes, capacity 1 to 7, by every kind of call: each item once") {
  for (const std::size_t capacity : {1, 2, 3, 7}) {
    CAPTURE(capacity);
    const auto mix = [&]<class T>(std::type_identity<T>) {
      constexpr int kEach = 300;
      const Fresh<T> fresh(capacity);
      const Queue<T>& queue = fresh.queue;
      SharedCounter popped;
      const auto produce = [&] {
        for (int i = 0; i < kEach; ++i) {
          if constexpr (shoal::Shareable<T>) {
            if (i % 3 == 0) {
              Loan<T> loan = queue.loan();
              *loan = nth<T>(i % 100);
              queue.push(std::move(loan));
              continue;
            }
          }
          queue.push(nth<T>(i % 100));
        }
      };
      const auto consume = [&] {
        std::vector<T> some(3);
        for (int i = 0;; ++i) {
          try {
            if constexpr (shoal::Shareable<T>) {
              if (i % 3 == 0) {
                static_cast<void>(queue.take());
                ++*popped;
                continue;
              }
            }
            if (i % 3 == 1) {
              *popped += static_cast<std::int64_t>(queue.try_pop_some(some));
              continue;
            }
            queue.pop();
            ++*popped;
          } catch (const shoal::Closed&) {
            return true;
          }
        }
      };
      std::vector<Child> consumers;
      std::vector<Child> producers;
      for (int i = 0; i < 2; ++i) {
        consumers.emplace_back([&] {
          std::thread other(consume);
          consume();
          other.join();
        });
        producers.emplace_back([&] {
          std::thread other(produce);
          produce();
          other.join();
        });
      }
      for (Child& producer : producers) CHECK(producer.succeeds());
      queue.close();
      for (Child& consumer : consumers) CHECK(consumer.succeeds());
      CHECK(*popped == 4 * kEach);
    };
    mix(std::type_identity<int>());
    mix(std::type_identity<Block<100>>());
    mix(std::type_identity<std::string>());
  }
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("Queue: death");

TEST_CASE("killed asleep, consumers and producers are not waited for, and take nothing") {
  const auto die = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> fresh(2);
    const Queue<T>& queue = fresh.queue;
    Child first([&] { queue.pop(); });
    Child second([&] { return queue.pop() == nth<T>(1); });
    await_waiting(queue, 2);
    first.kill();
    await_waiting(queue, 1);
    queue.push(nth<T>(1));
    CHECK(second.succeeds());
    CHECK(queue.empty());

    CHECK(has_room_for(queue, 2));
    Child third([&] { queue.push(nth<T>(7)); });
    Child fourth([&] { queue.push(nth<T>(8)); });
    await_waiting(queue, 2);
    third.kill();
    await_waiting(queue, 1);
    CHECK(queue.pop() == nth<T>(0));
    CHECK(fourth.succeeds());
    CHECK(drain(queue) == std::vector<T>{nth<T>(1), nth<T>(8)});
    CHECK(has_room_for(queue, 2));
  };
  die(std::type_identity<int>());
  die(std::type_identity<Block<100>>());
  die(std::type_identity<std::string>());
}

TEST_CASE("producers killed at work: what was pushed is there, and the room is") {
  const auto die = [&]<class T>(std::type_identity<T>) {
    const Fresh<T> fresh(3);
    const Queue<T>& queue = fresh.queue;
    SharedCounter begun;
    SharedCounter pushed;
    std::int64_t popped = 0;
    const int rounds = full_programme() ? 300 : 60;
    for (int round = 0; round < rounds; ++round) {
      const std::int64_t before = *pushed;
      Child victim([&] {
        for (int i = 0;; ++i) {
          ++*begun;
          queue.push(nth<T>(i % 100));
          ++*pushed;
        }
      });
      while (*pushed < before + 1 + round % 17) popped += queue.try_pop().has_value();
      victim.kill();
    }
    popped += static_cast<std::int64_t>(drain(queue).size());
    CHECK(popped >= *pushed);
    CHECK(popped <= *begun);
    CHECK(has_room_for(queue, 3));
  };
  die(std::type_identity<int>());
  die(std::type_identity<Block<100>>());
  die(std::type_identity<std::string>());
}

TEST_CASE("consumers killed at work: each loses at most one item, and none comes twice") {
  const auto die = [&]<class T>(std::type_identity<T>, auto make, auto number_of) {
    const Fresh<T> fresh(3);
    const Queue<T>& queue = fresh.queue;
    SharedCounter popped;
    SharedCounter last;
    SharedCounter wrong;
    std::int64_t pushed = 0;
    const int rounds = full_programme() ? 300 : 60;
    for (int round = 0; round < rounds; ++round) {
      const std::int64_t before = *popped;
      Child victim([&] {
        for (;;) {
          const std::int64_t number = number_of(queue.pop());
          if (number <= *last) ++*wrong;
          *last = number;
          ++*popped;
        }
      });
      while (*popped < before + 1 + round % 17) pushed += queue.try_push(make(pushed + 1));
      victim.kill();
    }
    const std::vector<T> left = drain(queue);
    for (const T& item : left) CHECK(number_of(item) > *last);
    CHECK(*wrong == 0);
    CHECK(pushed - *popped - static_cast<std::int64_t>(left.size()) <= rounds);
    CHECK(has_room_for(queue, 3));
  };
  die(
      std::type_identity<std::int64_t>(), [](std::int64_t n) { return n; },
      [](std::int64_t n) { return n; });
  die(
      std::type_identity<std::string>(),
      [](std::int64_t n) {
        return std::string(static_cast<std::size_t>(n % 3 * 1500), ' ') + std::to_string(n);
      },
      [](const std::string& text) { return static_cast<std::int64_t>(std::stoll(text)); });
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("JoinableQueue");

TEST_CASE("join() waits until all that was pushed is done with") {
  const Segment segment = Segment::anonymous();
  const JoinableQueue<int> queue(segment, "jobs", 4);
  queue.join();
  CHECK(queue.join_for(0s));
  queue.push(1);
  queue.push(2);
  CHECK_FALSE(queue.join_for(0s));
  CHECK(queue.pop() == 1);
  CHECK(queue.pop() == 2);
  CHECK_FALSE(queue.join_for(3ms));
  queue.task_done();
  CHECK_FALSE(queue.join_for(-1h));
  queue.task_done();
  CHECK(queue.join_for(std::chrono::hours::max()));
  queue.join();
  CHECK(queue.lost() == 0);
}

TEST_CASE("task_done() with nothing popped is a mistake, and changes nothing") {
  const Segment segment = Segment::anonymous();
  const JoinableQueue<std::string> queue(segment, "jobs", 4);
  CHECK(throws<std::logic_error>([&] { queue.task_done(); }));
  queue.push("x");
  CHECK(throws<std::logic_error>([&] { queue.task_done(); }));
  const Gate popped;
  Child other([&] {
    popped.wait();
    return throws<std::logic_error>([&] { queue.task_done(); });
  });
  CHECK(queue.pop() == "x");
  popped.open();
  CHECK(other.succeeds());
  CHECK_FALSE(queue.join_for(0s));
  queue.task_done();
  CHECK(throws<std::logic_error>([&] { queue.task_done(); }));
  CHECK(queue.join_for(0s));
}

TEST_CASE("each way to pop an item counts it once") {
  const Segment segment = Segment::anonymous();
  const JoinableQueue<int> queue(segment, "jobs", 8);
  const std::array<int, 8> items{0, 1, 2, 3, 4, 5, 6, 7};
  CHECK(queue.try_push_some(items) == 8);
  CHECK(queue.pop() == 0);
  CHECK(queue.try_pop() == 1);
  CHECK(queue.pop_for(1h) == 2);
  CHECK(*queue.take() == 3);
  CHECK(**queue.try_take() == 4);
  std::array<int, 8> popped{};
  CHECK(queue.try_pop_some(popped) == 3);
  for (int i = 0; i < 8; ++i) {
    CHECK_FALSE(queue.join_for(0s));
    queue.task_done();
  }
  CHECK(queue.join_for(0s));
  CHECK(throws<std::logic_error>([&] { queue.task_done(); }));
}

TEST_CASE("who waits in join() wakes at the last task_done(), in another process") {
  const TempName name;
  const Segment segment(name);
  const JoinableQueue<int> queue(segment, "jobs", 100);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 50; ++i) queue.push(i);
    const Gate begin;
    std::vector<Child> joiners;
    for (int i = 0; i < 2; ++i) joiners.emplace_back([&] { queue.join(); });
    await_waiting(queue, 2);
    ExecChild worker("queue.work", name.str(), "50");
    for (Child& joiner : joiners) CHECK(joiner.succeeds());
    CHECK(worker.succeeds());
    CHECK(queue.empty());
  }
  CHECK(queue.lost() == 0);
}

TEST_CASE("what a killed consumer had popped and not done counts as done, and as lost") {
  const auto die = [&]<class T>(std::type_identity<T>) {
    const Fresh<T, JoinableQueue> fresh(8);
    const JoinableQueue<T>& queue = fresh.queue;
    std::size_t lost = 0;
    for (int round = 0; round < 10; ++round) {
      for (int i = 0; i < 6; ++i) queue.push(nth<T>(i));
      const Gate holding;
      Child victim([&] {
        for (int i = 0; i < 4; ++i) queue.pop();
        queue.task_done();
        holding.open();
        return sleep_forever();
      });
      holding.wait();
      queue.pop();
      queue.pop();
      queue.task_done();
      queue.task_done();
      CHECK_FALSE(queue.join_for(2ms));
      CHECK(queue.lost() == lost);
      Child joiner([&] { queue.join(); });
      await_waiting(queue, 1);
      victim.kill();
      CHECK(joiner.succeeds());
      CHECK(queue.lost() == (lost += 3));
      CHECK(queue.join_for(0s));
    }
  };
  die(std::type_identity<int>());
  die(std::type_identity<Block<100>>());
  die(std::type_identity<std::string>());
}

TEST_CASE("a fork's child has popped nothing: task_done() there does nothing for the parent's") {
  const Segment segment = Segment::anonymous();
  const JoinableQueue<int> queue(segment, "jobs", 4);
  queue.push(1);
  queue.push(2);
  queue.pop();
  Child child([&] {
    queue.pop();
    queue.task_done();
    queue.task_done();  // for what the parent has popped: nothing
    return throws<std::logic_error>([&] { queue.task_done(); });
  });
  CHECK(child.succeeds());
  CHECK_FALSE(queue.join_for(0s));
  queue.task_done();
  CHECK(queue.join_for(0s));
}

TEST_CASE("threads of a process share what they have popped") {
  const Segment segment = Segment::anonymous();
  const JoinableQueue<int> queue(segment, "jobs", 4);
  queue.push(1);
  std::thread([&] { queue.pop(); }).join();
  CHECK_FALSE(queue.join_for(0s));
  queue.task_done();
  CHECK(queue.join_for(0s));
}

TEST_SUITE_END();
