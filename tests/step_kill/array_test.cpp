// SPDX-License-Identifier: MIT

// An Array, its users killed at every instruction.
//
// Model. An element is what it was before the store or what was stored, whole; that, if store() had
// returned. Two readers see the same, through load() and through the bytes. The elements beside it
// keep theirs, and each can be stored to afterwards. get_lock() is a Lock like any other, and nobody
// is told of a death but through it.

#include "shoal/array.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

#include "shoal/segment.hpp"
#include "step_kill/lock_scene.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_model.hpp"
#include "step_kill/segment_view.hpp"
#include "step_kill/waiters.hpp"
#include "support/child.hpp"
#include "support/gate.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Array;
using shoal::Segment;
using shoal::detail::ArrayWord;

namespace {

constexpr std::size_t kSize = 3;
constexpr std::size_t kIndex = 1;  // what is stored to; the others are neighbours

// The nth of some elements, all of whose bytes differ from those of the others.
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
struct ArrayScene : Scene {
  TempName name;
  Segment segment;
  Array<T> array;

  ArrayScene() : segment(name, small_segment()), array(segment, "array", kSize) {
    for (std::size_t i = 0; i < kSize; ++i) array.store(i, nth<T>(1));
  }
  explicit ArrayScene(const SegmentImage& image)
      : segment((image.write_to(name), name)), array(segment, "array", kSize) {}

  std::uint64_t state() override { return SegmentView(name.path()).hash(); }
  void prepare() override { array.store(0, nth<T>(1)); }
  void repair() override { array.store(kIndex, nth<T>(2)); }

  std::string survive(const Fate& fate) override {
    const T seen = array.load(kIndex);
    if (seen != nth<T>(1) && seen != nth<T>(2)) return "torn";
    if ((fate.completed || fate.repaired) && seen != nth<T>(2)) return "done, and not stored";
    if (array.load(kIndex) != seen || array[kIndex] != seen) return "another at the second look";
    for (const std::size_t neighbour : {kIndex - 1, kIndex + 1})
      if (array.load(neighbour) != nth<T>(1)) return "a neighbour has changed";
    for (std::size_t i = 0; i < kSize; ++i) array.store(i, nth<T>(3 + static_cast<int>(i)));
    for (std::size_t i = 0; i < kSize; ++i)
      if (array.at(i) != nth<T>(3 + static_cast<int>(i))) return "not stored by the survivor";
    if (array.get_lock().is_locked() || !array.get_lock().try_lock()) return "its lock is not free";
    return "";
  }
};

// What a process has left that was killed while it copied an element from the room to its place.
template <class T>
const SegmentImage& half_stored() {
  static const SegmentImage image = [] {
    const TempName name;
    const Segment segment(name, small_segment());
    const Array<T> array(segment, "array", kSize);
    for (std::size_t i = 0; i < kSize; ++i) array.store(i, nth<T>(1));
    const Gate holding;
    Child writer([&] {
      array.get_lock().lock();
      holding.open();
      return sleep_forever();
    });
    holding.wait();
    const SegmentView view(name.path());
    auto* const word = view.words<ArrayWord>("array");
    word->writer.owner.store(word->lock.owner.exchange(0));
    word->lock.holder.store(0);
    const T stored = nth<T>(2);
    const shoal::detail::ArrayShape shape{sizeof(T), alignof(T)};
    auto* const memory = reinterpret_cast<std::byte*>(word);
    std::memcpy(memory + shape.room_at(), &stored, sizeof stored);
    word->pending.store(kIndex + 1);
    std::memcpy(memory + shape.data_at() + kIndex * sizeof stored, &stored, sizeof stored / 2);
    writer.kill();
    return SegmentImage(name);
  }();
  return image;
}

template <class T>
struct Store : ArrayScene<T> {
  void operate() override { this->array.store(kIndex, nth<T>(2)); }
};

// By two of the three: who dies over the second leaves the first as it is.
template <class T>
struct StoreTwo : ArrayScene<T> {
  void operate() override {
    this->array.store(kIndex - 1, nth<T>(1));
    this->array.store(kIndex, nth<T>(2));
  }
};

template <class T>
struct Load : ArrayScene<T> {
  void operate() override {
    if (this->array.load(kIndex) != nth<T>(1)) throw 1;
  }
  std::string survive(const Fate&) override {
    if (this->array.load(kIndex) != nth<T>(1)) return "changed by a load";
    return ArrayScene<T>::survive({});
  }
};

template <class T>
struct LoadHalfStored : ArrayScene<T> {
  LoadHalfStored() : ArrayScene<T>(half_stored<T>()) {}
  void prepare() override {}  // to store would be to do it again
  void operate() override {
    if (this->array.load(kIndex) != nth<T>(2)) throw 1;
  }
  std::string survive(const Fate&) override { return ArrayScene<T>::survive({true, true}); }
};

// Another element: the pending one is stored first.
template <class T>
struct StoreBesideHalfStored : LoadHalfStored<T> {
  void operate() override { this->array.store(kIndex + 1, nth<T>(1)); }
  void repair() override { static_cast<void>(this->array.load(kIndex - 1)); }
};

// Somebody else is in the middle of a store, and lives: it is the stage.
template <class T>
struct StoreWaits : ArrayScene<T> {
  std::atomic<shoal::detail::OwnerValue>& writer() const {
    return reinterpret_cast<ArrayWord*>(reinterpret_cast<std::byte*>(this->array.data()) -
                                        shape().data_at())
        ->writer.owner;
  }
  static shoal::detail::ArrayShape shape() { return {sizeof(T), alignof(T)}; }
  StoreWaits() {
    this->array.get_lock().lock();
    const SegmentView view(this->name.path());
    writer().store(view.lock("array")->owner.load());
    this->array.get_lock().unlock();
  }
  void prepare() override {}
  void operate() override { this->array.store(kIndex, nth<T>(2)); }
  std::string survive(const Fate& fate) override {
    if (fate.completed) return "stored without its turn";
    writer().store(0);
    return ArrayScene<T>::survive(fate);
  }
};

// Under the array's own lock, which whoever is killed leaves abandoned. store() and load() go on.
template <class T>
struct UnderItsLock : ArrayScene<T> {
  Holding at_kill;
  std::uint64_t state() override {
    const SegmentView view(this->name.path());
    at_kill = view.holding("array");
    return view.hash();
  }
  void operate() override {
    const std::scoped_lock held(this->array.get_lock());
    this->array.store(kIndex, nth<T>(2));
  }
  std::string survive(const Fate& fate) override {
    if (fate.completed && at_kill.pid != 0) return "done, and its lock is not free";
    static_cast<void>(this->array.load(kIndex));
    const pid_t told = told_by([&] { this->array.get_lock().lock(); });
    if (told != at_kill.pid) return named("told of", told, at_kill.pid);
    if (told != kNotTold)
      this->array.get_lock().recover([] {});
    else
      this->array.get_lock().unlock();
    return ArrayScene<T>::survive(fate);
  }
};

StepOptions each_nth(std::size_t stride, std::size_t stride_in_full) {
  StepOptions options = where_changed();
  options.stride = full_programme() ? stride_in_full : stride;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: array");

TEST_CASE("array: killed while storing an element of 8 bytes") {
  kill_everywhere<Store<std::int64_t>>("array.store, 8 bytes", {3, 3, 2}, every_instruction());
  kill_everywhere<Load<std::int64_t>>("array.load, 8 bytes", {3, 3, 1}, every_instruction());
}

TEST_CASE("array: killed while storing or loading an element of 3 and of 100 bytes") {
  kill_everywhere<Store<Bytes<3>>>("array.store, 3 bytes", {40, 14, 7}, thorough());
  kill_everywhere<Store<Bytes<100>>>("array.store, 100 bytes", {60, 20, 12}, thorough());
  kill_everywhere<StoreTwo<Bytes<100>>>("array.store, 100 bytes, two", {120, 30, 14}, thorough());
  kill_everywhere<Load<Bytes<100>>>("array.load, 100 bytes", {30, 4, 2}, thorough());
}

TEST_CASE("array: killed while storing an element of 4096 bytes" *
          doctest::skip(!full_programme())) {
  kill_everywhere<Store<Bytes<4096>>>("array.store, 4096 bytes", {100, 60, 40}, where_changed());
}

TEST_CASE("array: killed while doing again what a dead process had half stored") {
  kill_everywhere<LoadHalfStored<Bytes<100>>>("array.load, half stored", {1000, 60, 14},
                                              where_changed());
  kill_everywhere<StoreBesideHalfStored<Bytes<100>>>("array.store, beside half stored",
                                                     {1000, 60, 20}, where_changed());
}

TEST_CASE("array: killed while storing under its own lock") {
  kill_everywhere<UnderItsLock<std::int64_t>>("array.get_lock, 8 bytes", {40, 12, 4}, thorough());
  kill_everywhere<UnderItsLock<Bytes<100>>>("array.get_lock, 100 bytes", {100, 30, 12}, thorough());
}

TEST_CASE("array: killed while waiting to store an element") {
  kill_everywhere<StoreWaits<Bytes<100>>>("array.store, waits", {3000, 45, 3}, waiting_for_lock());
}

TEST_CASE("array: killed while storing after one who was killed") {
  kill_repairers<Store<Bytes<100>>>("array.store, 100 bytes, twice", {60, 60, 15}, each_nth(24, 2));
  kill_repairers<StoreBesideHalfStored<Bytes<100>>>("array.store, load, half stored",
                                                    {1000, 60, 12}, each_nth(200, 10));
}

TEST_CASE("array: killed or stopped while waiting for its lock, the others get it") {
  const Segment segment = Segment::anonymous();
  const Array<std::int64_t> array(segment, "array", kSize);
  const auto pass = [&] { const std::scoped_lock held(array.get_lock()); };
  array.get_lock().lock();
  kill_a_waiter(pass, [&] { array.get_lock().unlock(); });
  array.get_lock().lock();
  stop_a_waiter(
      pass, [&] { array.get_lock().unlock(); }, [] {});
  CHECK_FALSE(array.get_lock().is_locked());
}

TEST_SUITE_END();
