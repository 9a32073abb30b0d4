// SPDX-License-Identifier: MIT

// Pool: functions called in worker processes.

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <shoal/shoal.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/child.hpp"
#include "support/full_programme.hpp"
#include "support/gate.hpp"
#include "support/patience.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"
#include "support/waiting.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using doctest::Contains;
using shoal::Pool;
using shoal::PoolOptions;
using shoal::RemoteError;
using shoal::Segment;
using shoal::Value;
using shoal::WorkerDied;

namespace {

int square(int x) { return x * x; }
int add(int a, int b) { return a + b; }
std::string greet(const std::string& name) { return "hello, " + name; }
int picky(int x) {
  if (x % 10 == 3) throw std::out_of_range("not " + std::to_string(x));
  return x;
}
void nothing(int) {}
std::int32_t worker_pid() { return ::getpid(); }

std::vector<int> numbers(int first, int last) {
  std::vector<int> all;
  for (int i = first; i < last; ++i) all.push_back(i);
  return all;
}

// make(0), make(1), ...: to be gone through once.
template <class Make>
class Made {
 public:
  Made(int count, Make make) : left_(count), make_(make) {}

  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = int;
    Iterator() = default;
    explicit Iterator(Made& of) : of_(&of) {}
    int operator*() const { return of_->make_(of_->at_); }
    Iterator& operator++() {
      ++of_->at_;
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return of_->at_ == of_->left_; }

   private:
    Made* of_ = nullptr;
  };
  Iterator begin() { return Iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  int at_ = 0;
  int left_;
  Make make_;
};

std::vector<int> squares(int count) {
  std::vector<int> expected;
  for (int i = 0; i < count; ++i) expected.push_back(i * i);
  return expected;
}

// Which process is the parent of a worker: its foreman.
std::int32_t parent_of(std::int32_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;)
    if (word == "PPid:") {
      status >> pid;
      return pid;
    }
  return 0;
}

// A task as large as it is asked for.
std::string repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

struct Point {
  int x = 0;
  int y = 0;
};

}  // namespace

TEST_SUITE_BEGIN("Pool");

TEST_CASE("map: each item once, results in order, whatever the chunk") {
  Pool pool(3);
  CHECK(pool.size() == 3);
  for (const std::size_t chunk : {0, 1, 7, 1000, 5000})
    CHECK(pool.map(square, numbers(0, 1000), chunk) == squares(1000));
}

TEST_CASE("map takes any range: lists, sets, views, streams, braces, and none") {
  Pool pool(2);
  CHECK(pool.map(square, {1, 2, 3}) == std::vector{1, 4, 9});
  CHECK(pool.map(square, std::list{1, 2, 3}) == std::vector{1, 4, 9});
  CHECK(pool.map(square, std::set{3, 1, 2}) == std::vector{1, 4, 9});
  CHECK(pool.map(square, numbers(1, 4)) == std::vector{1, 4, 9});
  CHECK(pool.map(square, Made(3, [](int i) { return i + 1; })) == std::vector{1, 4, 9});
  CHECK(pool.map(square, std::vector<int>()).empty());
  CHECK(pool.map(greet, {"bob", "eve"}) == std::vector<std::string>{"hello, bob", "hello, eve"});
  const std::array<const char*, 1> names{"sam"};
  CHECK(pool.map(greet, names) == std::vector<std::string>{"hello, sam"});
}

TEST_CASE("the elements of a map are pairs") {
  Pool pool(2);
  const std::map<std::string, int> ages{{"Ann", 40}, {"Bob", 41}};
  const auto text = [](const std::string& name, int age) { return name + std::to_string(age); };
  CHECK(pool.starmap(text, ages) == std::vector<std::string>{"Ann40", "Bob41"});
  CHECK(pool.map([](const auto& one) { return one.second; }, ages) == std::vector{40, 41});
}

TEST_CASE("what is called: functions, lambdas, members, of values and of references") {
  Pool pool(2);
  int offset = 10;
  CHECK(pool.map([](int x) { return -x; }, {1, 2}) == std::vector{-1, -2});
  CHECK(pool.map([offset](int x) { return x + offset; }, {1, 2}) == std::vector{11, 12});
  CHECK(pool.map([&offset](int x) { return x + offset; }, {1, 2}) == std::vector{11, 12});
  CHECK(pool.map([text = std::string("+")](int x) { return text + std::to_string(x); }, {1}) ==
        std::vector<std::string>{"+1"});
  CHECK(pool.map(&Point::y, std::vector{Point{1, 2}, Point{3, 4}}) == std::vector{2, 4});
  CHECK(pool.map([](int& x) { return ++x; }, {1, 2}) == std::vector{2, 3});
  CHECK(pool.map([](const int& x) -> const int& { return x; }, {1, 2}) == std::vector{1, 2});
  CHECK(pool.apply(std::function<int(int)>(square), 5) == 25);
}

TEST_CASE("captures may be handles, and references to what was made after the pool") {
  Pool pool(2);
  const TempName name;
  const Segment segment(name);
  const Value<int> sum(segment, "sum");
  const shoal::Lock lock(segment, "lock");
  pool.map([sum](int x) { sum.fetch_add(x); }, {1, 2, 3});
  CHECK(sum.load() == 6);
  pool.map([&](int x) { sum.fetch_add(x); }, {1, 2, 3});
  CHECK(sum.load() == 12);
  pool.map(
      [sum, lock](int x) {
        const std::scoped_lock held(lock);
        sum.store(sum.load() + x);
      },
      numbers(0, 100), 1);
  CHECK(sum.load() == 12 + 4950);
  const auto numbers = std::make_unique<std::vector<int>>(100, 7);
  CHECK(pool.apply([&numbers](int at) { return (*numbers)[static_cast<std::size_t>(at)]; }, 3) ==
        7);
}

TEST_CASE("tasks go on while others have workers forked anew, and those of before leave") {
  Pool pool(2);
  constexpr int kTasks = 60;
  constexpr int kAtOnce = 4;
  const std::vector<Gate> gates(kTasks);
  const std::string text = "text";
  std::vector<shoal::AsyncResult<std::string>> results;
  for (int i = 0; i < kTasks; ++i) {
    results.push_back(pool.apply_async([text, gate = &gates[i]] {
      gate->wait();
      return text;
    }));
    if (i < kAtOnce) continue;
    gates[i - kAtOnce].open();
    CHECK(results[i - kAtOnce].get() == text);
  }
}

// Without file descriptors, UndefinedBehaviorSanitizer cannot look at memory.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kNeedsDescriptors = true;
#else
constexpr bool kNeedsDescriptors = false;
#endif

TEST_CASE("workers cannot be forked anew: the call throws, and those that are there go on" *
          doctest::skip(kNeedsDescriptors)) {
  Pool pool(2);
  const std::string text = "text";
  rlimit before{};
  CHECK(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  CHECK(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  CHECK_THROWS_AS(pool.apply([text] { return text; }), shoal::Error);
  CHECK(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(pool.apply(square, 3) == 9);
  CHECK(pool.apply([text] { return text; }) == text);
}

TEST_CASE("starmap, apply, and their kin that do not wait") {
  Pool pool(2);
  CHECK(pool.starmap(add, std::vector{std::pair{1, 2}, std::pair{3, 4}}) == std::vector{3, 7});
  CHECK(pool.starmap(add, {std::tuple{1, 2}, std::tuple{3, 4}}) == std::vector{3, 7});
  CHECK(pool.apply(add, 1, 2) == 3);
  CHECK(pool.apply(greet, "bob") == "hello, bob");
  CHECK(pool.apply(worker_pid) != ::getpid());
  CHECK(pool.map_async(square, {1, 2, 3}).get() == std::vector{1, 4, 9});
  CHECK(pool.starmap_async(add, {std::pair{1, 2}}).get() == std::vector{3});
  auto result = pool.apply_async(add, 1, 2);
  CHECK(result.get() == 3);
  CHECK(result.get() == 3);
  CHECK(result.get_for(0s) == 3);
}

TEST_CASE("a function of void gives nothing, and may be waited for") {
  Pool pool(2);
  static_assert(std::is_void_v<decltype(pool.map(nothing, {1}))>);
  pool.map(nothing, {1, 2, 3});
  pool.apply(nothing, 1);
  auto result = pool.apply_async(nothing, 1);
  CHECK(result.get_for(patient(20s)));
  int count = 0;
  for ([[maybe_unused]] const auto& done : pool.imap(nothing, {1, 2, 3})) ++count;
  CHECK(count == 3);
}

TEST_CASE("arguments and results: whatever a Queue can carry, of any size") {
  Pool pool(2);
  using Table = std::map<std::string, std::vector<std::pair<int, std::optional<std::string>>>>;
  const Table table{{"a", {{1, "one"}, {2, std::nullopt}}}, {"b", {}}};
  CHECK(pool.apply([](Table t) { return t; }, table) == table);
  for (const int size : {0, 70, 71, 72, 73, 80, 4096, 1 << 20}) {
    const std::string text = pool.apply(repeat, "ab", size);
    CHECK(text.size() == static_cast<std::size_t>(2 * size));
    CHECK(pool.apply([](const std::string& of) { return of.size(); }, text) == text.size());
  }
  const std::vector<std::string> many(100, std::string(100'000, 'x'));
  CHECK(pool.map([](std::string text) { return text + "y"; }, many, 1)[99].size() == 100'001);
}

TEST_CASE("a result that was not waited for: ready, in time, or not") {
  Pool pool(1);
  const Gate gate;
  auto result = pool.apply_async([&] { gate.wait(); });
  auto next = pool.apply_async(square, 3);
  CHECK_FALSE(result.ready());
  CHECK_FALSE(result.wait_for(0s));
  CHECK_FALSE(result.wait_for(-1s));
  CHECK_FALSE(result.get_for(20ms));
  CHECK_FALSE(next.get_for(0s));
  CHECK_THROWS_WITH_AS(static_cast<void>(result.successful()), Contains("not ready"),
                       std::logic_error);
  gate.open();
  result.wait();
  CHECK(result.ready());
  CHECK(result.successful());
  CHECK(next.get() == 9);
}

TEST_CASE("an exception comes back with its type and what(), after all have been called") {
  Pool pool(2);
  const TempName name;
  const Segment segment(name);
  const Value<int> calls(segment, "calls");
  try {
    pool.map(
        [calls](int x) {
          calls.fetch_add(1);
          return picky(x);
        },
        numbers(0, 100), 7);
    FAIL("no exception");
  } catch (const RemoteError& error) {
    CHECK(error.type() == "std::out_of_range");
    CHECK(std::string(error.what()) == "shoal: std::out_of_range: not 3");
  }
  CHECK(calls.load() == 100);
  auto result = pool.apply_async(picky, 3);
  result.wait();
  CHECK_FALSE(result.successful());
  CHECK_THROWS_AS(result.get(), RemoteError);
  CHECK_THROWS_AS(result.get(), RemoteError);
  CHECK_THROWS_WITH_AS(pool.apply([] { throw 7; }), Contains("int"), RemoteError);
  CHECK(pool.apply(picky, 4) == 4);
}

TEST_CASE("a range that throws: map does, and does not wait for the rest") {
  Pool pool(2);
  const auto broken = [] {
    return Made(10,
                [](int x) { return x == 5 ? throw std::runtime_error("the range is broken") : x; });
  };
  CHECK_THROWS_WITH(pool.map(square, broken(), 1), "the range is broken");
  auto results = pool.imap(square, broken());
  for (int i = 0; i < 5; ++i) CHECK(results.next() == i * i);
  CHECK_THROWS_WITH(results.next(), "the range is broken");
  CHECK_FALSE(results.next());
  CHECK(pool.map(square, {3}) == std::vector{9});
}

TEST_CASE("imap: in order, lazily, and an exception is one item's") {
  Pool pool(3);
  for (const std::size_t chunk : {1, 7}) {
    std::vector<int> all;
    for (const int one : pool.imap(square, numbers(0, 1000), chunk)) all.push_back(one);
    CHECK(all == squares(1000));
    std::vector<int> any;
    for (const int one : pool.imap_unordered(square, numbers(0, 1000), chunk)) any.push_back(one);
    std::sort(any.begin(), any.end());
    CHECK(any == squares(1000));
  }
  auto results = pool.imap(picky, {1, 2, 3, 4}, 2);
  CHECK(results.next() == 1);
  CHECK(results.next() == 2);
  CHECK_THROWS_AS(results.next(), RemoteError);
  CHECK(results.next() == 4);
  CHECK_FALSE(results.next());
  CHECK_THROWS_AS(pool.imap(square, {1}, 0), std::invalid_argument);
  CHECK_FALSE(pool.imap(square, std::vector<int>()).next());
}

TEST_CASE("imap: a chunk may be larger than any range, and than any number of them") {
  Pool pool(2);
  for (const std::size_t chunk :
       {std::size_t{1} << 20, std::size_t{1} << 59, std::numeric_limits<std::size_t>::max()}) {
    std::vector<int> all;
    for (const int one : pool.imap(square, numbers(0, 10), chunk)) all.push_back(one);
    CHECK(all == squares(10));
  }
}

TEST_CASE("imap reads no more of an endless range than it needs") {
  Pool pool(2);
  int read = 0;
  auto endless = Made(std::numeric_limits<int>::max(), [&read](int x) {
    ++read;
    return x;
  });
  {
    auto results = pool.imap(square, endless);
    for (int i = 0; i < 10'000; ++i) CHECK_EQ(results.next(), i < 46'341 ? i * i : 0);
  }
  CHECK(read < 10'000 + 16 * 2 + 2);
  CHECK(pool.map(square, {3}) == std::vector{9});
}

TEST_CASE("imap_unordered: what comes first, first") {
  Pool pool(2);
  const Gate gate;
  auto results = pool.imap_unordered(
      [&](int x) {
        if (x == 0) gate.wait();
        return x;
      },
      {0, 1, 2});
  CHECK(results.next() == 1);
  CHECK(results.next() == 2);
  gate.open();
  CHECK(results.next() == 0);
  CHECK_FALSE(results.next());
}

TEST_CASE("sizes: 1 to 1000, none is none") {
  CHECK_THROWS_WITH_AS(Pool(0), Contains("1 to 1000"), std::invalid_argument);
  CHECK_THROWS_AS(Pool(1001), std::invalid_argument);
  CHECK(Pool(PoolOptions{}).size() == shoal::cpu_count());
  CHECK(Pool().size() == shoal::cpu_count());
  Pool large(200);
  const auto pids = large.map([](int) { return worker_pid(); }, numbers(0, 2000), 1);
  CHECK(pids.size() == 2000);
}

TEST_CASE("close: what it has is done, nothing new is taken; join waits for that") {
  Pool pool(2);
  const Gate gate;
  auto first = pool.apply_async([&] { gate.wait(); });
  auto rest = pool.map_async(square, numbers(0, 1000), 1);
  CHECK_THROWS_WITH_AS(pool.join(), Contains("call close() or terminate() first"),
                       std::logic_error);
  pool.close();
  pool.close();
  CHECK_THROWS_WITH_AS(pool.map(square, {1}), Contains("closed"), shoal::Closed);
  CHECK_THROWS_AS(pool.apply(square, 1), shoal::Closed);
  CHECK_THROWS_AS(pool.imap(square, {1}), shoal::Closed);
  gate.open();
  pool.join();
  pool.join();
  CHECK(rest.get() == squares(1000));
  first.get();
}

TEST_CASE("close: an imap that has been begun goes on to its end, before a join and after it") {
  for (const bool joined_first : {false, true}) {
    Pool pool(2);
    auto results = pool.imap(square, numbers(0, 200));
    auto unordered = pool.imap_unordered(square, numbers(0, 200), 3);
    pool.close();
    CHECK_THROWS_AS(pool.imap(square, {1}), shoal::Closed);
    if (joined_first) pool.join();
    std::vector<int> all;
    for (const int one : results) all.push_back(one);
    CHECK(all == squares(200));
    std::vector<int> any;
    for (const int one : unordered) any.push_back(one);
    std::sort(any.begin(), any.end());
    CHECK(any == squares(200));
    pool.join();
  }
}

TEST_CASE("close: an imap that nobody goes through keeps nobody waiting") {
  Pool pool(2);
  {
    auto endless = pool.imap(square, Made(std::numeric_limits<int>::max(), [](int) { return 3; }));
    pool.close();
    pool.join();
    CHECK(endless.next() == 9);
  }
  pool.join();
}

TEST_CASE("terminate: what had come of an imap can be had, then it throws, once") {
  Pool pool(1);
  auto results = pool.imap(square, numbers(0, 1000));
  pool.apply(nothing, 1);  // done after those that have been handed in
  pool.terminate();
  int had = 0;
  try {
    while (results.next() == had * had) ++had;
    FAIL("no exception");
  } catch (const shoal::Closed&) {
  }
  CHECK(had == 16);
  CHECK_FALSE(results.next());
}

TEST_CASE("several threads join while another terminates") {
  for (int i = 0; i < 20; ++i) {
    Pool pool(2);
    auto asleep = pool.apply_async([] { sleep_forever(); });
    pool.close();
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) threads.emplace_back([&] { pool.join(); });
    pool.terminate();
    for (std::thread& thread : threads) thread.join();
    CHECK_THROWS_AS(asleep.get(), shoal::Closed);
  }
}

TEST_CASE("terminate: at once, ten thousand tasks or not; what had not come will not") {
  Pool pool(2);
  auto done = pool.apply_async(square, 3);
  done.wait();
  auto asleep = pool.map_async([](int) { sleep_forever(); }, numbers(0, 10'000), 1);
  pool.terminate();
  pool.terminate();
  pool.join();
  CHECK(done.get() == 9);
  CHECK_THROWS_WITH_AS(asleep.get(), Contains("terminated"), shoal::Closed);
  CHECK_THROWS_AS(pool.apply(square, 1), shoal::Closed);
}

TEST_CASE("a pool that goes takes its workers along; results may outlive it") {
  std::vector<std::int32_t> pids;
  std::optional<shoal::AsyncResult<int>> done;
  std::optional<shoal::AsyncResult<void>> never;
  {
    Pool pool(2);
    pids.push_back(pool.apply(worker_pid));
    done = pool.apply_async(square, 3);
    done->wait();
    never = pool.apply_async([] { sleep_forever(); });
  }
  for (const auto pid : pids) CHECK(ends_soon(pid));
  CHECK(done->get() == 9);
  CHECK_THROWS_AS(never->get(), shoal::Closed);
  Pool first(1);
  Pool second(std::move(first));
  CHECK(second.apply(square, 2) == 4);
}

TEST_CASE("calls that need new workers overlap: no more than size() tasks run at once") {
  struct Work {
    std::atomic<int> now, most;
  };
  const Shared<Work> work;
  const Work& shared = *work;
  Pool pool(2);
  std::vector<shoal::AsyncResult<void>> results;
  for (int i = 0; i < 16; ++i) {
    results.push_back(pool.apply_async([&shared] {
      auto& [now, most] = const_cast<Work&>(shared);
      const int count = ++now;
      for (int seen = most; seen < count && !most.compare_exchange_weak(seen, count);) {
      }
      for (int turn = 0; turn < 2000; ++turn) ::sched_yield();
      --now;
    }));
  }
  for (auto& result : results) result.get();
  CHECK(work->most >= 1);
  CHECK(work->most <= 2);
}

TEST_CASE("each worker is initialized; what that throws, every call throws") {
  const TempName name;
  const Segment segment(name);
  const Value<int> count(segment, "count");
  {
    Pool pool(PoolOptions{.processes = 3, .initializer = [count] { count.fetch_add(1); }});
    pool.map(square, numbers(0, 100), 1);
    pool.close();
    pool.join();
  }
  CHECK(count.load() >= 1);
  CHECK(count.load() <= 3);
  Pool broken(PoolOptions{.processes = 2, .initializer = [] { throw std::runtime_error("no"); }});
  CHECK_THROWS_WITH_AS(broken.apply(square, 1), Contains("no worker can begin: no"), RemoteError);
  CHECK_THROWS_AS(broken.map(square, {1, 2}), RemoteError);
  Pool futile(PoolOptions{.processes = 2, .initializer = [] { ::_exit(3); }});
  CHECK_THROWS_WITH_AS(futile.apply(square, 1), Contains("exit status 3"), RemoteError);
}

TEST_CASE("max_tasks_per_child: workers are replaced, and nothing is lost by it, closing or not") {
  Pool pool(PoolOptions{.processes = 2, .max_tasks_per_child = 10});
  const auto pids = pool.map([](int) { return worker_pid(); }, numbers(0, 200), 1);
  std::map<std::int32_t, int> tasks;
  for (const auto pid : pids) ++tasks[pid];
  CHECK(tasks.size() >= 20);
  for (const auto& [pid, count] : tasks) CHECK(count <= 10);
  auto rest = pool.map_async(square, numbers(0, 200), 1);
  pool.close();
  pool.join();
  CHECK(rest.get() == squares(200));
}

TEST_CASE("progress goes up to the end, in the process and thread that wait") {
  std::vector<std::size_t> seen;
  const auto thread = std::this_thread::get_id();
  PoolOptions options{.processes = 2};
  options.on_progress = [&](std::size_t done, std::size_t total) {
    CHECK(total == 100);
    CHECK(std::this_thread::get_id() == thread);
    seen.push_back(done);
  };
  Pool pool(options);
  pool.map(square, numbers(0, 100), 1);
  REQUIRE_FALSE(seen.empty());
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.back() == 100);
}

TEST_CASE("what a worker prints is not lost, nor printed twice") {
  const TempName name;
  const Segment segment(name);
  Child parent([&] {
    std::FILE* const file = std::tmpfile();
    ::dup2(::fileno(file), 1);
    std::printf("begin\n");
    {
      Pool pool(1);
      pool.apply([] { std::printf("in a worker\n"); });
      pool.terminate();
    }
    std::printf("end\n");
    std::fflush(nullptr);
    std::string text(1000, '\0');
    std::rewind(file);
    text.resize(std::fread(text.data(), 1, text.size(), file));
    return text.ends_with("begin\nin a worker\nend\n") && text.find("begin") == text.rfind("begin");
  });
  CHECK(parent.succeeds());
}

TEST_CASE("several threads use one pool") {
  Pool pool(2);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        if (pool.apply(add, t, i) != t + i) ++wrong;
        if (pool.map(square, numbers(0, 20), 1) != squares(20)) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("only the process that made a pool may use it") {
  Pool pool(1);
  CHECK_THROWS_WITH_AS(pool.apply([&pool] { return pool.apply(square, 1); }),
                       Contains("std::logic_error"), RemoteError);
  Child other([&] {
    try {
      pool.apply(square, 1);
    } catch (const std::logic_error&) {
      return true;
    }
    return false;
  });
  CHECK(other.succeeds());
  CHECK(pool.apply(square, 3) == 9);
}

TEST_SUITE_END();
TEST_SUITE_BEGIN("Pool: death");

TEST_CASE(
    "a busy worker is killed: its task fails, the others do not, and there is another worker") {
  Pool pool(2);
  const Shared<std::atomic<std::int32_t>> victim;
  auto lost = pool.apply_async([&] {
    victim->store(::getpid());
    sleep_forever();
  });
  auto rest = pool.map_async(square, numbers(0, 100), 1);
  while (victim->load() == 0) std::this_thread::yield();
  ::kill(victim->load(), SIGKILL);
  try {
    lost.get();
    FAIL("no exception");
  } catch (const WorkerDied& died) {
    CHECK(died.pid() == victim->load());
    CHECK(died.signal() == SIGKILL);
    CHECK(died.task() == 0);
    CHECK_MESSAGE(std::string(died.what()).find("signal 9") != std::string::npos, died.what());
  }
  CHECK(rest.get() == squares(100));
  CHECK(pool.map(square, numbers(0, 100), 1) == squares(100));
}

TEST_CASE("which task it was; and a worker that leaves, or crashes, is one that died") {
  Pool pool(2);
  const auto die_at = [](int x) {
    if (x == 57) ::_exit(3);
    return x;
  };
  try {
    pool.map(die_at, numbers(0, 100), 10);
    FAIL("no exception");
  } catch (const WorkerDied& died) {
    CHECK(died.task() == 50);
    CHECK(died.signal() == 0);
    CHECK_MESSAGE(std::string(died.what()).find("exit status 3") != std::string::npos, died.what());
  }
  auto results = pool.imap(die_at, {56, 57, 58});
  CHECK(results.next() == 56);
  CHECK_THROWS_AS(results.next(), WorkerDied);
  CHECK(results.next() == 58);
}

TEST_CASE("each worker is killed in the initializer: every call throws, and no more are forked") {
  const TempName name;
  const Segment segment(name);
  const Value<int> forked(segment, "forked");
  Pool pool(PoolOptions{.processes = 2, .initializer = [forked] {
                          forked.fetch_add(1);
                          ::kill(::getpid(), SIGKILL);
                        }});
  auto result = pool.apply_async(square, 3);
  REQUIRE(result.wait_for(patient(20s)));
  CHECK_THROWS_WITH_AS(result.get(), Contains("killed by signal 9"), RemoteError);
  CHECK_THROWS_AS(pool.map(square, {1, 2}), RemoteError);
  pool.close();
  pool.join();
  CHECK(forked.load() >= 20);
  CHECK(forked.load() <= 20 + 2);
}

TEST_CASE("workers are killed in the initializer, but not all: those that begin do everything") {
  const TempName name;
  const Segment segment(name);
  const Value<int> forked(segment, "forked");
  Pool pool(PoolOptions{.processes = 1, .max_tasks_per_child = 1, .initializer = [forked] {
                          if (forked.fetch_add(1) % 8 != 7) ::kill(::getpid(), SIGKILL);
                        }});
  CHECK(pool.map(square, numbers(0, 10), 1) == squares(10));
  CHECK(forked.load() >= 80);
}

TEST_CASE("idle workers are killed, one after the other: nobody is missed, while nobody looks") {
  Pool pool(1);
  std::set<std::int32_t> pids;
  for (int i = 0; i < 10; ++i) {
    const std::int32_t pid = pool.apply(worker_pid);
    CHECK(pids.insert(pid).second);
    ::kill(pid, SIGKILL);
    CHECK(ends_soon(pid));
  }
  CHECK(pool.apply(square, 3) == 9);
}

TEST_CASE("the foreman is killed: running tasks fail, others are done by a new crew") {
  Pool pool(2);
  for (int i = 0; i < 5; ++i) {
    const Shared<std::atomic<std::int32_t>> worker;
    auto lost = pool.apply_async([&] {
      worker->store(::getpid());
      sleep_forever();
    });
    while (worker->load() == 0) std::this_thread::yield();
    const std::int32_t foreman = parent_of(worker->load());
    CHECK(foreman != ::getpid());
    auto rest = pool.map_async(square, numbers(0, 100), 1);
    ::kill(foreman, SIGKILL);
    CHECK_THROWS_AS(lost.get(), WorkerDied);
    for (int tries = 0;; ++tries) {  // one of them may have been running
      try {
        const std::vector<int> values = rest.get();
        CHECK(values == squares(100));
        break;
      } catch (const WorkerDied&) {
        REQUIRE(tries < 3);
        rest = pool.map_async(square, numbers(0, 100), 1);
      }
    }
    CHECK(ends_soon(worker->load()));
  }
}

TEST_CASE("workers end with the process that made the pool, though it is killed") {
  const Shared<std::array<std::atomic<std::int32_t>, 4>> pids;
  const Gate ready;
  Child parent([&] {
    Pool pool(2);
    pool.map(
        [&](int i) {
          (*pids)[static_cast<std::size_t>(i)] = ::getpid();
          while ((*pids)[0] == 0 || (*pids)[1] == 0) std::this_thread::yield();
        },
        {0, 1}, 1);
    (*pids)[2] = parent_of((*pids)[0]);
    auto busy = pool.apply_async([] { sleep_forever(); });
    ready.open();
    sleep_forever();
  });
  ready.wait();
  CHECK((*pids)[2] != parent.pid());
  parent.kill();
  for (std::size_t i = 0; i < 3; ++i) CHECK(ends_soon((*pids)[i]));
}

TEST_CASE("a task's own children do not keep a pool from ending") {
  const Gate left_group, pool_gone, told;
  const Shared<std::atomic<std::int32_t>> orphan;
  {
    Pool pool(1);
    pool.apply([&] {
      const pid_t pid = ::fork();
      if (pid == 0) {
        ::setpgid(0, 0);
        left_group.open();
        pool_gone.wait();
        told.open();
        ::_exit(0);
      }
      orphan->store(pid);
      left_group.wait();  // or it would be killed with the group
    });
  }
  pool_gone.open();
  told.wait();
  CHECK(ends_soon(orphan->load()));
}

namespace {

// Where workers say who they are, for somebody to kill them.
using Pids = std::array<std::atomic<std::int32_t>, 64>;
Pids* victims = nullptr;

int square_as_a_victim(int x) {
  const auto place = static_cast<std::size_t>(::getpid()) % 64;
  (*victims)[place].store(::getpid(), std::memory_order_relaxed);
  return x * x;
}

// Maps until so many workers have been killed, part by part; parts that have died are done again.
template <class Work>
void map_among_killers(int kills, Work work) {
  constexpr int kItems = 1000;
  constexpr int kChunk = 10;
  const Shared<Pids> pids;
  victims = &*pids;
  const Shared<std::atomic<bool>> over;
  const Shared<std::atomic<int>> killed;
  Pool pool(3);
  Child killer(
      [&] {
        std::minstd_rand random(1);
        while (!*over) {
          const std::int32_t pid = (*pids)[random() % 64].exchange(0);
          if (pid != 0 && ::kill(pid, SIGKILL) == 0) ++*killed;
          ::usleep(static_cast<useconds_t>(random() % 500));
        }
      },
      std::chrono::minutes(5));
  const auto part = [&](int first) {
    return pool.map_async(work, numbers(first, first + kChunk), kChunk);
  };
  int retried = 0;
  while (*killed < kills) {
    std::vector<shoal::AsyncResult<std::vector<int>>> parts;
    for (int first = 0; first < kItems; first += kChunk) parts.push_back(part(first));
    for (int first = 0; first < kItems; first += kChunk) {
      for (auto result = parts[static_cast<std::size_t>(first / kChunk)];; result = part(first)) {
        try {
          const std::vector<int> values = result.get();
          for (int i = 0; i < kChunk; ++i)
            REQUIRE(values[static_cast<std::size_t>(i)] == (first + i) * (first + i));
          break;
        } catch (const WorkerDied&) {
          ++retried;
        }
      }
    }
  }
  *over = true;
  CHECK(killer.succeeds());
  MESSAGE(killed->load() << " workers killed, " << retried << " tasks done again");
}

}  // namespace

TEST_CASE("workers are killed at random during a long map: every result is right in the end") {
  map_among_killers(full_programme() ? 1000 : 50, square_as_a_victim);
}

TEST_CASE("likewise where each call has workers forked anew") {
  int none = 0;
  map_among_killers(full_programme() ? 50 : 20,
                    [&none](int x) { return square_as_a_victim(x) + none; });
}

TEST_SUITE_END();
