// SPDX-License-Identifier: MIT
#include "os/cpu.hpp"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace shoal::os {

bool register_for_membarrier() {
  return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
}

bool membarrier() { return ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0; }

void yield() { ::sched_yield(); }

void nap(std::int64_t nanoseconds) {
  const timespec time{static_cast<time_t>(nanoseconds / 1'000'000'000),
                      static_cast<long>(nanoseconds % 1'000'000'000)};
  const int saved = errno;
  ::nanosleep(&time, nullptr);
  errno = saved;
}

unsigned this_cpu() { return static_cast<unsigned>(::sched_getcpu()); }

}  // namespace shoal::os
