// SPDX-License-Identifier: MIT
#include "support/symbol.hpp"

#include <cxxabi.h>
#include <dlfcn.h>

#include <bit>
#include <cstdlib>
#include <memory>
#include <sstream>

namespace shoal_test {
namespace {

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
  return status == 0 ? text.get() : name;
}

}  // namespace

std::string symbol_at(std::uintptr_t address) {
  std::ostringstream text;
  Dl_info info{};
  if (::dladdr(std::bit_cast<void*>(address), &info) == 0) {
    text << std::showbase << std::hex << address;
    return text.str();
  }
  const auto base = reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  text << info.dli_fname << "+0x" << std::hex << address - base;
  if (info.dli_sname != nullptr) text << " (" << demangled(info.dli_sname) << ")";
  return text.str();
}

}  // namespace shoal_test
