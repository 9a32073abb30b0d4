// SPDX-License-Identifier: MIT
//
// Shows:    one call at a time: apply() waits for its result, so nothing runs in parallel;
//           apply_async() does not wait, and each call may be of another function.
// Look for: with apply() each number is doubled before the next one is begun. With
//           apply_async() all calls are under way before the first get_for(), at most 1 s.

#include <chrono>
#include <iostream>
#include <shoal/shoal.hpp>
#include <vector>

int doubler(int number) { return number * 2; }
int square(int number) { return number * number; }

int main() {
  using namespace std::chrono_literals;
  const std::vector<int> numbers = {5, 10, 15, 20, 25};
  shoal::Pool pool(3);

  std::cout << "apply:";
  for (const int number : numbers) std::cout << ' ' << pool.apply(doubler, number);

  std::vector<shoal::AsyncResult<int>> results;
  for (const int number : numbers) {
    results.push_back(pool.apply_async(doubler, number));
    results.push_back(pool.apply_async(square, number));
  }
  std::cout << "\napply_async:";
  for (auto& result : results) std::cout << ' ' << result.get_for(1s).value();
  std::cout << '\n';
}
