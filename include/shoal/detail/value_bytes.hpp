// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "shoal/detail/bits.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/detail/value_word.hpp"
#include "shoal/open.hpp"

namespace shoal::detail {

// Where the bytes of a T are, behind its ValueWord.
struct ValueShape {
  std::size_t size;
  std::size_t alignment;

  [[nodiscard]] constexpr std::size_t data_at() const {
    return round_up(sizeof(ValueWord), line());
  }
  // From one copy to the next: copies are moved by whole words.
  [[nodiscard]] constexpr std::size_t stride() const {
    return round_up(size, std::max<std::size_t>(alignment, sizeof(std::uint64_t)));
  }
  [[nodiscard]] constexpr std::size_t bytes() const {
    return round_up(data_at() + (is_small(size) ? 1 : 2) * stride(), line());
  }

 private:
  [[nodiscard]] constexpr std::size_t line() const { return std::max<std::size_t>(alignment, 64); }
  static constexpr std::size_t round_up(std::size_t value, std::size_t to) {
    return (value + to - 1) / to * to;
  }
};

// `initial`: the bytes of a T, or nullptr for zeros.
OpenedObject open_value(const Segment& segment, std::string_view name, const ValueShape& shape,
                        std::string_view type, const void* initial, Open open);

// A private copy of a large T's bytes, moved word by word: another process may be writing there,
// which is found out afterwards. V1 -> V2 in value_word.hpp holds word by word too: who reads a
// word of a later version (acquire; the writer's is a release) then sees that version.
template <std::size_t Size, std::size_t Alignment>
class Bytes {
 public:
  void copy_from_shared(std::byte* from) {
    auto* const shared = reinterpret_cast<std::uint64_t*>(from);
    for (std::size_t i = 0; i < kWords; ++i) {
      const std::uint64_t word = std::atomic_ref(shared[i]).load(std::memory_order_acquire);
      std::memcpy(bytes_ + i * sizeof word, &word, sizeof word);
    }
  }
  void copy_to_shared(std::byte* to) const {
    auto* const shared = reinterpret_cast<std::uint64_t*>(to);
    for (std::size_t i = 0; i < kWords; ++i) {
      std::uint64_t word;
      std::memcpy(&word, bytes_ + i * sizeof word, sizeof word);
      std::atomic_ref(shared[i]).store(word, std::memory_order_release);
    }
  }
  template <class T>
  T& as() {
    return *reinterpret_cast<T*>(bytes_);
  }

 private:
  static constexpr std::size_t kWords = (Size + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
  alignas(std::max(Alignment,
                   alignof(std::uint64_t))) std::byte bytes_[kWords * sizeof(std::uint64_t)];
};

}  // namespace shoal::detail
