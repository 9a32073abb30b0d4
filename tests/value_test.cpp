// SPDX-License-Identifier: MIT

// The promises of shoal/value.hpp.

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <shoal/shoal.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/child.hpp"
#include "support/full_programme.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Lock;
using shoal::Open;
using shoal::Segment;
using shoal::Value;

namespace {

template <std::size_t Size, std::size_t Alignment = 1>
struct alignas(Alignment) Block {
  std::array<unsigned char, Size> bytes;
  bool operator==(const Block&) const = default;
};

template <class T>
T filled(unsigned char with) {
  T block;
  block.bytes.fill(with);
  return block;
}

template <class T>
bool is_whole(const T& block) {
  return std::all_of(block.bytes.begin(), block.bytes.end(),
                     [&](unsigned char c) { return c == block.bytes[0]; });
}

// One T's operations, in this process and a forked one.
template <class T>
void check_block() {
  const TempName name;
  const Segment segment(name);
  const T initial = filled<T>(1);
  const auto value = std::make_unique<Value<T>>(segment, "block", initial);
  CHECK(reinterpret_cast<std::uintptr_t>(&value->get_obj()) % alignof(T) == 0);
  CHECK(value->load() == initial);
  value->store(filled<T>(2));
  CHECK(value->exchange(filled<T>(3)) == filled<T>(2));
  T expected = filled<T>(2);
  CHECK_FALSE(value->compare_exchange(expected, filled<T>(4)));
  CHECK(expected == filled<T>(3));
  CHECK(value->compare_exchange(expected, filled<T>(4)));
  CHECK(value->update([](T& block) {
    block.bytes.back() = 99;
    return block.bytes[0];
  }) == (sizeof(T) == 1 ? 99 : 4));
  CHECK(value->load().bytes.back() == 99);
  CHECK(value->get_obj().bytes.back() == 99);
  Child child([&] {
    value->update([](T& block) { ++block.bytes.back(); });
    return Value<T>(segment, "block", Open::existing).load().bytes.back() == 100;
  });
  CHECK(child.succeeds());
  CHECK(value->load().bytes.back() == 100);
}

void die_holding(const Lock& lock) {
  const Gate holding;
  Child holder([&] {
    lock.lock();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  holder.kill();
}

struct Padded {
  char c;
  std::int64_t n;
};
struct SmallPadded {
  char c;
  std::int16_t n;
};

template <class T>
concept HasFetchAdd = requires(const Value<T>& value, T t) {
  value.fetch_add(t), value.fetch_sub(t);
};
template <class T>
concept HasCompareExchange = requires(const Value<T>& value, T t) {
  value.compare_exchange(t, t);
};

static_assert(HasFetchAdd<int> && HasFetchAdd<unsigned char> && HasFetchAdd<double> &&
              HasFetchAdd<float>);
static_assert(!HasFetchAdd<bool> && !HasFetchAdd<Padded>);
static_assert(HasCompareExchange<int> && HasCompareExchange<double> && HasCompareExchange<bool>);
static_assert(!HasCompareExchange<Padded> && !HasCompareExchange<SmallPadded>,
              "padding is not part of the value");
static_assert(std::is_nothrow_move_constructible_v<Value<int>> &&
              std::is_copy_assignable_v<Value<int>>);

}  // namespace

TEST_CASE_TEMPLATE("a Value of any size and alignment loads, stores and changes as a whole", T,
                   Block<1>, Block<2>, Block<3>, Block<4>, Block<5>, Block<6>, Block<7>, Block<8>,
                   Block<9>, Block<16>, Block<64>, Block<4096>, Block<1 << 16>, Block<2, 2>,
                   Block<4, 4>, Block<8, 8>, Block<16, 16>, Block<64, 64>, Block<128, 128>,
                   Block<4096, 4096>, Block<8192, 4096>, Block<12, 4>, Block<24, 8>) {
  check_block<T>();
}

TEST_CASE("a large Value works in a thread whose stack is as usual") {
  using Large = Block<1 << 20>;
  const TempName name;
  const Segment segment(name);
  const Value<Large> value(segment, "large", Open::or_create);
  const auto source = std::make_unique<Large>();
  // One T of its own in each: a compiler may give a function's temporaries room side by side.
  const auto store = [&](unsigned char c) {
    source->bytes.fill(c);
    value.store(*source);
  };
  const auto load = [&] { return std::unique_ptr<Large>(new Large(value.load())); };
  const auto exchange = [&] { return std::unique_ptr<Large>(new Large(value.exchange(*source))); };
  const auto update = [&] { value.update([](Large& block) { block.bytes[7] = 6; }); };
  const auto compare_exchange = [&](Large& expected) {
    return value.compare_exchange(expected, *source);
  };
  const auto all = [&] {
    store(5);
    update();
    CHECK(value.get_obj().bytes[7] == 6);
    CHECK(value.get_obj().bytes[(1 << 20) - 1] == 5);
    const auto loaded = load();
    CHECK(loaded->bytes[7] == 6);
    source->bytes.fill(8);
    CHECK(exchange()->bytes[7] == 6);
    source->bytes.fill(9);
    CHECK_FALSE(compare_exchange(*loaded));
    CHECK(loaded->bytes[7] == 8);
    CHECK(compare_exchange(*loaded));
    CHECK(load()->bytes[100] == 9);
  };
  all();
  std::thread(all).join();
}

TEST_CASE("without an initial value it is zero; the initial value is the creator's alone") {
  const TempName name;
  const Segment segment(name);
  CHECK(Value<std::int64_t>(segment, "a").load() == 0);
  CHECK(Value<double>(segment, "b", Open::create).load() == 0.0);
  CHECK_FALSE(Value<bool>(segment, "c").load());
  CHECK(is_whole(Value<Block<5000>>(segment, "d", Open::create).load()));
  CHECK(Value<int>(segment, "e", 5).load() == 5);
  CHECK(Value<int>(segment, "e", 6).load() == 5);
  CHECK(Value<int>(segment, "e", 7, Open::existing).load() == 5);
  CHECK_THROWS_AS(Value<int>(segment, "e", 8, Open::create), shoal::AlreadyExists);
  CHECK(Value<int>(segment, "e").load() == 5);
}

TEST_CASE("the form without an initial value makes what T{} is") {
  struct Point {
    int x = 3;
    int y = 4;
  };
  const TempName name;
  const Segment segment(name);
  CHECK(Value<Point>(segment, "a").load().y == 4);
  CHECK(Value<Point>(segment, "b", Open::create).load().y == 4);
}

TEST_CASE("a T without a default constructor needs an initial value, or is zero, or exists") {
  struct Id {
    explicit Id(int number) : n(number) {}
    int n;
  };
  const TempName name;
  const Segment segment(name);
  CHECK(Value<Id>(segment, "a", Id(4)).load().n == 4);
  CHECK(Value<Id>(segment, "a", Open::existing).load().n == 4);
  CHECK(Value<Id>(segment, "zero", Open::create).load().n == 0);
}

TEST_CASE("bool, enums, characters, floats and structs with padding come back as they were") {
  enum class Color : std::uint8_t { red = 3, green = 200 };
  enum Wide : std::uint64_t { wide = ~0ULL };
  const TempName name;
  const Segment segment(name);
  const Value<bool> flag(segment, "flag", true);
  CHECK(flag.exchange(false));
  CHECK_FALSE(flag.update([](bool& b) { return std::exchange(b, true); }));
  bool expected = true;
  CHECK(flag.compare_exchange(expected, false));
  CHECK(Value<Color>(segment, "color", Color::green).load() == Color::green);
  CHECK(Value<Wide>(segment, "wide", wide).load() == wide);
  CHECK(Value<char16_t>(segment, "char", u'x').exchange(u'y') == u'x');
  CHECK(Value<float>(segment, "float", -0.5F).load() == -0.5F);
  CHECK(Value<long double>(segment, "long.double", 1.25L).load() == 1.25L);
  const Value<Padded> padded(segment, "padded", Padded{'a', -7});
  padded.update([](Padded& p) { p.n *= 2; });
  CHECK(padded.load().c == 'a');
  CHECK(padded.load().n == -14);
  const Value<SmallPadded> small(segment, "small", SmallPadded{'b', 5});
  for (int i = 0; i < 100; ++i) small.update([](SmallPadded& p) { ++p.n; });
  CHECK(small.load().n == 105);
  CHECK(std::isnan(Value<double>(segment, "nan", std::nan("")).load()));
}

TEST_CASE("update of a small T with padding ends, whatever its padding holds") {
  const TempName name;
  const Segment segment(name);
  const Value<SmallPadded> small(segment, "small", SmallPadded{'b', 0});
  std::vector<std::unique_ptr<Child>> children;
  for (unsigned char i = 0; i < 3; ++i)
    children.push_back(std::make_unique<Child>([&, i] {
      for (int turn = 0; turn < 5000; ++turn)
        small.update([i](SmallPadded& p) {
          const auto n = static_cast<std::int16_t>(p.n + 1);
          std::memset(static_cast<void*>(&p), i, sizeof p);
          p.c = 'b';
          p.n = n;
        });
    }));
  for (auto& child : children) CHECK(child->succeeds());
  CHECK(small.load().n == 15000);
}

TEST_CASE_TEMPLATE("fetch_add and fetch_sub return the value from before, and wrap around", T,
                   std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                   std::uint32_t, std::int64_t, std::uint64_t) {
  using Limits = std::numeric_limits<T>;
  const TempName name;
  const Segment segment(name);
  const Value<T> value(segment, "n", Limits::max());
  CHECK(value.fetch_add(1) == Limits::max());
  CHECK(value.load() == Limits::min());
  CHECK(value.fetch_sub(1) == Limits::min());
  CHECK(value.load() == Limits::max());
  value.store(10);
  CHECK(value.fetch_sub(3) == 10);
  CHECK(value.fetch_add(static_cast<T>(0)) == 7);
  value.fetch_sub(Limits::min());
  value.fetch_add(Limits::min());
  CHECK(value.load() == 7);
}

TEST_CASE("fetch_add of floats, also of the large one, is exact between processes") {
  const TempName name;
  const Segment segment(name);
  const Value<float> small(segment, "float");
  const Value<double> middle(segment, "double");
  const Value<long double> large(segment, "long.double");
  const auto work = [&] {
    for (int i = 0; i < 2000; ++i) {
      small.fetch_add(1.0F);
      middle.fetch_sub(0.5);
      large.fetch_add(0.25L);
    }
  };
  Child first(work);
  Child second(work);
  CHECK(first.succeeds());
  CHECK(second.succeeds());
  CHECK(small.load() == 4000.0F);
  CHECK(middle.load() == -2000.0);
  CHECK(large.load() == 1000.0L);
}

TEST_CASE("compare_exchange of floating values is bitwise: zeros differ, a NaN equals itself") {
  const TempName name;
  const Segment segment(name);
  const Value<double> value(segment, "n", -0.0);
  double expected = 0.0;
  CHECK_FALSE(value.compare_exchange(expected, 1.0));
  CHECK(std::signbit(expected));
  CHECK(value.compare_exchange(expected, std::nan("")));
  expected = value.load();
  CHECK(value.compare_exchange(expected, 2.0));
}

TEST_CASE("compare_exchange of long double compares the value, not the bytes behind it") {
  const TempName name;
  const Segment segment(name);
  const Value<long double> value(segment, "n");
  // Ten bytes of sixteen are the value.
  const auto make = [](long double& n, int padding) {
    std::memset(static_cast<void*>(&n), padding, sizeof n);
    n = 1.5L;
  };
  value.update([&](long double& n) { make(n, 0x11); });
  long double expected = 0;
  make(expected, 0xa5);
  CHECK(value.compare_exchange(expected, 2.5L));
  CHECK(value.load() == 2.5L);
}

TEST_CASE("concurrent fetch_add, update and compare_exchange lose nothing") {
  const TempName name;
  const Segment segment(name);
  const Value<std::int64_t> small(segment, "small");
  struct Large {
    std::int64_t a;
    std::int64_t b;
    std::int64_t c;
  };
  const Value<Large> large(segment, "large");
  const auto work = [&] {
    for (int i = 0; i < 3000; ++i) {
      small.fetch_add(1);
      small.update([](std::int64_t& n) { ++n; });
      std::int64_t expected = small.load();
      while (!small.compare_exchange(expected, expected + 1)) {
      }
      large.update([](Large& l) {
        ++l.a;
        ++l.b;
        ++l.c;
      });
    }
  };
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 3; ++i)
    children.push_back(std::make_unique<Child>(
        [&] {
          std::thread other(work);
          work();
          other.join();
        },
        60s));
  for (auto& child : children) CHECK(child->succeeds());
  CHECK(small.load() == 6 * 3 * 3000);
  CHECK(large.load().a == 6 * 3000);
  CHECK(large.load().c == 6 * 3000);
}

TEST_CASE("update returns what the change returns, by value") {
  const TempName name;
  const Segment segment(name);
  const Value<int> small(segment, "small", 3);
  const Value<Block<100>> large(segment, "large", filled<Block<100>>(8));
  CHECK(small.update([](int& n) { return std::to_string(n++); }) == "3");
  CHECK(small.load() == 4);
  CHECK(large.update([](Block<100>& b) {
    return std::string(1, static_cast<char>('A' + b.bytes[0]));
  }) == "I");
  static_assert(std::is_void_v<decltype(small.update([](int& n) { ++n; }))>);
  CHECK(large.update([moved = std::make_unique<int>(5)](Block<100>& b) {
    b.bytes[0] = static_cast<unsigned char>(*moved);
    return std::make_unique<int>(b.bytes[0]);
  }) != nullptr);
  CHECK(large.load().bytes[0] == 5);
}

TEST_CASE("a change that throws changes nothing, and the next one works") {
  const TempName name;
  const Segment segment(name);
  const Value<int> small(segment, "small", 3);
  const Value<Block<100>> large(segment, "large", filled<Block<100>>(8));
  CHECK_THROWS_AS(small.update([](int& n) {
    n = 4;
    throw std::runtime_error("no");
  }),
                  std::runtime_error);
  CHECK(small.load() == 3);
  CHECK_THROWS_AS(large.update([](Block<100>& b) {
    b.bytes.fill(9);
    throw std::runtime_error("no");
  }),
                  std::runtime_error);
  CHECK(large.load() == filled<Block<100>>(8));
  Child child([&] {
    large.update([](Block<100>& b) { b.bytes.fill(10); });
    small.update([](int& n) { n = 5; });
  });
  CHECK(child.succeeds());
  CHECK(large.load() == filled<Block<100>>(10));
  CHECK(small.load() == 5);
}

TEST_CASE("who holds get_lock() may call all of them") {
  const TempName name;
  const Segment segment(name);
  const auto check = [&](const auto& value, auto t) {
    const std::scoped_lock held(value.get_lock());
    value.store(t);
    value.exchange(t);
    value.update([](auto&) {});
    value.compare_exchange(t, t);
    static_cast<void>(value.load());
    value.get_obj() = t;
  };
  check(Value<int>(segment, "small"), 4);
  check(Value<Block<100>>(segment, "large"), filled<Block<100>>(4));
  CHECK(Value<int>(segment, "small").load() == 4);
}

TEST_CASE("none of a Value's operations waits for get_lock()") {
  const TempName name;
  const Segment segment(name);
  const Value<int> small(segment, "small");
  const Value<Block<100>> large(segment, "large");
  const std::scoped_lock held(small.get_lock(), large.get_lock());
  Child child([&] {
    if (small.get_lock().try_lock() || large.get_lock().try_lock()) return false;
    small.store(1);
    small.update([](int& n) { ++n; });
    large.store(filled<Block<100>>(3));
    large.update([](Block<100>& b) { b.bytes[0] = 4; });
    return true;
  });
  CHECK(child.succeeds());
  CHECK(small.load() == 2);
  CHECK(large.load().bytes[0] == 4);
}

TEST_CASE("get_lock() is one lock for all handles and processes; get_obj() is the bytes") {
  const TempName name;
  const Segment segment(name);
  const Value<Block<100>> value(segment, "v");
  const auto work = [&] {
    const Value<Block<100>> mine(Segment(name), "v");
    for (int i = 0; i < 5000; ++i) {
      const std::scoped_lock held(mine.get_lock());
      if (++mine.get_obj().bytes[0] == 0) ++mine.get_obj().bytes[1];
    }
  };
  Child first(work);
  Child second(work);
  CHECK(first.succeeds());
  CHECK(second.succeeds());
  CHECK(value.load().bytes[0] + 256 * value.load().bytes[1] == 10000);
}

TEST_CASE("update throws OwnerDied only where someone died holding get_lock()") {
  const TempName name;
  const Segment segment(name);
  const Value<int> small(segment, "small", 1);
  const Value<Block<100>> large(segment, "large", filled<Block<100>>(1));
  const auto check = [&](const auto& value) {
    die_holding(value.get_lock());
    const auto change = [](auto&) {};
    CHECK_THROWS_WITH_AS(value.update(change), doctest::Contains("value '"), shoal::OwnerDied);
    CHECK_THROWS_AS(value.update(change), shoal::OwnerDied);
    CHECK_NOTHROW(value.store(value.load()));
    CHECK_NOTHROW(value.exchange(value.load()));
    CHECK_THROWS_AS(value.get_lock().lock(), shoal::OwnerDied);
    {
      const auto held = value.get_lock().recover();
      CHECK_NOTHROW(value.update(change));  // the recoverer may use it
      CHECK(value.get_lock().inherited());
    }
    CHECK_NOTHROW(value.update(change));
  };
  check(small);
  check(large);
  CHECK_NOTHROW(small.fetch_add(1));
}

TEST_CASE("dying inside update never makes anybody see OwnerDied") {
  const TempName name;
  const Segment segment(name);
  const Value<Block<1000>> large(segment, "large", filled<Block<1000>>(1));
  const Gate inside;
  Child victim([&] {
    large.update([&](Block<1000>& b) {
      b.bytes.fill(2);
      inside.open();
      sleep_forever();
    });
  });
  inside.wait();
  Child waiter([&] {
    large.update([](Block<1000>& b) { ++b.bytes[0]; });
    return large.load().bytes[0] == 2 && large.load().bytes[1] == 1;
  });
  waiter.wait_until_asleep();
  CHECK(large.load() == filled<Block<1000>>(1));  // readers do not wait for a stuck writer
  victim.kill();
  CHECK(waiter.succeeds());
  CHECK_FALSE(large.get_lock().is_locked());
  CHECK_NOTHROW(large.store(filled<Block<1000>>(3)));
}

TEST_CASE("a large Value is never torn, by writers, readers, and writers that are killed") {
  using Large = Block<3000>;
  const TempName name;
  const Segment segment(name);
  const Value<Large> value(segment, "large", filled<Large>(1));
  const SharedCounter writes;
  const SharedCounter reads;
  const auto write = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (;; ++*writes) {
      const auto c = static_cast<unsigned char>(random());
      if (random() % 2 == 0)
        value.store(filled<Large>(c));
      else
        value.update([&](Large& b) { b.bytes.fill(c); });
    }
  };
  const auto read = [&] {
    for (;; ++*reads)
      if (!is_whole(value.load())) return 1;
  };
  const int kills = full_programme() ? 3000 : 200;
  std::vector<std::unique_ptr<Child>> writers;
  for (unsigned i = 0; i < 2; ++i)
    writers.push_back(std::make_unique<Child>([&, i] { write(i); }, 60s));
  Child reader(read, 120s);
  std::mt19937 random(7);
  for (int kill = 0; kill < kills; ++kill) {
    const std::int64_t before = *writes + *reads;
    while (*writes + *reads < before + static_cast<std::int64_t>(random() % 30)) ::sched_yield();
    const std::size_t victim = random() % 2;
    writers[victim]->kill();
    CHECK(writers[victim]->exit_status() == -SIGKILL);
    REQUIRE(is_whole(value.load()));
    const unsigned seed = static_cast<unsigned>(kill) + 10;
    writers[victim] = std::make_unique<Child>([&, seed] { write(seed); }, 60s);
  }
  writers.clear();
  CHECK(is_whole(value.load()));
  CHECK_NOTHROW(value.store(filled<Large>(0)));
  CHECK_FALSE(reader.ends_by(std::chrono::steady_clock::time_point::min()));
  CHECK(*reads > 0);
  MESSAGE("killed " << kills << ", writes " << writes->load() << ", reads " << reads->load());
}

TEST_CASE("readers of a large Value are not kept out by writers that never pause") {
  using Large = Block<1 << 16>;
  const TempName name;
  const Segment segment(name);
  const Value<Large> value(segment, "large", filled<Large>(1));
  const Gate writing;
  Child writer([&] {
    for (unsigned char c = 0;; ++c) {
      value.store(filled<Large>(c));
      writing.open();
    }
  });
  writing.wait();
  for (int i = 0; i < 200; ++i) REQUIRE(is_whole(value.load()));
}

TEST_CASE("a forked child inside a change of its parent's does not write over others") {
  using Large = Block<1000>;
  const TempName name;
  const Segment segment(name);
  const Value<Large> value(segment, "large", filled<Large>(1));
  const Gate let_child_go;
  pid_t child = -1;
  value.update([&](Large& b) {
    child = ::fork();
    if (child == 0) {
      ::alarm(10);
      try {
        let_child_go.wait();
      } catch (...) {
        ::_exit(9);
      }
      b.bytes.fill(66);
    } else {
      b.bytes.fill(2);
    }
  });
  if (child == 0) {
    // The child held nothing: its change may be refused, but must not go past the others' turn.
    ::_exit(0);
  }
  value.store(filled<Large>(3));
  value.store(filled<Large>(4));
  const std::uint64_t before = value.load().bytes[0];
  let_child_go.open();
  int status = -1;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  CHECK(before == 4);
  CHECK(is_whole(value.load()));
  CHECK(value.load() == filled<Large>(4));
}

TEST_CASE("a Value is seen by a freshly started process, at other addresses") {
  const TempName name;
  const Segment segment(name);
  const Value<Block<4096, 4096>> large(segment, "large", filled<Block<4096, 4096>>(7));
  const Value<std::int64_t> small(segment, "small", 1);
  ExecChild first("value.add", name.str(), "small", "2000");
  ExecChild second("value.add", name.str(), "small", "3000");
  CHECK(first.succeeds());
  CHECK(second.succeeds());
  CHECK(small.load() == 5001);
}
