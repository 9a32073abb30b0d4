// SPDX-License-Identifier: MIT

// The objects of a segment, their users killed while they make, open, close and erase them.
//
// Model. The object is not there, or is whole with its initial value; there, if the constructor had
// returned, and gone, if erase() had. Its name can be used. The others keep their bytes, and no space
// is lost: the segment is sound (segment_model.hpp).

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "shoal/lock.hpp"
#include "shoal/segment.hpp"
#include "shoal/value.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_model.hpp"
#include "step_kill/segment_view.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using shoal::Lock;
using shoal::OnOwnerDeath;
using shoal::Open;
using shoal::Segment;
using shoal::Value;

namespace {

// Kinds of objects, and what one is like that has just been made.

template <std::size_t N>
struct OfBytes {
  using Handle = Value<Bytes<N>>;
  static Handle make(const Segment& segment) { return {segment, "object", filled<N>(0x3c)}; }
  static Handle open(const Segment& segment) { return {segment, "object", Open::existing}; }
  static bool is_whole(const Handle& value) {
    if (value.load() != filled<N>(0x3c) || value.get_lock().is_locked()) return false;
    value.update([](Bytes<N>& bytes) { bytes = filled<N>(0x3d); });
    const bool written = value.load() == filled<N>(0x3d);
    value.store(filled<N>(0x3c));
    return written && value.load() == filled<N>(0x3c);
  }
};

struct OfNumber {
  using Handle = Value<std::int64_t>;
  static Handle make(const Segment& segment) { return {segment, "object", 42}; }
  static Handle open(const Segment& segment) { return {segment, "object", Open::existing}; }
  static bool is_whole(const Handle& value) {
    return value.load() == 42 && !value.get_lock().is_locked();
  }
};

struct OfLock {
  using Handle = Lock;
  static Handle make(const Segment& segment) { return {segment, "object", OnOwnerDeath::inherit}; }
  static Handle open(const Segment& segment) { return {segment, "object", Open::existing}; }
  static bool is_whole(const Handle& lock) {
    if (lock.on_owner_death() != OnOwnerDeath::inherit || lock.owner() || !lock.try_lock())
      return false;
    lock.unlock();
    return true;
  }
};

// What was in the memory and in the record before: nothing, or another object.
enum class Ground { fresh, used };

template <class Kind>
struct ObjectScene : Scene {
  TempName name;
  Segment segment{name, small_segment()};
  std::optional<typename Kind::Handle> mine;
  SharedCounter repairs;  // begun

  explicit ObjectScene(Ground ground) {
    make_neighbour(segment, 0);
    if (ground == Ground::used) {
      { Value<Bytes<10'000>>(segment, "earlier", filled<10'000>(0xee)); }
      segment.erase("earlier");
    }
  }

  std::uint64_t state() override { return SegmentView(name.path()).hash(); }
  void repair() override {
    ++*repairs;
    mine.emplace(Kind::make(segment));
  }

  bool exists() const {
    const auto objects = segment.objects();
    return std::any_of(objects.begin(), objects.end(),
                       [](const shoal::ObjectInfo& object) { return object.name == "object"; });
  }

  std::string survive(const Fate& fate) override {
    const bool found = exists();
    if (const std::string wrong = look(fate, found); !wrong.empty()) return wrong;
    if (found && !Kind::is_whole(Kind::open(segment))) return "there, and not whole";
    if (!Kind::is_whole(Kind::make(segment))) return "made or found, and not whole";
    return check_segment(segment, 1);
  }
  virtual std::string look(const Fate& fate, bool found) {
    return (fate.completed || fate.repaired) && !found ? "made, and not there" : "";
  }
};

template <class Kind, Ground ground>
struct Construct : ObjectScene<Kind> {
  Construct() : ObjectScene<Kind>(ground) {}
  void operate() override { this->mine.emplace(Kind::make(this->segment)); }
};

template <class Kind>
struct Existing : ObjectScene<Kind> {
  Existing() : ObjectScene<Kind>(Ground::used) { Kind::make(this->segment); }
  std::string look(const Fate&, bool found) override { return found ? "" : "not there any more"; }
};

template <class Kind>
struct OpenIt : Existing<Kind> {
  void operate() override { this->mine.emplace(Kind::open(this->segment)); }
};

template <class Kind>
struct CloseIt : Existing<Kind> {
  void prepare() override { this->mine.emplace(Kind::open(this->segment)); }
  void operate() override { this->mine.reset(); }
};

template <class Kind>
struct Erase : Existing<Kind> {
  void operate() override { this->segment.erase("object"); }
  std::string look(const Fate& fate, bool found) override {
    if (*this->repairs != 0) return fate.repaired && !found ? "made, and not there" : "";
    return fate.completed && found ? "erased, and still there" : "";
  }
};

// The victim has it open itself, and goes on to let it go.
template <class Kind>
struct EraseAndClose : Erase<Kind> {
  void prepare() override { this->mine.emplace(Kind::open(this->segment)); }
  void operate() override {
    this->segment.erase("object");
    this->mine.reset();
  }
};

// Another process has it open: its bytes stay, wherever others are made.
template <class Kind>
struct EraseOpen : Erase<Kind> {
  Gate go_on;
  std::vector<std::function<bool()>> partners() override {
    return {[this] {
      const auto handle = Kind::open(this->segment);
      while (!go_on.is_open()) std::this_thread::sleep_for(std::chrono::microseconds(200));
      return Kind::is_whole(handle);
    }};
  }
  std::string survive(const Fate& fate) override {
    if (const std::string wrong = this->look(fate, this->exists()); !wrong.empty()) return wrong;
    for (int i = 0; i < 3; ++i) {
      const std::string filler = "filler." + std::to_string(i);
      Value<Bytes<5000>>(this->segment, filler, filled<5000>(0x77));
    }
    const std::size_t used = this->segment.used();
    go_on.open();
    return used > 3 * 10'000 ? "" : "the space of an open object was given away";
  }
};

StepOptions each_nth(std::size_t stride, std::size_t stride_in_full) {
  StepOptions options = where_changed();
  options.stride = full_programme() ? stride_in_full : stride;
  return options;
}

template <class Kind>
void kill_users(const std::string& kind) {
  kill_everywhere<Construct<Kind, Ground::fresh>>("construct " + kind, {1500, 40, 12},
                                                  where_changed());
  kill_everywhere<Construct<Kind, Ground::used>>("construct " + kind + ", where another was",
                                                 {1500, 40, 12}, where_changed());
  kill_everywhere<OpenIt<Kind>>("open " + kind, {600, 8, 2}, thorough());
  kill_everywhere<CloseIt<Kind>>("close " + kind, {250, 4, 2}, thorough());
  kill_everywhere<Erase<Kind>>("erase " + kind, {300, 10, 3}, thorough());
  kill_everywhere<EraseAndClose<Kind>>("erase and close " + kind, {600, 10, 3}, where_changed());
  kill_everywhere<EraseOpen<Kind>>("erase " + kind + ", open elsewhere", {300, 8, 2},
                                   where_changed());
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: object");

TEST_CASE("killed while making, opening, closing, erasing a value of 8 bytes") {
  kill_users<OfNumber>("a value of 8 bytes");
}

TEST_CASE("killed while making, opening, closing, erasing a value of 5000 bytes") {
  if (full_programme()) kill_users<OfBytes<5000>>("a value of 5000 bytes");
}

TEST_CASE("killed while making, opening, closing, erasing a lock") { kill_users<OfLock>("a lock"); }

TEST_CASE("killed while making an object after one who was killed") {
  kill_repairers<Construct<OfNumber, Ground::used>>("construct 8 bytes, twice", {1500, 150, 20},
                                                    each_nth(16, 1));
  kill_repairers<OpenIt<OfNumber>>("open 8 bytes, twice", {600, 20, 2}, each_nth(4, 1));
  kill_repairers<EraseAndClose<OfNumber>>("erase 8 bytes, then construct", {600, 100, 10},
                                          each_nth(6, 1));
}

TEST_SUITE_END();
