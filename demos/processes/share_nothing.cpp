// SPDX-License-Identifier: MIT
//
// Shows:    processes share nothing unless told to: each child has a copy of this
//           program's memory, and of the counter in it.
// Look for: both count 3, 6. Were these threads, they would count to 12 together; and here
//           the parent's own counter is still 0 at the end. shared/value.cpp mends it.

#include <iostream>
#include <shoal/shoal.hpp>

int counter = 0;

void incrementer(int greeter) {
  for (int j = 0; j < 2; ++j) {
    for (int i = 0; i < 3; ++i) ++counter;
    std::cout << "Greeter" << greeter << ": Counter is " << counter << std::endl;
  }
}

int main() {
  shoal::Process one(incrementer, 1);
  shoal::Process two(incrementer, 2);
  one.start();
  two.start();
  one.join();
  two.join();
  std::cout << "Parent: Counter is " << counter << '\n';
}
