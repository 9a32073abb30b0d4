// SPDX-License-Identifier: MIT
#pragma once

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <stdexcept>

#include "harness.hpp"

namespace bench {

// File descriptors that cannot be found by name, and that all workers of a measurement are to have:
// the first worker makes them, the others get copies.
template <std::size_t kCount>
class Descriptors {
 public:
  // make() returns them; the first worker's are noted in the place's memory.
  template <class Make>
  Descriptors(const Place& place, bool first, Make make) {
    auto& noted = *static_cast<Noted*>(place.memory);
    if (first) {
      ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);  // else some systems let nobody copy them
      noted = {::getpid(), all_ = make()};
    } else {
      copy(noted);
    }
    for (const int descriptor : all_)
      if (descriptor < 0) throw std::runtime_error("cannot make, or copy, a file descriptor");
  }
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  ~Descriptors() {
    for (const int descriptor : all_) ::close(descriptor);
  }
  int operator[](std::size_t i) const { return all_[i]; }

 private:
  struct Noted {
    pid_t owner;
    std::array<int, kCount> all;
  };
  void copy(const Noted& noted) {
    const auto owner = static_cast<int>(::syscall(SYS_pidfd_open, noted.owner, 0));
    for (std::size_t i = 0; i < kCount; ++i)
      all_[i] = static_cast<int>(::syscall(SYS_pidfd_getfd, owner, noted.all[i], 0));
    ::close(owner);
  }
  std::array<int, kCount> all_{};
};

}  // namespace bench
