// SPDX-License-Identifier: MIT
//
// Shows:    a process for each of sixteen random strings; all push into one Queue, from
//           which the parent gathers them. Text goes through a Queue as it is.
// Look for: sixteen strings, in the order in which they arrived, which is nobody's: run it
//           twice. queues/rank_order.cpp puts them into order.

#include <iostream>
#include <random>
#include <shoal/shoal.hpp>
#include <string>
#include <string_view>
#include <vector>

void rand_string(int length, unsigned seed, const shoal::Queue<std::string>& output) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::mt19937 random(seed);  // each its own: else all would make the same string
  std::string text;
  for (int i = 0; i < length; ++i) text += kLetters[random() % kLetters.size()];
  output.push(text);
}

int main() {
  const shoal::Queue<std::string> output(shoal::Segment::anonymous(), "output");
  std::vector<shoal::Process> processes;
  for (unsigned seed = 0; seed < 16; ++seed) processes.emplace_back(rand_string, 5, seed, output);
  for (shoal::Process& process : processes) process.start();
  for (shoal::Process& process : processes) process.join();
  std::cout << "results:";
  for (std::size_t i = 0; i < processes.size(); ++i) std::cout << ' ' << output.pop();
  std::cout << '\n';
}
