// SPDX-License-Identifier: MIT
//
// Shows:    what a function returns in another process is gone with that process:
//           only its exit code comes back, and that tells whether all went well.
// Look for: exit code 0, not 42. A result goes through a Queue, as in queues/result.cpp;
//           or use a Pool, which does that for you.

#include <iostream>
#include <shoal/shoal.hpp>

int answer() {
  return 42;  // to nobody
}

int main() {
  shoal::Process process(answer);
  process.start();
  process.join();
  std::cout << "exit code: " << process.exit_code().value() << '\n';
}
