// SPDX-License-Identifier: MIT
//
// Shows:    pool/greet.cpp once more, with map_async(): it returns at once, and the
//           greetings follow while the program goes on.
// Look for: "Done!" comes first; the greeters wait for it here, and would wait for ever if
//           map_async() did. Without wait(), the Pool would end before the greetings.

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <shoal/shoal.hpp>
#include <string>
#include <thread>
#include <vector>

int main() {
  const std::vector<std::string> names = {"Jenna", "David", "Marry", "Ted",
                                          "Jerry", "Tom",   "Justin"};
  const shoal::Event said(shoal::Segment::anonymous(), "said");
  const auto greeter = [said](const std::string& name) {
    said.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // some work
    std::cout << "Process " << ::getpid() << ": Hello " << name << '!' << std::endl;
  };
  shoal::Pool pool(3);
  auto greetings = pool.map_async(greeter, names);
  std::cout << "Done!" << std::endl;
  said.set();
  greetings.wait();
}
