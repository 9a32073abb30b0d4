// SPDX-License-Identifier: MIT
//
// Shows:    the output of another program, caught in a pipe instead of printed, and its
//           return code. Boost.Process does it: shoal has no need to.
// Look for: the return code is printed first, though df wrote its table before it ended:
//           this program has it all, and does with it what it likes.

#include <boost/process/child.hpp>
#include <boost/process/io.hpp>
#include <boost/process/pipe.hpp>
#include <iostream>
#include <iterator>
#include <string>

int main() {
  boost::process::ipstream pipe;
  boost::process::child df("df -h /", boost::process::std_out > pipe);
  const std::string output(std::istreambuf_iterator<char>(pipe), {});
  df.wait();
  std::cout << "Return code: " << df.exit_code() << "\nOutput data:\n" << output;
}
