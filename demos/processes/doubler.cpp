// SPDX-License-Identifier: MIT
//
// Shows:    a process for each number, which doubles it and prints what came out.
//           Each could as well run another function.
// Look for: five process ids. The results are printed, but the program that started the
//           processes has none of them: see queues/result.cpp, and pool/map.cpp.

#include <unistd.h>

#include <iostream>
#include <shoal/shoal.hpp>
#include <vector>

void doubler(int number) {
  std::cout << number << " doubled to " << number * 2 << " by process id: " << ::getpid() << '\n';
}

int main() {
  std::vector<shoal::Process> processes;
  for (const int number : {5, 10, 15, 20, 25}) processes.emplace_back(doubler, number).start();
  for (shoal::Process& process : processes) process.join();
}
