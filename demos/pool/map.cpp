// SPDX-License-Identifier: MIT
//
// Shows:    what a function returns in another process comes back: map() gives a vector of
//           results, one for each number.
// Look for: the lines of the workers are in any order; the results are in the order of
//           the numbers.

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <shoal/shoal.hpp>
#include <thread>
#include <vector>

int doubler(int number) {
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // some work
  const int result = number * 2;
  std::cout << number << " doubled to " << result << " by process id: " << ::getpid() << std::endl;
  return result;
}

int main() {
  const std::vector<int> numbers = {5, 10, 15, 20, 25};
  shoal::Pool pool(3);
  const std::vector<int> results = pool.map(doubler, numbers);
  std::cout << "results are in corresponding order:";
  for (const int result : results) std::cout << ' ' << result;
  std::cout << '\n';
}
