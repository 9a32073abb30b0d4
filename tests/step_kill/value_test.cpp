// SPDX-License-Identifier: MIT

// A Value, its writers killed at every instruction.
//
// Model. The value is what it was before the operation or what it is after it, whole; after it, if
// the operation had returned. Two readers see the same. It can be written afterwards by every means,
// and nobody is told of a death. The values beside it keep their bytes.

#include "shoal/value.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "shoal/segment.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_model.hpp"
#include "step_kill/segment_view.hpp"
#include "support/gate.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Segment;
using shoal::Value;

namespace {

// The nth of some values, all of whose bytes differ from those of the others.
template <class T>
T nth(int n) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(0x0101010101010101 * n);
  } else {
    T bytes;
    bytes.fill(static_cast<std::uint8_t>(0x11 * n));
    return bytes;
  }
}

template <class T>
struct ValueScene : Scene {
  TempName name;
  Segment segment{name, small_segment()};
  Value<T> before{segment, "before", nth<T>(5)};
  Value<T> value{segment, "value", nth<T>(1)};
  Value<T> after{segment, "after", nth<T>(6)};

  std::uint64_t state() override { return SegmentView(name.path()).hash(); }
  void prepare() override { before.store(nth<T>(5)); }
  void repair() override {
    value.update([](T& it) { it = nth<T>(2); });
  }

  std::string survive(const Fate& fate) override {
    const T seen = value.load();
    if (seen != nth<T>(1) && seen != nth<T>(2)) return "torn";
    if ((fate.completed || fate.repaired) && seen != nth<T>(2)) return "done, and not written";
    if (value.load() != seen) return "another value at the second look";
    value.update([](T& it) { it = nth<T>(3); });
    if (value.load() != nth<T>(3)) return "not updated";
    if (value.exchange(nth<T>(4)) != nth<T>(3)) return "not exchanged";
    if (value.load() != nth<T>(4)) return "exchanged for another value";
    if (before.load() != nth<T>(5) || after.load() != nth<T>(6)) return "a neighbour has changed";
    if (value.get_lock().is_locked() || !value.get_lock().try_lock()) return "its lock is not free";
    return "";
  }
};

template <class T>
struct Store : ValueScene<T> {
  void operate() override { this->value.store(nth<T>(2)); }
};

template <class T>
struct Exchange : ValueScene<T> {
  void operate() override {
    if (this->value.exchange(nth<T>(2)) != nth<T>(1)) throw 1;
  }
};

template <class T>
struct Update : ValueScene<T> {
  void operate() override {
    this->value.update([](T& it) { it = nth<T>(2); });
  }
};

template <class T>
struct CompareExchange : ValueScene<T> {
  void operate() override {
    T expected = nth<T>(1);
    if (!this->value.compare_exchange(expected, nth<T>(2))) throw 1;
  }
};

template <class T>
struct FetchAdd : ValueScene<T> {
  void operate() override { this->value.fetch_add(nth<T>(2) - nth<T>(1)); }
};

template <class T>
struct FetchSub : ValueScene<T> {
  void operate() override { this->value.fetch_sub(nth<T>(1) - nth<T>(2)); }
};

// Somebody else is in the middle of an update, and lives; the victim waits for its turn.
template <class T>
struct StoreWaits : ValueScene<T> {
  Gate go_on;
  std::vector<std::function<bool()>> partners() override {
    return {[this] {
      this->value.update([this](T&) {
        while (!go_on.is_open()) std::this_thread::sleep_for(200us);
      });
      return true;
    }};
  }
  void operate() override { this->value.store(nth<T>(2)); }
  std::string survive(const Fate& fate) override {
    go_on.open();
    return ValueScene<T>::survive(fate);
  }
};

// Under the value's own lock, which whoever is killed leaves abandoned: update() says so, and the
// other operations go on.
template <class T>
struct UnderItsLock : ValueScene<T> {
  Holding at_kill;
  std::uint64_t state() override {
    at_kill = SegmentView(this->name.path()).holding("value");
    return ValueScene<T>::state();
  }
  void operate() override {
    const std::scoped_lock held(this->value.get_lock());
    this->value.store(nth<T>(2));
  }
  std::string survive(const Fate& fate) override {
    if (fate.completed && at_kill.pid != 0) return "done, and its lock is not free";
    pid_t told = 0;
    try {
      this->value.update([](T&) {});
    } catch (const shoal::OwnerDied& died) {
      told = died.owner().pid;
    }
    if (told != at_kill.pid) return "told of " + std::to_string(told);
    static_cast<void>(this->value.load());
    if (told != 0) this->value.get_lock().recover([] {});
    return ValueScene<T>::survive(fate);
  }
};

template <class T>
void kill_writers(const std::string& type, const Floors& floors, const StepOptions& options) {
  kill_everywhere<Store<T>>("value.store, " + type, floors, options);
  kill_everywhere<Exchange<T>>("value.exchange, " + type, floors, options);
  kill_everywhere<Update<T>>("value.update, " + type, floors, options);
  if constexpr (std::has_unique_object_representations_v<T> || std::is_floating_point_v<T>)
    kill_everywhere<CompareExchange<T>>("value.compare_exchange, " + type, floors, options);
  if constexpr (std::is_arithmetic_v<T>) {
    kill_everywhere<FetchAdd<T>>("value.fetch_add, " + type, floors, options);
    kill_everywhere<FetchSub<T>>("value.fetch_sub, " + type, floors, options);
  }
}

StepOptions each_nth(std::size_t stride, std::size_t stride_in_full) {
  StepOptions options = where_changed();
  options.stride = full_programme() ? stride_in_full : stride;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: value");

TEST_CASE("killed while writing a value of 8 bytes") {
  kill_writers<std::int64_t>("8 bytes", {1, 2, 2}, every_instruction());
}

TEST_CASE("killed while writing a floating value") {
  kill_writers<double>("double", {1, 2, 2}, every_instruction());
}

TEST_CASE("killed while writing a long double, which is not lock-free") {
  kill_writers<long double>("long double", {20, 8, 4}, thorough());
}

TEST_CASE("killed while writing a value of 100 bytes") {
  kill_writers<Bytes<100>>("100 bytes", {100, 20, 10}, thorough());
}

TEST_CASE("killed while writing a value of 4096 bytes" * doctest::skip(!full_programme())) {
  kill_everywhere<Store<Bytes<4096>>>("value.store, 4096 bytes", {1000, 600, 300}, where_changed());
  kill_everywhere<Update<Bytes<4096>>>("value.update, 4096 bytes", {1000, 600, 300},
                                       where_changed());
}

TEST_CASE("killed while writing a value under its own lock") {
  kill_everywhere<UnderItsLock<std::int64_t>>("value.get_lock, 8 bytes", {40, 12, 4}, thorough());
  kill_everywhere<UnderItsLock<Bytes<100>>>("value.get_lock, 100 bytes", {200, 30, 12}, thorough());
}

TEST_CASE("killed while waiting to write a value") {
  kill_everywhere<StoreWaits<Bytes<100>>>("value.store, waits", {3000, 45, 3}, waiting_for_lock());
}

TEST_CASE("killed while writing after one who was killed") {
  kill_repairers<Update<Bytes<100>>>("value.update, 100 bytes, twice", {100, 200, 15},
                                     each_nth(12, 1));
}

TEST_SUITE_END();
