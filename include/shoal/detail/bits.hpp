// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace shoal::detail {

// Whether a T fits an atomic.
constexpr bool is_small(std::size_t size) {
  return size == 1 || size == 2 || size == 4 || size == 8;
}

// The number of the same size; something else where T is not small.
template <class T>
using BitsOf = std::conditional_t<
    sizeof(T) == 1, std::uint8_t,
    std::conditional_t<sizeof(T) == 2, std::uint16_t,
                       std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>>;

// By memcpy and not by bit_cast: T may have padding.
template <class T>
T from_bits(BitsOf<T> bits) {
  union Room {
    Room() {}  // NOLINT: a T need not be default-constructible
    T value;
  } room;
  std::memcpy(static_cast<void*>(&room.value), &bits, sizeof(T));
  return room.value;
}
template <class T>
BitsOf<T> to_bits(const T& value) {
  BitsOf<T> bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

}  // namespace shoal::detail
