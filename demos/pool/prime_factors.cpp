// SPDX-License-Identifier: MIT
//
// Shows:    a hundred large numbers taken apart into primes, by this process alone and by
//           a Pool of two, each with a bar that grows as the results come.
// Look for: the bars, on a terminal; the two times; and that both ways have found
//           the same factors.

#include <chrono>
#include <cstdint>
#include <iostream>
#include <random>
#include <shoal/shoal.hpp>
#include <string>
#include <vector>

using Factors = std::vector<std::int64_t>;
using Clock = std::chrono::steady_clock;

Factors prime_factors(std::int64_t n) {
  Factors factors;
  for (std::int64_t divisor = 2; divisor * divisor <= n; ++divisor)
    for (; n % divisor == 0; n /= divisor) factors.push_back(divisor);
  if (n > 1) factors.push_back(n);
  return factors;
}

void show(std::size_t done, std::size_t total) {
  const std::size_t filled = 40 * done / total;
  std::cerr << "\r[" << std::string(filled, '#') << std::string(40 - filled, ' ') << "] " << done
            << '/' << total << (done == total ? "\n" : "");
}

double since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

int main() {
  std::cout.precision(3);
  std::mt19937_64 random(1);
  std::uniform_int_distribution<std::int64_t> any(1'000'000'000'000, 100'000'000'000'000);
  std::vector<std::int64_t> data(100);
  for (std::int64_t& number : data) number = any(random);

  auto begun = Clock::now();
  std::vector<Factors> single;
  for (const std::int64_t number : data) {
    single.push_back(prime_factors(number));
    show(single.size(), data.size());
  }
  std::cout << "One process:   " << since(begun) << " s" << std::endl;

  begun = Clock::now();
  shoal::Pool pool(shoal::PoolOptions{.processes = 2, .on_progress = show});
  const std::vector<Factors> multi = pool.map(prime_factors, data);
  std::cout << "Two processes: " << since(begun) << " s\n"
            << (single == multi ? "Results are identical.\n" : "Results do not match!\n");
}
