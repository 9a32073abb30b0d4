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

  // All at multiples of 8.
  [[nodiscard]] std::uint64_t header(std::uint64_t at) const {
    std::uint64_t header;
    std::memcpy(&header, word(at), kWord);
    return header;
  }
  void set_header(std::uint64_t at, std::uint64_t header) const {
    std::memcpy(word(at), &header, kWord);
  }

  // `size` is at most size(). The commonest one by one load and one store, for from a multiple of 8
  // on it is in one piece.
  void put(std::uint64_t at, const std::byte* from, std::uint64_t size) const {
    if (size == kWord) return copy_word(word(at), from);
    const std::uint64_t first = std::min(size, bytes_to_end(at));
    copy(place(at), from, first);
    if (first < size) copy(memory_, from + first, size - first);
  }
  void get(std::uint64_t at, std::byte* into, std::uint64_t size) const {
    if (size == kWord) return copy_word(into, word(at));
    const std::uint64_t first = std::min(size, bytes_to_end(at));
    copy(into, place(at), first);
    if (first < size) copy(into + first, memory_, size - first);
  }

 private:
  static constexpr std::uint64_t kWord = 8;

  [[nodiscard]] std::byte* word(std::uint64_t at) const { return place(at & ~(kWord - 1)); }
  [[nodiscard]] std::byte* place(std::uint64_t at) const { return memory_ + (at & mask_); }
  [[nodiscard]] std::uint64_t bytes_to_end(std::uint64_t at) const { return size() - (at & mask_); }
  static void copy(std::byte* into, const std::byte* from, std::uint64_t size) {
    if (size > 0) std::memcpy(into, from, size);
  }
  static void copy_word(std::byte* into, const std::byte* from) { std::memcpy(into, from, kWord); }

  std::byte* memory_;
  std::uint64_t mask_;
};

}  // namespace shoal::core
