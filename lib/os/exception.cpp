// SPDX-License-Identifier: MIT
#include "os/exception.hpp"

#include <cxxabi.h>

#include <boost/core/demangle.hpp>
#include <exception>
#include <typeinfo>

namespace shoal::os {
namespace {

std::string what() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (const std::string& text) {
    return text;
  } catch (const char* text) {
    return text;
  } catch (...) {
    return "an exception that says nothing";
  }
}

}  // namespace

Caught caught() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  return {type ? boost::core::demangle(type->name()) : "a foreign exception", what()};
}

}  // namespace shoal::os
