// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "harness.hpp"
#include "near.hpp"

namespace bench {

// Where the two cores are on which most is measured: near each other, so that they share a cache, or
// apart. Of a virtual machine's cores the host decides that, anew every few seconds, and all that is
// passed between processes takes three to six times as long where they are apart. So a measurement
// begins with the cores near each other, where that can be had, and is made again where they were
// not at its end.
class Placement {
 public:
  explicit Placement(unsigned cores);

  // The sample, and in it how far apart the cores were when it ended.
  Sample measure(const Contender& contender, bool again);
  // At the end of the last one.
  [[nodiscard]] bool is_near() const { return line_ns_ <= kNear; }

 private:
  using Clock = std::chrono::steady_clock;

  void look();
  // Processes that wake each other are brought together by the host, sooner or later.
  void bring_together();

  const bool is_given_;  // there is a choice
  double line_ns_ = 0;
  Clock::time_point in_vain_until_{};  // it has not helped: no more of it before then
};

}  // namespace bench
