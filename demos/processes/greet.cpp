// SPDX-License-Identifier: MIT
//
// Shows:    four processes, each running the same function with a name of its own.
//           start() begins one and goes on at once; join() waits for its end.
// Look for: four process ids, one for each greeting: these are four programs to the system.
//           The order is whichever comes first.

#include <unistd.h>

#include <iostream>
#include <shoal/shoal.hpp>
#include <string>
#include <vector>

void greeter(const std::string& name) {
  std::cout << "Process " << ::getpid() << ": Hello " << name << "!\n";
}

int main() {
  std::vector<shoal::Process> processes;
  for (const std::string name : {"Harry", "George", "Dirk", "David"})
    processes.emplace_back(greeter, name).start();
  for (shoal::Process& process : processes) process.join();
}
