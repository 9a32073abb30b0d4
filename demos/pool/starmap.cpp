// SPDX-License-Identifier: MIT
//
// Shows:    a function of several arguments: starmap() takes a range of tuples, and
//           unpacks each into a call.
// Look for: ten results in the order of the pairs. map() could do it too, with a function
//           that takes a pair: see pool/map_pairs.cpp.

#include <iostream>
#include <shoal/shoal.hpp>
#include <tuple>
#include <vector>

int doubler_adder(int a, int b) { return a * 2 + b * 2; }

int main() {
  std::vector<std::tuple<int, int>> pairs;
  for (const int a : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) pairs.emplace_back(a, a + 1);
  shoal::Pool pool(3);
  const std::vector<int> results = pool.starmap(doubler_adder, pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto [a, b] = pairs[i];
    std::cout << a << " and " << b << " doubled and added: " << results[i] << '\n';
  }
}
