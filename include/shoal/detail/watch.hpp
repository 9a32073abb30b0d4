// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace shoal::detail {

// What wait_any() must know of an object. Any thread may ask, several at once.
class Watch {
 public:
  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  virtual ~Watch() = default;

  // The word on which those sleep who wait for the object; null where there is none, then it is
  // looked at again and again.
  virtual std::atomic<std::uint32_t>* sleepers() = 0;
  // Whether it looks ready. `closely`: with system calls, where these tell more.
  virtual bool is_ready(bool closely) = 0;
  // Whether a change wakes one of those who sleep, and not all: then who was woken, and takes
  // nothing, wakes the next.
  virtual bool wakes_one() const { return false; }
};

}  // namespace shoal::detail
