// SPDX-License-Identifier: MIT
#include "machine.hpp"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

namespace bench {
namespace {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  return "an unnamed processor";
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

double used_by(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// All time that processors were busy, but for this process's and its children's.
double used_by_others() {
  std::ifstream file("/proc/stat");
  std::string label;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, interrupts = 0, soft = 0,
         stolen = 0;
  file >> label >> user >> nice >> system >> idle >> waiting >> interrupts >> soft >> stolen;
  const double ticks = user + nice + system + interrupts + soft + stolen;
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)) - used_by(RUSAGE_SELF) -
         used_by(RUSAGE_CHILDREN);
}

}  // namespace

Machine this_machine() {
  utsname system{};
  ::uname(&system);
#ifdef __clang__
  const std::string compiler = "clang " __clang_version__;
#else
  const std::string compiler = "g++ " __VERSION__;
#endif
  const std::string release = system.release;  // what comes after a - names who built it
  return {processor_name(),
          std::string(system.sysname) + " " + release.substr(0, release.find('-')), compiler,
          std::thread::hardware_concurrency()};
}

Others::Others() : begin_(std::chrono::steady_clock::now()), used_(used_by_others()) {}

double Others::cores() const {
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin_;
  return std::max(0.0, (used_by_others() - used_) / std::max(time.count(), 1e-3));
}

}  // namespace bench
