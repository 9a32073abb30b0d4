// SPDX-License-Identifier: MIT
//
// Shows:    sixteen random strings, made one after the other: the program that the next
//           ones do in parallel. It is so little work that a process for each cannot pay.
// Look for: the time of a round, which is some microseconds. Starting one process takes
//           longer than all of it.

#include <chrono>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

std::string rand_string(int length, std::mt19937& random) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string text;
  for (int i = 0; i < length; ++i) text += kLetters[random() % kLetters.size()];
  return text;
}

int main() {
  std::mt19937 random(123);
  std::vector<std::string> strings;
  strings.reserve(16);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 16; ++i) strings.push_back(rand_string(5, random));
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begun;
  std::cout << "results:";
  for (const std::string& text : strings) std::cout << ' ' << text;
  std::cout << '\n' << strings.size() << " strings in " << took.count() << " microseconds\n";
}
