// SPDX-License-Identifier: MIT
//
// Shows:    a process gives a result back: it pushes it into a Queue, and the one that
//           started it pops it.
// Look for: 42 arrives, also after the process that sent it has ended: the Queue is in
//           shared memory, not in the process.

#include <iostream>
#include <shoal/shoal.hpp>

void task(const shoal::Queue<int>& queue) { queue.push(42); }

int main() {
  const shoal::Queue<int> queue(shoal::Segment::anonymous(), "results");
  shoal::Process process(task, queue);
  process.start();
  process.join();
  std::cout << "Received value = " << queue.pop() << '\n';
}
