// SPDX-License-Identifier: MIT
//
// Shows:    a function over many numbers at once: a Pool of five processes maps it, three
//           numbers at a time.
// Look for: the results are in the order of the numbers, though nobody knows which process
//           did which chunk, or when.

#include <iostream>
#include <numeric>
#include <shoal/shoal.hpp>
#include <string_view>
#include <vector>

int square(int x) { return x * x; }

void print(std::string_view what, const std::vector<int>& numbers) {
  std::cout << what;
  for (const int number : numbers) std::cout << ' ' << number;
  std::cout << '\n';
}

int main() {
  std::vector<int> dataset(14);
  std::iota(dataset.begin(), dataset.end(), 1);
  constexpr unsigned kAgents = 5;
  constexpr std::size_t kChunk = 3;
  shoal::Pool pool(kAgents);
  print("Dataset:", dataset);
  print("Result: ", pool.map(square, dataset, kChunk));
}
