// SPDX-License-Identifier: MIT
//
// Shows:    four workers take numbers from one Queue, and push squares into another. A -1
//           ends a worker, which confirms it by a -1 of its own.
// Look for: every number is squared once, by whoever is free; a large one takes longer. The
//           parent stops when all four have confirmed, and has all ten squares then.

#include <chrono>
#include <iostream>
#include <shoal/shoal.hpp>
#include <string>
#include <thread>
#include <vector>

using Numbers = shoal::Queue<int>;

void say(const std::string& name, const std::string& what) {
  std::cout << '[' << name << "] " << what << std::endl;
}

void calculate(const std::string& name, const Numbers& tasks, const Numbers& results) {
  say(name, "evaluation routine starts");
  for (int value = tasks.pop(); value >= 0; value = tasks.pop()) {
    std::this_thread::sleep_for(std::chrono::microseconds(50) * value);  // a long-running task
    say(name, "received value: " + std::to_string(value));
    say(name, "calculated value: " + std::to_string(value * value));
    results.push(value * value);
  }
  say(name, "evaluation routine quits");
  results.push(-1);
}

int main() {
  constexpr int kProcesses = 4;
  const auto segment = shoal::Segment::anonymous();
  const Numbers tasks(segment, "tasks");
  const Numbers results(segment, "results");
  std::vector<shoal::Process> processes;
  for (int i = 0; i < kProcesses; ++i)
    processes.emplace_back(calculate, "P" + std::to_string(i), tasks, results).start();

  for (const int task : {43, 1, 780, 256, 142, 68, 183, 334, 325, 3}) tasks.push(task);
  for (int i = 0; i < kProcesses; ++i) tasks.push(-1);

  int finished = 0;
  while (finished < kProcesses) {
    const int result = results.pop();
    if (result < 0)
      ++finished;
    else
      std::cout << "Result: " << result << std::endl;
  }
  std::cout << finished << " workers have confirmed their end\n";
}
