// SPDX-License-Identifier: MIT
#pragma once

// What children say instead of asserting; see child.hpp.

#include <exception>
#include <iostream>

namespace shoal_test {

// Whether it throws that, and nothing else.
template <class Expected, class F>
bool throws(F body) {
  try {
    body();
  } catch (const Expected&) {
    return true;
  } catch (const std::exception& other) {
    std::cerr << "threw something else: " << other.what() << '\n';
  }
  return false;
}

}  // namespace shoal_test
