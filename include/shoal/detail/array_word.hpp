// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

#include "shoal/detail/lock_word.hpp"
#include "shoal/detail/object.hpp"

namespace shoal::detail {

// An array in shared memory: this, room for one T, then the elements, one behind the other.
//
//   lock      get_lock(): the users'
//   writer    inner, of the inherit kind: guards stores and loads of elements too large for an
//             atomic, and what follows
//   pending   0; or 1 + the index of the element that the room's T is being copied to. Who inherits
//             `writer` finds it, and copies again: a store is whole, or has not been
struct ArrayWord {
  LockWord lock;
  LockWord writer;
  std::atomic<std::uint64_t> pending;
  std::uint64_t reserved[7];
};
static_assert(std::is_standard_layout_v<ArrayWord>);
static_assert(sizeof(ArrayWord) == 320 && offsetof(ArrayWord, pending) == 256, "docs/format.md");

// Where the bytes are, behind the ArrayWord.
struct ArrayShape {
  std::size_t size;  // of T
  std::size_t alignment;

  [[nodiscard]] constexpr std::size_t room_at() const { return up(sizeof(ArrayWord)); }
  [[nodiscard]] constexpr std::size_t data_at() const { return up(room_at() + size); }
  [[nodiscard]] constexpr std::size_t bytes(std::size_t count) const {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 2;
    return count > (most - data_at()) / size ? most : data_at() + count * size;
  }
  [[nodiscard]] constexpr std::size_t count(std::size_t bytes) const {
    return (bytes - data_at()) / size;
  }

 private:
  [[nodiscard]] constexpr std::size_t up(std::size_t value) const {
    const std::size_t line = std::max<std::size_t>(alignment, 64);
    return (value + line - 1) / line * line;
  }
};

// Of so many elements; nothing for `count`: as many as there are.
OpenedObject open_array(const Segment& segment, std::string_view name, const ArrayShape& shape,
                        std::string_view type, std::optional<std::size_t> count, Open open);

[[noreturn]] void throw_out_of_range(std::size_t index, std::size_t size);

}  // namespace shoal::detail
