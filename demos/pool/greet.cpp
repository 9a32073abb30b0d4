// SPDX-License-Identifier: MIT
//
// Shows:    seven greetings by three processes. A process for each, as in
//           processes/greet.cpp, would start four more than are needed.
// Look for: three process ids at most, and "Done!" at the very end: map() returns when
//           all have been greeted.

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <shoal/shoal.hpp>
#include <string>
#include <thread>
#include <vector>

void greeter(const std::string& name) {
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // some work
  std::cout << "Process " << ::getpid() << ": Hello " << name << '!' << std::endl;
}

int main() {
  const std::vector<std::string> names = {"Jenna", "David", "Marry", "Ted",
                                          "Jerry", "Tom",   "Justin"};
  shoal::Pool pool(3);
  pool.map(greeter, names);
  std::cout << "Done!\n";
}
