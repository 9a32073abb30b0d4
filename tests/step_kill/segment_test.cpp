// SPDX-License-Identifier: MIT

// A segment, its users killed at every change while they make, open and remove it.
//
// Model. The next or_create gives a sound segment (segment_model.hpp). In /dev/shm there is the file
// or there is none, and nothing else. Who had it open before it was removed can go on.

#include "shoal/segment.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <optional>
#include <string>

#include "shoal/value.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_model.hpp"
#include "step_kill/segment_view.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using shoal::Open;
using shoal::Segment;
using shoal::Value;

namespace {

constexpr std::size_t kPlaces = 3;

// How many files there are of that name, and what somebody might have put before and behind it.
std::size_t files_of(const TempName& name) {
  std::size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator("/dev/shm"))
    count += file.path().string().find(name.str()) != std::string::npos;
  return count;
}

struct SegmentScene : Scene {
  TempName name;
  std::optional<Segment> mine;

  SegmentScene() {
    // The first one calculates a table of checksums.
    static const Segment first = Segment::anonymous(small_segment());
  }
  std::uint64_t state() override { return SegmentView(name.path()).hash(); }
  void repair() override { mine.emplace(name, small_segment(kPlaces)); }

  std::string survive(const Fate& fate) override {
    const bool exists = std::filesystem::exists(name.path());
    if (files_of(name) > (exists ? 1U : 0U)) return "another file is left";
    if (std::string wrong = look(fate, exists); !wrong.empty()) return wrong;
    const Segment segment(name, small_segment(kPlaces));
    if (files_of(name) != 1) return "another file is left after opening";
    if (std::string wrong = check_places(segment, kPlaces - 1); !wrong.empty()) return wrong;
    return check_segment(segment, neighbours(segment));
  }
  virtual std::string look(const Fate& fate, bool exists) {
    return (fate.completed || fate.repaired) && !exists ? "made, and not there" : "";
  }
  virtual int neighbours(const Segment&) { return 0; }
};

struct Create : SegmentScene {
  void operate() override { mine.emplace(name, small_segment(kPlaces)); }
};

struct CreateOnly : SegmentScene {
  void operate() override {
    shoal::SegmentOptions options = small_segment(kPlaces);
    options.open = Open::create;
    mine.emplace(name, options);
  }
};

struct OpenExisting : SegmentScene {
  OpenExisting() {
    const Segment segment(name, small_segment(kPlaces));
    make_neighbour(segment, 0);
    make_neighbour(segment, 1);
  }
  void operate() override { mine.emplace(name, Open::existing); }
  int neighbours(const Segment&) override { return 2; }
};

struct Remove : SegmentScene {
  Segment old{name, small_segment(kPlaces)};
  Value<Bytes<100>> value{old, "value", filled<100>(3)};
  void operate() override { Segment::remove(name); }
  std::string look(const Fate& fate, bool exists) override {
    value.store(filled<100>(4));
    if (value.load() != filled<100>(4)) return "who had it open cannot go on";
    if (Value<Bytes<100>>(old, "value", Open::existing).load() != filled<100>(4))
      return "who had it open finds another";
    Segment::remove(name);
    return fate.completed && exists ? "removed, and still there" : "";
  }
};

StepOptions each_nth(std::size_t stride, std::size_t stride_in_full) {
  StepOptions options = where_changed();
  options.stride = full_programme() ? stride_in_full : stride;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("step-kill: segment");

TEST_CASE("killed while creating a segment") {
  kill_everywhere<Create>("segment, or_create", {3000, 40, 4}, where_changed());
  kill_everywhere<CreateOnly>("segment, create", {3000, 40, 4}, where_changed());
}

TEST_CASE("killed while opening a segment") {
  kill_everywhere<OpenExisting>("segment, existing", {2000, 25, 3}, where_changed());
}

TEST_CASE("killed while removing a segment") {
  kill_everywhere<Remove>("segment.remove", {500, 4, 2}, thorough());
}

TEST_CASE("killed while creating a segment after one who was killed") {
  kill_repairers<Create>("segment, or_create, twice", {3000, 100, 4}, each_nth(16, 2));
}

TEST_SUITE_END();
