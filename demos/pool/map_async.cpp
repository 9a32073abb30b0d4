// SPDX-License-Identifier: MIT
//
// Shows:    map_async() gives an AsyncResult at once. The program does something else
//           meanwhile, and get() waits for what is still missing.
// Look for: the sum, which this process computes while the workers double; then the
//           results, in the order of the numbers, as from map().

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <numeric>
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
  auto results = pool.map_async(doubler, numbers);
  pool.close();  // no more tasks
  const int sum = std::accumulate(numbers.begin(), numbers.end(), 0);
  std::cout << "meanwhile: the sum of the numbers is " << sum << std::endl;
  pool.join();  // until all workers have ended
  std::cout << "results are in corresponding order:";
  for (const int result : results.get()) std::cout << ' ' << result;
  std::cout << '\n';
}
