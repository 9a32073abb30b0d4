// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "subject.hpp"

namespace shoal::stress {

// A file that is no plugin as <shoal/lock_plugin.h> describes it; what() says why.
struct BadPlugin : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A lock out of a shared library, which stays loaded.
struct Plugin {
  std::string name;
  std::unique_ptr<Subject> subject;
};
Plugin load_plugin(const std::string& file);  // throws BadPlugin

}  // namespace shoal::stress
