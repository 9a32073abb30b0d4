// SPDX-License-Identifier: MIT
//
// Shows:    a row of names in shared memory, an Array of text, beside the counter of
//           shared/value.cpp. The counter tells whom to greet next.
// Look for: James, Tom, Sam, Larry: in order, each greeted once, by whichever process has
//           the lock.

#include <chrono>
#include <iostream>
#include <mutex>
#include <shoal/shoal.hpp>
#include <thread>

using Names = shoal::Array<shoal::FixedString<15>>;

void incrementer(int greeter, const shoal::Value<int>& counter, const Names& names,
                 const shoal::Lock& lock) {
  for (int j = 0; j < 2; ++j) {
    const std::scoped_lock held(lock);
    for (int i = 0; i < 3; ++i) {
      counter.store(counter.load() + 1);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    const auto place = static_cast<std::size_t>(counter.load() / 3 - 1);
    std::cout << "Greeter" << greeter << ": Greeting " << names[place] << "! Counter is "
              << counter.load() << std::endl;
  }
}

int main() {
  const auto segment = shoal::Segment::anonymous();
  const shoal::Value<int> counter(segment, "counter");
  const Names names(segment, "names", 4);
  const shoal::Lock increment_by_3_lock(segment, "increment_by_3_lock");
  std::size_t place = 0;
  for (const char* const name : {"James", "Tom", "Sam", "Larry"}) names.store(place++, name);
  shoal::Process one(incrementer, 1, counter, names, increment_by_3_lock);
  shoal::Process two(incrementer, 2, counter, names, increment_by_3_lock);
  two.start();
  one.start();
}  // joins both
