// SPDX-License-Identifier: MIT
#include "os/cpu.hpp"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace shoal::os {

bool register_for_membarrier() {
  return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
}

bool membarrier() { return ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0; }

void yield() { ::sched_yield(); }

int this_cpu() {
  const int saved = errno;
  const int cpu = ::sched_getcpu();
  errno = saved;
  return cpu;
}

}  // namespace shoal::os
