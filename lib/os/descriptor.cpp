// SPDX-License-Identifier: MIT
#include "os/descriptor.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace shoal::os {

void move_beyond_stderr(int& descriptor) {
  if (descriptor < 0 || descriptor > STDERR_FILENO) return;
  const int moved = ::fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (moved < 0) return;
  ::close(descriptor);
  descriptor = moved;
}

}  // namespace shoal::os
