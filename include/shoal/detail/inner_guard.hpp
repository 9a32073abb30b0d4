// SPDX-License-Identifier: MIT
#pragma once

#include "shoal/error.hpp"

namespace shoal::detail {

// Holds a lock that is part of another object. Where that has been written over meanwhile, there is
// nothing to give back; an exception, from a destructor, would end the process.
template <class Lock>
class InnerGuard {
 public:
  explicit InnerGuard(const Lock& lock) : lock_(lock) { lock_.lock(); }
  InnerGuard(const InnerGuard&) = delete;
  InnerGuard& operator=(const InnerGuard&) = delete;
  ~InnerGuard() {
    try {
      lock_.unlock();
    } catch (const NotOwner&) {
    }
  }

 private:
  const Lock& lock_;
};

}  // namespace shoal::detail
