// SPDX-License-Identifier: MIT
//
// Shows:    work that does not pay: (x + y) squared for many pairs, by two processes and by
//           this one alone. Sending a pair takes longer than squaring it.
// Look for: the speed-up, which is none at all, far below 1. starmap_async() is no faster:
//           it only waits later. pool/chunked.cpp has work that pays.

#include <chrono>
#include <iostream>
#include <random>
#include <shoal/shoal.hpp>
#include <string_view>
#include <tuple>
#include <vector>

int f(int x, int y) { return (x + y) * (x + y); }

template <class Work>
double timed(std::string_view what, Work work) {
  const auto begun = std::chrono::steady_clock::now();
  const std::vector<int> results = work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  std::cout << what << took.count() << " s; the first:";
  for (std::size_t i = 0; i < 5; ++i) std::cout << ' ' << results[i];
  std::cout << '\n';
  return took.count();
}

int main() {
  std::cout.precision(3);
  std::mt19937 random(1);
  std::vector<std::tuple<int, int>> pairs(200'000);
  for (auto& [x, y] : pairs) {
    x = static_cast<int>(random() % 9) + 1;
    y = static_cast<int>(random() % 9) + 1;
  }
  shoal::Pool pool(2);
  const double parallel = timed("starmap:       ", [&] { return pool.starmap(f, pairs); });
  timed("starmap_async: ", [&] { return pool.starmap_async(f, pairs).get(); });
  const double alone = timed("one process:   ", [&] {
    std::vector<int> results;
    results.reserve(pairs.size());
    for (const auto& [x, y] : pairs) results.push_back(f(x, y));
    return results;
  });
  std::cout << "speed-up: " << alone / parallel << '\n';
}
