// SPDX-License-Identifier: MIT
//
// Shows:    pool/starmap.cpp without starmap(): the function takes one argument, which
//           holds both numbers. Whatever a Queue can carry may be an argument.
// Look for: the same ten results. Which of the two is better is a matter of taste: starmap()
//           leaves the function as it was.

#include <iostream>
#include <shoal/shoal.hpp>
#include <utility>
#include <vector>

int doubler_adder(const std::pair<int, int>& numbers) {
  return numbers.first * 2 + numbers.second * 2;
}

int main() {
  std::vector<std::pair<int, int>> pairs;
  for (const int a : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) pairs.emplace_back(a, a + 1);
  shoal::Pool pool(3);
  std::cout << "results are in corresponding order:";
  for (const int result : pool.map(doubler_adder, pairs)) std::cout << ' ' << result;
  std::cout << '\n';
}
