// SPDX-License-Identifier: MIT
//
// Shows:    how many processes can run at the same moment: as many as there are CPUs
//           that this program may use. A Pool starts so many if not told otherwise.
// Look for: the second number is smaller where two logical CPUs share one physical core;
//           heavy computing gains little from the difference.

#include <iostream>
#include <shoal/shoal.hpp>

int main() {
  std::cout << "Logical cores:  " << shoal::cpu_count() << '\n'
            << "Physical cores: " << shoal::physical_cpu_count() << '\n';
}
