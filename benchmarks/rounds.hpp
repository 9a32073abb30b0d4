// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include "harness.hpp"
#include "placement.hpp"
#include "report.hpp"

namespace bench {

// Measures all contenders so many times. Rounds in which the cores were apart are made again, while
// they can be brought together; and where enough are left, they are left out. Calls begin(round)
// before each.
Result measure_rounds(const Case& what, int rounds, Placement& placement,
                      const std::function<void(int)>& begin);

}  // namespace bench
