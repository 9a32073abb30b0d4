// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace shoal::stress {

// How participants are called.
inline std::string name_of(unsigned index) { return "P" + std::to_string(index); }

// To a list of names: "P0, P3".
inline void add_name(std::string& names, unsigned index) {
  names += (names.empty() ? "" : ", ") + name_of(index);
}

}  // namespace shoal::stress
