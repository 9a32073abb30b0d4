// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace shoal_test {

// Where in the program that is: "file+0x1234", as addr2line wants it, and the function if the
// dynamic symbols tell. Forked processes share their parent's addresses.
std::string symbol_at(std::uintptr_t address);

}  // namespace shoal_test
