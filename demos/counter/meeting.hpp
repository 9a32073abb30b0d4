// SPDX-License-Identifier: MIT
#pragma once

// Where the processes meet.

#include <cstdint>
#include <shoal/shoal.hpp>
#include <string>
#include <vector>

#include "ways.hpp"

struct Tally {
  std::int64_t expected = 0;  // what all who began are going to count
  std::int32_t began = 0;
  std::int32_t finished = 0;
};

// Processes that know nothing of each other but the segment's name. Each has a seat, which is a
// Lock: a process that is killed leaves its seat to the next one.
class Meeting {
 public:
  Meeting(std::string name, int seats);
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;
  ~Meeting();

  int size() const { return size_.load(); }
  bool has_started() const { return started_.load(); }

  // False: everybody has left just now, and the segment's name is gone. Open it again.
  bool sit_down();
  // Leaves. Whoever comes last takes the segment's name away. True: nobody is left.
  bool stand_up();

 private:
  void forget_the_dead();

  const std::string name_;
  const shoal::Segment segment_;
  const shoal::Value<int> size_;
  const shoal::Value<bool> started_{segment_, "started"};
  const shoal::Value<bool> over_{segment_, "over"};
  const shoal::Lock door_{segment_, "door", shoal::OnOwnerDeath::inherit};
  std::vector<shoal::Lock> seats_;
  const shoal::Lock* mine_ = nullptr;

 public:
  const Counter counter{segment_, "counter"};
  const shoal::Lock lock{segment_, "counter.lock"};
  const shoal::Value<Tally> tally{segment_, "tally"};
};
