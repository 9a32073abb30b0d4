// SPDX-License-Identifier: MIT
#pragma once

#include <cstdlib>

namespace shoal_test {

// Everything, for minutes? Else a selection, for a moment.
inline bool full_programme() { return std::getenv("SHOAL_TEST_FULL") != nullptr; }

}  // namespace shoal_test
