// SPDX-License-Identifier: MIT
//
// Shows:    another program as a Process: how much room is left on the disk, as told by
//           df(1). Its output goes where this program's goes.
// Look for: the exit code after the table. 0 says that df was content; -N would say that
//           signal N ended it.

#include <iostream>
#include <shoal/shoal.hpp>

int main() {
  shoal::Process df = shoal::Process::program({"df", "-h", "/"});
  df.start();
  df.join();
  std::cout << "exit code: " << df.exit_code().value() << '\n';
}
