// SPDX-License-Identifier: MIT
//
// Shows:    a Queue for each process, so that it is plain whose results are whose, without
//           a rank in each of them.
// Look for: the rows are in order, process by process, though the processes ran at the
//           same time. Each pushes three results, and takes its own time.

#include <chrono>
#include <iostream>
#include <shoal/shoal.hpp>
#include <string>
#include <thread>
#include <vector>

void parallel(const shoal::Queue<int>& results, int number) {
  std::this_thread::sleep_for(std::chrono::milliseconds(12 - 3 * number));
  for (int power = number; power <= number * number * number; power *= number) results.push(power);
}

int main() {
  const auto segment = shoal::Segment::anonymous();
  std::vector<shoal::Queue<int>> results;
  std::vector<shoal::Process> processes;
  for (const int number : {2, 3, 4}) {
    results.emplace_back(segment, "results." + std::to_string(number));
    processes.emplace_back(parallel, results.back(), number).start();
  }
  for (std::size_t i = 0; i < processes.size(); ++i) {
    processes[i].join();
    std::cout << "Process " << i << ':';
    while (const auto result = results[i].try_pop()) std::cout << ' ' << *result;
    std::cout << '\n';
  }
}
