// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "shoal/shareable.hpp"

namespace shoal {

// How a T becomes bytes, and bytes a T again: what a Queue or a Connection carries. Shareable types
// go as the bytes they are; std::string, vector, pair, tuple, optional, variant, array, map, set
// and their unordered kin as their contents, to any depth. For a type of your own:
//
//   template <> struct shoal::Codec<Order> {
//     static void write(Writer& to, const Order& order) { to.write(order.customer, order.lines); }
//     static Order read(Reader& from) {
//       auto customer = from.read<std::string>();
//       return {customer, from.read<std::vector<Line>>()};
//     }
//   };
//
// read() must take from the Reader, in the same order, all that write() gave to the Writer, and
// write() must write something: a container of things without a byte does not decode. Both sides
// must be built with the same codec: bytes carry no types.
template <class T>
struct Codec;

class Writer;
class Reader;

// What a Queue or a Connection can carry.
template <class T>
concept Transferable = requires(Writer& to, Reader& from, const T& value) {
  Codec<T>::write(to, value);
  { Codec<T>::read(from) } -> std::same_as<T>;
};

// Appends to a buffer.
class Writer {
 public:
  explicit Writer(std::vector<std::byte>& buffer) : buffer_(&buffer) {}

  // One after the other, each by its Codec.
  template <Transferable... T>
  void write(const T&... values) {
    (Codec<T>::write(*this, values), ...);
  }
  void bytes(const void* from, std::size_t size) {
    const auto* begin = static_cast<const std::byte*>(from);
    buffer_->insert(buffer_->end(), begin, begin + size);
  }
  // How many elements follow.
  void count(std::size_t elements) {
    const std::uint64_t fixed_width = elements;
    bytes(&fixed_width, sizeof fixed_width);
  }

 private:
  std::vector<std::byte>* buffer_;
};

// Reads from bytes that may be anything: what is not there, or cannot be, throws Corrupted, and
// nothing is allocated for elements whose bytes are not there.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> from) : left_(from) {}

  template <Transferable T>
  [[nodiscard]] T read() {
    return Codec<T>::read(*this);
  }
  void bytes(void* into, std::size_t size) {
    const std::span<const std::byte> taken = take(size);
    if (size > 0) std::memcpy(into, taken.data(), size);
  }
  // The next bytes where they are.
  [[nodiscard]] std::span<const std::byte> take(std::size_t size) {
    if (size > left_.size()) fail("it ends too early");
    const std::span<const std::byte> taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }
  // What Writer::count() wrote, of elements that take at least so many bytes each.
  [[nodiscard]] std::size_t count(std::size_t bytes_each = 1) {
    std::uint64_t elements = 0;
    bytes(&elements, sizeof elements);
    if (elements > left_.size() / bytes_each) fail("it counts more elements than it has bytes for");
    return static_cast<std::size_t>(elements);
  }
  // How many bytes there are still.
  [[nodiscard]] std::size_t left() const { return left_.size(); }
  // Throws Corrupted if that is not 0.
  void finish() const {
    if (!left_.empty()) fail("it goes on after its end");
  }
  // Throws Corrupted: for a Codec that reads what cannot be.
  [[noreturn]] static void fail(const char* why);

 private:
  std::span<const std::byte> left_;
};

// As the bytes they are.
template <Shareable T>
struct Codec<T> {
  static constexpr bool kAsBytes = true;
  static void write(Writer& to, const T& value) { to.bytes(&value, sizeof(T)); }
  static T read(Reader& from) {
    std::array<std::byte, sizeof(T)> room;  // T need not have a default constructor
    from.bytes(room.data(), room.size());
    return std::bit_cast<T>(room);
  }
};

namespace detail {

template <class T>
concept WrittenAsBytes = Transferable<T> && requires {
  requires Codec<T>::kAsBytes;
};

// Of anything that can be walked through and inserted into.
template <class Container, class Element>
struct ContainerCodec {
  static void write(Writer& to, const Container& container) {
    to.count(container.size());
    for (const auto& element : container) write_element(to, element);
  }
  static Container read(Reader& from) {
    Container container;
    for (std::size_t left = from.count(); left > 0; --left)
      container.insert(container.end(), from.read<Element>());
    return container;
  }

 private:
  static void write_element(Writer& to, const Element& element) { to.write(element); }
  template <class Key, class Mapped>
  static void write_element(Writer& to, const std::pair<const Key, Mapped>& element) {
    to.write(element.first, element.second);
  }
};

template <class T>
[[nodiscard]] std::vector<T> read_as_bytes(Reader& from) {
  std::vector<T> values(from.count(sizeof(T)));
  from.bytes(values.data(), values.size() * sizeof(T));
  return values;
}

template <class T>
[[nodiscard]] std::vector<T> read_each(Reader& from) {
  std::vector<T> values;
  const std::size_t count = from.count();
  values.reserve(
      std::min(count, from.left() / sizeof(T)));  // no more than the bytes themselves take
  for (std::size_t i = 0; i < count; ++i) values.push_back(from.read<T>());
  return values;
}

}  // namespace detail

template <>
struct Codec<bool> {
  static void write(Writer& to, const bool& value) { to.write(std::uint8_t{value}); }
  static bool read(Reader& from) {
    const auto value = from.read<std::uint8_t>();
    if (value > 1) Reader::fail("a bool is neither true nor false");
    return value == 1;
  }
};

template <detail::WrittenAsBytes C>
struct Codec<std::basic_string<C>> {
  static void write(Writer& to, const std::basic_string<C>& text) {
    to.count(text.size());
    to.bytes(text.data(), text.size() * sizeof(C));
  }
  static std::basic_string<C> read(Reader& from) {
    std::basic_string<C> text(from.count(sizeof(C)), C());
    from.bytes(text.data(), text.size() * sizeof(C));
    return text;
  }
};

template <Transferable T>
struct Codec<std::vector<T>> {
  static void write(Writer& to, const std::vector<T>& values) {
    to.count(values.size());
    if constexpr (detail::WrittenAsBytes<T>)
      to.bytes(values.data(), values.size() * sizeof(T));
    else
      for (const T& value : values) to.write(value);
  }
  static std::vector<T> read(Reader& from) {
    if constexpr (detail::WrittenAsBytes<T> && std::default_initializable<T>)
      return detail::read_as_bytes<T>(from);
    else
      return detail::read_each<T>(from);
  }
};

template <Transferable T, std::size_t N>
requires(N > 0 && !detail::WrittenAsBytes<T>) struct Codec<std::array<T, N>> {
  static void write(Writer& to, const std::array<T, N>& values) {
    for (const T& value : values) to.write(value);
  }
  static std::array<T, N> read(Reader& from) { return read(from, std::make_index_sequence<N>()); }

 private:
  template <std::size_t... I>
  static std::array<T, N> read(Reader& from, std::index_sequence<I...>) {
    return {(static_cast<void>(I), from.read<T>())...};  // in braces: from left to right
  }
};

template <Transferable A, Transferable B>
struct Codec<std::pair<A, B>> {
  static void write(Writer& to, const std::pair<A, B>& pair) { to.write(pair.first, pair.second); }
  static std::pair<A, B> read(Reader& from) {
    return std::pair<A, B>{from.read<A>(), from.read<B>()};
  }
};

template <Transferable First, Transferable... Rest>
struct Codec<std::tuple<First, Rest...>> {
  using Tuple = std::tuple<First, Rest...>;
  static void write(Writer& to, const Tuple& tuple) {
    std::apply([&to](const auto&... values) { to.write(values...); }, tuple);
  }
  static Tuple read(Reader& from) { return Tuple{from.read<First>(), from.read<Rest>()...}; }
};

template <Transferable T>
struct Codec<std::optional<T>> {
  static void write(Writer& to, const std::optional<T>& value) {
    to.write(value.has_value());
    if (value) to.write(*value);
  }
  static std::optional<T> read(Reader& from) {
    if (!from.read<bool>()) return std::nullopt;
    return std::optional<T>(from.read<T>());
  }
};

// One that lost its value to an exception throws std::bad_variant_access when written.
template <Transferable... T>
requires(sizeof...(T) <= 256) struct Codec<std::variant<T...>> {
  using Variant = std::variant<T...>;
  static void write(Writer& to, const Variant& variant) {
    std::visit(
        [&](const auto& value) { to.write(static_cast<std::uint8_t>(variant.index()), value); },
        variant);
  }
  static Variant read(Reader& from) {
    const std::size_t index = from.read<std::uint8_t>();
    if (index >= sizeof...(T)) Reader::fail("a variant is none of its types");
    return read_at<0>(from, index);
  }

 private:
  template <std::size_t I>
  static Variant read_at(Reader& from, std::size_t index) {
    if constexpr (I + 1 < sizeof...(T))
      if (index != I) return read_at<I + 1>(from, index);
    return Variant(std::in_place_index<I>, from.read<std::variant_alternative_t<I, Variant>>());
  }
};

template <Transferable K, Transferable V, class Less>
struct Codec<std::map<K, V, Less>> : detail::ContainerCodec<std::map<K, V, Less>, std::pair<K, V>> {
};
template <Transferable K, Transferable V, class Hash, class Equal>
struct Codec<std::unordered_map<K, V, Hash, Equal>>
    : detail::ContainerCodec<std::unordered_map<K, V, Hash, Equal>, std::pair<K, V>> {};
template <Transferable K, class Less>
struct Codec<std::set<K, Less>> : detail::ContainerCodec<std::set<K, Less>, K> {};
template <Transferable K, class Hash, class Equal>
struct Codec<std::unordered_set<K, Hash, Equal>>
    : detail::ContainerCodec<std::unordered_set<K, Hash, Equal>, K> {};

namespace detail {

// Into a buffer whose memory is used again.
template <Transferable T>
void encode(const T& value, std::vector<std::byte>& into) {
  into.clear();
  Writer(into).write(value);
}
template <Transferable T>
[[nodiscard]] std::vector<std::byte> encoded(const T& value) {
  std::vector<std::byte> bytes;
  encode(value, bytes);
  return bytes;
}
template <Transferable T>
[[nodiscard]] T decoded(std::span<const std::byte> bytes) {
  Reader from(bytes);
  T value = from.read<T>();
  from.finish();
  return value;
}

}  // namespace detail
}  // namespace shoal
