// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "python.hpp"
#include "shoal/pool.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

double ns_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

std::int64_t square(std::int64_t x) { return x * x; }

std::vector<std::int64_t> numbers(std::int64_t first, std::size_t count) {
  std::vector<std::int64_t> result(count);
  std::iota(result.begin(), result.end(), first);
  return result;
}

// --- Python's, where there is Python

Sample python_pool(const std::string& measure) {
  return python(
      "import multiprocessing, time\n"
      "def square(x): return x * x\n"
      "if __name__ == \"__main__\":\n"
      " with multiprocessing.Pool() as pool:\n"
      "  pool.map(square, range(100), 1)\n"
      "  begin = time.perf_counter_ns()\n" +
      measure + "  print((time.perf_counter_ns() - begin) / n)\n");
}

// --- map, a number a task

Sample map_of_shoal() {
  const std::vector<std::int64_t> tasks = numbers(0, 200'000);
  shoal::Pool pool;
  pool.map(square, numbers(0, 100), 1);
  const auto begin = Clock::now();
  const auto squares = pool.map(square, tasks, 1);
  const double ns = ns_since(begin) / static_cast<double>(tasks.size());
  for (const std::int64_t i : tasks)
    if (squares[static_cast<std::size_t>(i)] != i * i) return {0, 0, "a square is wrong"};
  return {ns, 0, ""};
}

Sample map_of_python() {
  return python_pool(
      "  n = 20000\n"
      "  assert pool.map(square, range(n), 1)[n - 1] == (n - 1) ** 2\n");
}

// --- apply, there and back

Sample apply_of_shoal() {
  constexpr std::int64_t kCalls = 20'000;
  shoal::Pool pool;
  pool.apply(square, std::int64_t{1});
  const auto begin = Clock::now();
  for (std::int64_t i = 0; i < kCalls; ++i)
    if (pool.apply(square, i) != i * i) return {0, 0, "a square is wrong"};
  return {ns_since(begin) / static_cast<double>(kCalls), 0, ""};
}

Sample apply_of_python() {
  return python_pool(
      "  n = 2000\n"
      "  for i in range(n):\n"
      "   assert pool.apply(square, (i,)) == i * i\n");
}

// --- Work for the CPU: the number of prime factors

int prime_factors(std::int64_t number) {
  int count = 0;
  for (std::int64_t factor = 2; factor * factor <= number; ++factor)
    for (; number % factor == 0; number /= factor) ++count;
  return number > 1 ? count + 1 : count;
}

constexpr std::int64_t kFirst = 10'000'000'000;
constexpr std::size_t kNumbers = 4'000;
constexpr int kFactors = 16759;  // of all these numbers

Sample factors_found(double ns, int factors) {
  if (factors != kFactors) return {0, 0, std::to_string(factors) + " factors"};
  return {ns, 0, ""};
}

Sample primes_in_turn() {
  const auto begin = Clock::now();
  int factors = 0;
  for (const std::int64_t number : numbers(kFirst, kNumbers)) factors += prime_factors(number);
  return factors_found(ns_since(begin), factors);
}

Sample primes_of_shoal() {
  shoal::Pool pool;
  pool.map(square, {std::int64_t{1}});
  const auto begin = Clock::now();
  const std::vector<int> factors = pool.map(prime_factors, numbers(kFirst, kNumbers));
  const double ns = ns_since(begin);
  // Workers that are waited for count as this process's children; killed ones as others.
  pool.close();
  pool.join();
  return factors_found(ns, std::accumulate(factors.begin(), factors.end(), 0));
}

}  // namespace

std::vector<Case> pool_cases() {
  std::vector<Case> cases{
      {"pool.map",
       "a task: a number is squared; there is one for each, for all CPUs",
       "shoal::Pool",
       {{"shoal::Pool", map_of_shoal}}},
      {"pool.apply",
       "a number is squared elsewhere: there and back",
       "shoal::Pool",
       {{"shoal::Pool", apply_of_shoal}},
       kMicroseconds},
      {"pool.primes",
       "the prime factors of 4,000 numbers",
       "one after the other",
       {{"shoal::Pool", primes_of_shoal}, {"one after the other", primes_in_turn}},
       kMilliseconds}};
  if (has_python()) {
    cases[0].contenders.push_back({"Python's Pool", map_of_python});
    cases[1].contenders.push_back({"Python's Pool", apply_of_python});
    cases[0].baseline = cases[1].baseline = "Python's Pool";
  }
  return cases;
}

}  // namespace bench
