// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <compare>
#include <concepts>
#include <cstddef>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "shoal/type_name.hpp"

namespace shoal {

// Text of at most N bytes that may live in a Value, an Array or a Queue:
//
//   shoal::Value<shoal::FixedString<32>> name(segment, "name", "James");
//   name.store("Larry");
//   std::cout << name.load();
//
// It holds no zero bytes. Text that is longer than N bytes throws std::length_error, text with a
// zero byte in it std::invalid_argument: nothing is ever cut off.
template <std::size_t N>
struct FixedString {
  constexpr FixedString() = default;
  constexpr FixedString(std::string_view text) {  // NOLINT: implicit, as std::string's from text
    if (text.size() > N) throw std::length_error("shoal::FixedString: text longer than its room");
    if (text.find('\0') != std::string_view::npos)
      throw std::invalid_argument("shoal::FixedString: text with a zero byte");
    std::copy(text.begin(), text.end(), bytes);
  }
  constexpr FixedString(const char* text) : FixedString(std::string_view(text)) {}  // NOLINT
  FixedString(const std::string& text) : FixedString(std::string_view(text)) {}     // NOLINT

  [[nodiscard]] constexpr std::string_view view() const {
    return {bytes, static_cast<std::size_t>(std::find(bytes, bytes + N, '\0') - bytes)};
  }
  [[nodiscard]] std::string str() const { return std::string(view()); }
  [[nodiscard]] constexpr const char* c_str() const { return bytes; }
  [[nodiscard]] constexpr std::size_t size() const { return view().size(); }
  [[nodiscard]] constexpr bool empty() const { return bytes[0] == '\0'; }
  [[nodiscard]] static constexpr std::size_t capacity() { return N; }
  constexpr operator std::string_view() const { return view(); }  // NOLINT

  // With text of any kind, spelled out: it converts both ways.
  friend constexpr bool operator==(const FixedString& a, const FixedString& b) {
    return a.view() == b.view();
  }
  friend constexpr auto operator<=>(const FixedString& a, const FixedString& b) {
    return a.view() <=> b.view();
  }
  template <class Text>
  requires std::convertible_to<const Text&, std::string_view>
  friend constexpr bool operator==(const FixedString& a, const Text& b) {
    return a.view() == std::string_view(b);
  }
  template <class Text>
  requires std::convertible_to<const Text&, std::string_view>
  friend constexpr auto operator<=>(const FixedString& a, const Text& b) {
    return a.view() <=> std::string_view(b);
  }
  friend std::ostream& operator<<(std::ostream& out, const FixedString& text) {
    return out << text.view();
  }

  // Zero after the text, and one zero more: equal texts have equal bytes. Public, so that the type
  // is structural and its layout plain; use the members above.
  char bytes[N + 1] = {};
};

namespace detail {

// "text" and a number in decimal digits, spelled alike by every compiler.
struct TextName {
  char text[28] = {'t', 'e', 'x', 't'};
  std::size_t size = 4;
};
constexpr TextName text_name(std::size_t room) {
  TextName name;
  std::size_t scale = 1;
  while (room / scale >= 10) scale *= 10;
  for (; scale > 0; scale /= 10)
    name.text[name.size++] = static_cast<char>('0' + room / scale % 10);
  return name;
}
template <std::size_t N>
inline constexpr TextName kTextName = text_name(N);

}  // namespace detail

template <std::size_t N>
struct TypeName<FixedString<N>> {
  static constexpr std::string_view value{detail::kTextName<N>.text, detail::kTextName<N>.size};
};

}  // namespace shoal
