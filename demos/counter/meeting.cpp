// SPDX-License-Identifier: MIT
#include "meeting.hpp"

#include <iostream>
#include <mutex>
#include <stdexcept>
#include <utility>

Meeting::Meeting(std::string name, int seats)
    : name_(std::move(name)), segment_(name_), size_(segment_, "size", seats) {
  for (int i = 0; i < size_.load(); ++i)
    seats_.emplace_back(segment_, "seat." + std::to_string(i), shoal::OnOwnerDeath::inherit);
}

Meeting::~Meeting() {
  try {
    stand_up();
  } catch (const std::exception& error) {
    std::cerr << "counter: " << error.what() << '\n';
  }
}

bool Meeting::sit_down() {
  const std::scoped_lock held(door_);
  if (over_.load()) return false;
  int others = 0;
  for (const shoal::Lock& seat : seats_) {
    if (!seat.try_lock())
      ++others;
    else if (!mine_)
      mine_ = &seat;
    else
      seat.unlock();
  }
  if (others == 0) forget_the_dead();
  if (!mine_ || started_.load())
    throw std::runtime_error(
        "the processes of that name have started already: wait until they "
        "have finished, or use another --name");
  if (others + 1 == size()) started_.store(true);
  return true;
}

bool Meeting::stand_up() {
  const std::scoped_lock held(door_);
  if (mine_) std::exchange(mine_, nullptr)->unlock();
  for (const shoal::Lock& seat : seats_) {
    if (!seat.try_lock()) return false;
    seat.unlock();
  }
  if (!over_.load()) shoal::Segment::remove(name_);
  over_.store(true);
  return true;
}

void Meeting::forget_the_dead() {
  counter.store(0);
  tally.store({});
  started_.store(false);
}
