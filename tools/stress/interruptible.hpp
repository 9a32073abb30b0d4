// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>

namespace shoal::stress {

// While one is there, Ctrl-C and its kin (SIGINT, SIGTERM, SIGHUP) do not end the process: they are
// noted. One at a time.
class Interruptible {
 public:
  Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  ~Interruptible();

  static int signal();  // the last one that came, or 0
  // In a forked child: a terminal sends Ctrl-C to all, and its parent is who deals with it.
  static void ignore();

 private:
  struct sigaction old_[3];
};

}  // namespace shoal::stress
