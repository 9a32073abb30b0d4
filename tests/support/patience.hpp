// SPDX-License-Identifier: MIT
#pragma once

// Deadlines of tests, stretched for slow builds.
//
// Under a sanitizer or an emulator set SHOAL_TEST_PATIENCE to a factor, such as 10: every deadline
// in these tests is multiplied by it. Factors below 1 count as 1.

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace shoal_test {

inline std::chrono::milliseconds patient(std::chrono::milliseconds time) {
  static const double factor = [] {
    const char* text = std::getenv("SHOAL_TEST_PATIENCE");
    return text == nullptr ? 1.0 : std::max(1.0, std::strtod(text, nullptr));
  }();
  return std::chrono::milliseconds(
      static_cast<std::chrono::milliseconds::rep>(static_cast<double>(time.count()) * factor));
}

}  // namespace shoal_test
