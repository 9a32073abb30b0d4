// SPDX-License-Identifier: MIT
//
// Shows:    work that pays: much to compute, little to send. The numbers are in an Array,
//           where all processes see them; a task is the number of a chunk, its result a sum.
// Look for: the speed-up. It nears the number of processes where each has a physical core
//           of its own. The sums are the same, whoever computed them.

#include <chrono>
#include <cmath>
#include <iostream>
#include <random>
#include <shoal/shoal.hpp>
#include <string_view>
#include <vector>

constexpr std::size_t kChunk = 500'000;

double heavy(const shoal::Array<double>& numbers, std::size_t chunk) {
  double sum = 0;
  for (double x : numbers.span().subspan(chunk * kChunk, kChunk)) {
    for (int round = 0; round < 3; ++round) x = std::pow(std::sin(x) + std::cos(x), x * x);
    sum += x;
  }
  return sum;
}

template <class Work>
double timed(std::string_view what, Work work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  std::cout << what << took.count() << " s\n";
  return took.count();
}

int main() {
  std::cout.precision(3);
  const std::vector<std::size_t> chunks = {0, 1, 2, 3};
  const shoal::Array<double> numbers(shoal::Segment::anonymous(), "numbers",
                                     chunks.size() * kChunk);
  std::mt19937 random(1);
  for (double& number : numbers) number = std::uniform_real_distribution<double>()(random);
  const auto work = [numbers](std::size_t chunk) { return heavy(numbers, chunk); };

  shoal::Pool pool(2);
  std::vector<double> by_map, by_map_async, by_one;
  const double parallel = timed("map:         ", [&] { by_map = pool.map(work, chunks); });
  timed("map_async:   ", [&] { by_map_async = pool.map_async(work, chunks).get(); });
  const double alone = timed("one process: ", [&] {
    for (const std::size_t chunk : chunks) by_one.push_back(work(chunk));
  });
  const bool are_same = by_map == by_one && by_map_async == by_one;
  std::cout << "speed-up: " << alone / parallel << '\n'
            << (are_same ? "Results are identical.\n" : "Results do not match!\n");
}
