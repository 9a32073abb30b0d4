// SPDX-License-Identifier: MIT
#include "shoal/codec.hpp"

#include "shoal/error.hpp"

namespace shoal {

void Reader::fail(const char* why) {
  throw Corrupted("bytes that do not decode as their reader's type: " + std::string(why));
}

}  // namespace shoal
