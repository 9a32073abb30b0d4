// SPDX-License-Identifier: MIT
#pragma once

// A Gate is opened once, by any process, and lets every process through that waits for it.
//
//   Gate holding;
//   Child holder([&] { lock.lock(); holding.open(); return sleep_forever(); });
//   holding.wait();
//
// wait() throws where nobody opens the gate in time. It yields instead of sleeping, so that a child
// that Child::wait_until_asleep() reports asleep sleeps in the code under test and not in here.
//
// Memory ordering: what was done before open() is visible after wait(), or once is_open() is true.

#include <sched.h>

#include <atomic>
#include <chrono>
#include <stdexcept>

#include "support/patience.hpp"
#include "support/shared.hpp"

namespace shoal_test {

class Gate {
 public:
  void open() const { open_->store(true, std::memory_order_release); }
  bool is_open() const { return open_->load(std::memory_order_acquire); }

  void wait(std::chrono::milliseconds deadline = std::chrono::seconds(10)) const {
    const auto end = Clock::now() + patient(deadline);
    while (!is_open()) {
      if (Clock::now() > end) throw std::runtime_error("nobody opened the gate");
      ::sched_yield();
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  Shared<std::atomic<bool>> open_;
};

}  // namespace shoal_test
