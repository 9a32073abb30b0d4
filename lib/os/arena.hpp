// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace shoal::os {

// Memory that this process shares with its forked children and theirs, at the same address in all of
// them. It is address space: memory comes as it is touched, zeroed, and goes by discard(). It has no
// name, and is gone with the last of them.
class Arena {
 public:
  static constexpr std::size_t kPage = 4096;

  // As much as there may be, between the two, both powers of two. Throws std::system_error.
  Arena(std::size_t least, std::size_t most);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  // Whole pages; they read as zeros then.
  void discard(std::size_t offset, std::size_t length) const;

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Whether there is memory of this process at that address.
bool is_mapped(std::uintptr_t address);

}  // namespace shoal::os
