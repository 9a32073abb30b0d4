// SPDX-License-Identifier: MIT
#include "step_kill/segment_model.hpp"

#include <sched.h>

#include <chrono>
#include <utility>
#include <vector>

#include "shoal/lock.hpp"
#include "shoal/value.hpp"
#include "support/child.hpp"
#include "support/gate.hpp"
#include "support/patience.hpp"
#include "support/shared.hpp"

namespace shoal_test {
namespace {

using namespace std::chrono_literals;
using shoal::Lock;
using shoal::Open;
using shoal::Segment;
using shoal::Value;

constexpr std::size_t kNeighbour = 300;
constexpr std::size_t kNearlyAll = 32'000;  // twice that, and a header, in 64 KiB
constexpr std::size_t kMaxObjects = 8;      // of small_segment()

std::string neighbour_name(int which) { return "neighbour." + std::to_string(which); }
Bytes<kNeighbour> neighbour_bytes(int which) {
  return filled<kNeighbour>(static_cast<std::uint8_t>(0xa5 + which));
}

std::size_t sum_of_objects(const Segment& segment) {
  std::size_t sum = 0;
  for (const shoal::ObjectInfo& object : segment.objects()) sum += object.bytes;
  return sum;
}

void erase_all(const Segment& segment) {
  for (const shoal::ObjectInfo& object : segment.objects()) segment.erase(object.name);
}

std::string used_is(const Segment& segment, std::size_t expected, const char* when) {
  const std::size_t used = segment.used();
  if (used == expected) return "";
  return "uses " + std::to_string(used) + " bytes, not " + std::to_string(expected) + ", " + when;
}

}  // namespace

void make_neighbour(const Segment& segment, int which) {
  Value<Bytes<kNeighbour>>(segment, neighbour_name(which), neighbour_bytes(which), Open::create);
}

std::string check_segment(const Segment& segment, int neighbours) {
  for (int i = 0; i < neighbours; ++i) {
    const Value<Bytes<kNeighbour>> value(segment, neighbour_name(i), Open::existing);
    if (value.load() != neighbour_bytes(i)) return neighbour_name(i) + " has changed";
  }
  std::string wrong = used_is(segment, sum_of_objects(segment), "at first");
  if (!wrong.empty()) return wrong;
  for (std::size_t i = segment.objects().size(); i < kMaxObjects; ++i) {
    const Lock lock(segment, "fill." + std::to_string(i), Open::create);
    if (!lock.try_lock()) return "a new lock is not free";
    lock.unlock();
  }
  wrong = used_is(segment, sum_of_objects(segment), "when full of objects");
  if (!wrong.empty()) return wrong;
  erase_all(segment);
  wrong = used_is(segment, 0, "when all are erased");
  if (!wrong.empty()) return wrong;
  {
    const Value<Bytes<kNearlyAll>> value(segment, "all", Open::create);
    if (value.load() != filled<kNearlyAll>(0)) return "new memory is not zero";
    value.store(filled<kNearlyAll>(1));
    if (value.load() != filled<kNearlyAll>(1)) return "new memory cannot be written";
  }
  segment.erase("all");
  return used_is(segment, 0, "at last");
}

std::string check_places(const Segment& segment, std::size_t places) {
  const auto end = std::chrono::steady_clock::now() + patient(500ms);
  const Lock lock(segment, "places");
  const auto joins = [&](const Gate& leave, const Gate& here) {
    try {
      lock.lock();
      lock.unlock();
    } catch (const shoal::TooManyParticipants&) {
      return false;
    }
    here.open();
    leave.wait();
    return true;
  };
  const Gate leave;
  std::vector<Child> joined;
  joined.reserve(places);
  while (joined.size() < places) {
    const Gate here;
    Child child([&] { return joins(leave, here); });
    while (!here.is_open() && !child.ends_by(std::chrono::steady_clock::now())) ::sched_yield();
    if (here.is_open()) {
      joined.push_back(std::move(child));
    } else if (std::chrono::steady_clock::now() > end) {
      return "only " + std::to_string(joined.size()) + " more could join";
    }
  }
  const Gate here;
  Child one_more([&] { return joins(leave, here); });
  if (one_more.succeeds()) return "more could join than there are records";
  return "";
}

}  // namespace shoal_test
