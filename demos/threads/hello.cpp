// SPDX-License-Identifier: MIT
//
// Shows:    five threads, each running the same function with a number of its own.
//           Threads come with the standard library; what they share needs no shoal.
// Look for: all five greet, in whatever order they get there. Each line comes out whole,
//           for std::osyncstream lets one thread write at a time.

#include <iostream>
#include <syncstream>
#include <thread>
#include <vector>

void hello_thread(int number) {
  std::osyncstream(std::cout) << "Hello from Thread " << number << '\n';
}

int main() {
  std::vector<std::jthread> threads;
  for (const int number : {0, 1, 2, 3, 4}) threads.emplace_back(hello_thread, number);
}
