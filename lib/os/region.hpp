// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>

#include "os/file.hpp"

namespace boost::interprocess {
class mapped_region;
}

namespace shoal::os {

// A file mapped whole into this process, readable and writable, shared.
class Region {
 public:
  // Throws std::system_error where there is no room for it.
  Region(const File& file, std::size_t size);
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region();

  [[nodiscard]] std::byte* data() const { return data_; }

 private:
  std::unique_ptr<boost::interprocess::mapped_region> region_;
  std::byte* data_;
};

}  // namespace shoal::os
