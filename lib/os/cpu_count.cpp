// SPDX-License-Identifier: MIT
#include "os/cpu_count.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace shoal::os {
namespace {

// Its size grows until the kernel's own set fits.
std::vector<int> allowed_cpus() {
  constexpr int kMost = 1 << 20;
  for (int most = CPU_SETSIZE; most <= kMost; most *= 4) {
    const std::size_t size = CPU_ALLOC_SIZE(most);
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(most),
                                                               [](cpu_set_t* s) { CPU_FREE(s); });
    if (!set || ::sched_getaffinity(0, size, set.get()) != 0) continue;
    std::vector<int> cpus;
    for (int cpu = 0; cpu < most; ++cpu)
      if (CPU_ISSET_S(cpu, size, set.get())) cpus.push_back(cpu);
    return cpus;
  }
  return {0};
}

// The CPUs of the same core, as the kernel writes them; of a kernel that does not tell: nothing.
std::string siblings(int cpu) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                     "/topology/thread_siblings_list");
  std::string list;
  std::getline(file, list);
  return list.empty() ? "only " + std::to_string(cpu) : list;
}

}  // namespace

unsigned cpu_count() {
  return static_cast<unsigned>(std::max<std::size_t>(allowed_cpus().size(), 1));
}

unsigned core_count() {
  std::set<std::string> cores;
  for (const int cpu : allowed_cpus()) cores.insert(siblings(cpu));
  return static_cast<unsigned>(std::max<std::size_t>(cores.size(), 1));
}

}  // namespace shoal::os
