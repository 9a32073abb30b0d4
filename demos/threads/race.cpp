// SPDX-License-Identifier: MIT
//
// Shows:    two threads count by threes in the same number, without a lock.
//           Each means to say 3, 6, 9 or 12; but the other one counts at the same time.
// Look for: the numbers behind "Counter is". They are seldom 3, 6, 9 and 12. The last may even
//           stay below 12, where an update was lost: that takes many runs, see the demo counter.

#include <chrono>
#include <iostream>
#include <shoal/shoal.hpp>
#include <syncstream>
#include <thread>

void incrementer(int greeter, const shoal::Value<int>& counter) {
  for (int j = 0; j < 2; ++j) {
    for (int i = 0; i < 3; ++i) {
      counter.store(counter.load() + 1);  // the bug: the other one may store in between
      std::osyncstream(std::cout) << "Greeter " << greeter << " incremented the counter by 1\n";
      std::this_thread::sleep_for(std::chrono::milliseconds(greeter));
    }
    std::osyncstream(std::cout) << "Counter is " << counter.load() << '\n';
  }
}

int main() {
  const shoal::Value<int> counter(shoal::Segment::anonymous(), "counter");
  const std::jthread one([&] { incrementer(1, counter); });
  const std::jthread two([&] { incrementer(2, counter); });
}
