// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "spread.hpp"

namespace bench {

// Numbers as people read them: three digits, and the unit that fits.

std::string time_text(double ns);             // 9.09 ns
std::string time_text(const Spread& ns);      // 9.09 ns (9.08–10.6)
std::string times_text(double ratio);         // 0.50
std::string times_text(const Spread& ratio);  // 0.50 (0.43–0.53)
std::string round_time_text(double ns);       // 20 ns, without digits behind the point

}  // namespace bench
