// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace shoal::core {

// A ring of bytes in memory, its size a power of two. Positions count up for ever; wherever they
// point, nothing outside of the ring is touched.
class ByteRing {
 public:
  ByteRing(std::byte* memory, std::uint64_t size) : memory_(memory), mask_(size - 1) {}

  [[nodiscard]] std::uint64_t size() const { return mask_ + 1; }

  // At a multiple of 8.
  [[nodiscard]] std::uint64_t header(std::uint64_t at) const {
    std::uint64_t word;
    std::memcpy(&word, place(at & ~std::uint64_t{7}), sizeof word);
    return word;
  }
  void set_header(std::uint64_t at, std::uint64_t word) const {
    std::memcpy(place(at & ~std::uint64_t{7}), &word, sizeof word);
  }

  // `size` is at most size().
  void put(std::uint64_t at, const std::byte* from, std::uint64_t size) const {
    const std::uint64_t first = std::min(size, bytes_to_end(at));
    copy(place(at), from, first);
    if (first < size) copy(memory_, from + first, size - first);
  }
  void get(std::uint64_t at, std::byte* into, std::uint64_t size) const {
    const std::uint64_t first = std::min(size, bytes_to_end(at));
    copy(into, place(at), first);
    if (first < size) copy(into + first, memory_, size - first);
  }

 private:
  [[nodiscard]] std::byte* place(std::uint64_t at) const { return memory_ + (at & mask_); }
  [[nodiscard]] std::uint64_t bytes_to_end(std::uint64_t at) const { return size() - (at & mask_); }
  // The commonest message by one load and one store instead of a call.
  static void copy(std::byte* into, const std::byte* from, std::uint64_t size) {
    if (size == 8)
      std::memcpy(into, from, 8);
    else if (size > 0)
      std::memcpy(into, from, size);
  }

  std::byte* memory_;
  std::uint64_t mask_;
};

}  // namespace shoal::core
