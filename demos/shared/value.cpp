// SPDX-License-Identifier: MIT
//
// Shows:    two processes count in one number: a Value, which lives in shared memory.
//           A Lock lets one of them at a time add its three.
// Look for: 3, 6, 9, 12, in every run; who says it is left open. Take the lock away, and it
//           is threads/race.cpp again, between processes.

#include <chrono>
#include <iostream>
#include <mutex>
#include <shoal/shoal.hpp>
#include <thread>

void incrementer(int greeter, const shoal::Value<int>& counter, const shoal::Lock& lock) {
  for (int j = 0; j < 2; ++j) {
    const std::scoped_lock held(lock);
    for (int i = 0; i < 3; ++i) {
      counter.store(counter.load() + 1);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    std::cout << "Greeter" << greeter << ": Counter is " << counter.load() << std::endl;
  }
}

int main() {
  const auto segment = shoal::Segment::anonymous();
  const shoal::Value<int> counter(segment, "counter");
  const shoal::Lock increment_by_3_lock(segment, "increment_by_3_lock");
  shoal::Process one(incrementer, 1, counter, increment_by_3_lock);
  shoal::Process two(incrementer, 2, counter, increment_by_3_lock);
  two.start();
  one.start();
}  // joins both
