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

  // Maps the same file through another description, at the same place. A mapping keeps the
  // description it was made of, and that keeps its locks: the child of a fork must let go of both.
  // False where there is no room.
  [[nodiscard]] bool remap(const File& file);

 private:
  std::unique_ptr<boost::interprocess::mapped_region> region_;
  std::byte* data_;
};

}  // namespace shoal::os
