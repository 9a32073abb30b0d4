// SPDX-License-Identifier: MIT
//
// Shows:    order, where processes finish in any: each result carries the rank of the
//           process that made it, and the parent sorts.
// Look for: the same line in every run, for each rank makes its string from its own seed,
//           and arrives in its own place.

#include <algorithm>
#include <iostream>
#include <random>
#include <shoal/shoal.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using Ranked = std::pair<unsigned, std::string>;

void rand_string(int length, unsigned rank, const shoal::Queue<Ranked>& output) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::mt19937 random(rank);
  std::string text;
  for (int i = 0; i < length; ++i) text += kLetters[random() % kLetters.size()];
  output.push({rank, text});
}

int main() {
  const shoal::Queue<Ranked> output(shoal::Segment::anonymous(), "output");
  std::vector<shoal::Process> processes;
  for (unsigned rank = 0; rank < 16; ++rank) processes.emplace_back(rand_string, 5, rank, output);
  for (shoal::Process& process : processes) process.start();
  for (shoal::Process& process : processes) process.join();
  std::vector<Ranked> results;
  while (const auto result = output.try_pop()) results.push_back(*result);
  std::sort(results.begin(), results.end());
  std::cout << "results:";
  for (const auto& [rank, text] : results) std::cout << ' ' << text;
  std::cout << '\n';
}
