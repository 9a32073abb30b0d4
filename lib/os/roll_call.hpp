// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "os/child.hpp"
#include "shoal/detail/deadline.hpp"

// Children that have children.
namespace shoal::os {

// Tells when the last of several processes has ended: those who have answered, and whom they forked
// before they kept it to themselves.
class RollCall {
 public:
  RollCall();  // throws std::system_error
  RollCall(const RollCall&) = delete;
  RollCall& operator=(const RollCall&) = delete;
  ~RollCall();

  // Children that are forked while this is there may answer.
  [[nodiscard]] PassOn pass_on() const { return PassOn(writing_); }
  // Called by the process that made it, once these have been forked: it does not count itself.
  void begin();
  // Called by one of those who count: its own children do not.
  void keep_to_itself() const;
  // False at the deadline.
  [[nodiscard]] bool all_gone_by(detail::Deadline deadline) const;

 private:
  int reading_ = -1;
  int writing_ = -1;
};

// This process leads a group of its own from here on, to which Ctrl-C is not sent, and waits for its
// children by wait_for_child().
void become_foreman();

// A child that has signals as they are by default, but for Ctrl-C, which it ignores. -1: there could
// be none.
std::int32_t fork_worker(const std::function<int()>& body);

struct Ended {
  std::int32_t pid;
  std::int32_t signal;  // 0: it has left
  std::int32_t status;
};
// Nothing when the time is over, or something else has happened.
std::optional<Ended> wait_for_child(std::int64_t nanoseconds);

}  // namespace shoal::os
