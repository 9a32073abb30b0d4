// SPDX-License-Identifier: MIT
#pragma once

// The name of a segment for one test: no other test and no earlier run has had it. The segment's
// file goes with it.
//
//   TempName name;
//   shoal::Segment segment(name);
//
// Only the process that made the name removes the file, whatever its forked children destroy.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

namespace shoal_test {

class TempName {
 public:
  TempName() : maker_(::getpid()), name_(fresh(maker_)) {}
  ~TempName() {
    if (::getpid() == maker_) ::unlink(path().c_str());
  }
  TempName(const TempName&) = delete;
  TempName& operator=(const TempName&) = delete;

  operator std::string_view() const { return name_; }
  const std::string& str() const { return name_; }
  std::string path() const { return "/dev/shm/shoal." + name_; }  // where the segment's file is

 private:
  static std::string fresh(pid_t maker) {
    static std::atomic<unsigned> count{0};
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    return "test." + std::to_string(maker) + "." + std::to_string(now) + "." +
           std::to_string(count++);
  }

  pid_t maker_;
  std::string name_;
};

}  // namespace shoal_test
