// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace shoal::os {

// Of the exception that is being handled, whatever it is: its type, as it is written in a program,
// and its what().
struct Caught {
  std::string type;
  std::string what;
};
Caught caught();

}  // namespace shoal::os
