// SPDX-License-Identifier: MIT
//
// Shows:    the race of threads/race.cpp, mended by a lock that each thread holds
//           while it adds its three: nobody comes in between.
// Look for: 3, 6, 9, 12, in every run. Which greeter adds which three is left open: a lock
//           says one at a time, not whose turn it is.

#include <chrono>
#include <iostream>
#include <mutex>
#include <shoal/shoal.hpp>
#include <syncstream>
#include <thread>

void incrementer(int greeter, const shoal::Value<int>& counter, const shoal::Lock& lock) {
  for (int j = 0; j < 2; ++j) {
    const std::scoped_lock held(lock);
    for (int i = 0; i < 3; ++i) {
      counter.store(counter.load() + 1);
      std::osyncstream(std::cout) << "Greeter " << greeter << " incremented the counter by 1\n";
      std::this_thread::sleep_for(std::chrono::milliseconds(greeter));
    }
    std::osyncstream(std::cout) << "Counter is " << counter.load() << '\n';
  }
}

int main() {
  const auto segment = shoal::Segment::anonymous();
  const shoal::Value<int> counter(segment, "counter");
  const shoal::Lock lock(segment, "increment_by_3_lock");
  const std::jthread one([&] { incrementer(1, counter, lock); });
  const std::jthread two([&] { incrementer(2, counter, lock); });
}
