// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "harness.hpp"

namespace bench {

// Whether there is a python3 with multiprocessing.
bool has_python();

// Runs the script, which prints the nanoseconds of one operation; it must not contain a '.
Sample python(const std::string& script);

}  // namespace bench
