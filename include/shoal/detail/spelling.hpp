// SPDX-License-Identifier: MIT
#pragma once

// How the name of a type is spelled: alike by every compiler, for programs of several meet in one
// segment. Put together at compile time.
//
// A template of types, and std::array, by the names of its arguments, which may be its user's own:
//
//   std::map<std::string, long>       std::map<std::string, int64>
//
// All else as the compiler spells it, put right:
//
//   my::Grid<long unsigned int, 3U>   my::Grid<uint64, 3>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace shoal {

template <class T>
struct TypeName;

namespace detail {

// The compiler's own name of T, cut out of this function's signature.
template <class T>
constexpr std::string_view compiler_name() {
  constexpr std::string_view signature = __PRETTY_FUNCTION__;
  constexpr std::size_t begin = signature.find("T = ") + 4;
  constexpr std::size_t others = signature.rfind("; std::string_view = ");  // g++ tells that too
  constexpr std::size_t end = others != std::string_view::npos ? others : signature.rfind(']');
  return signature.substr(begin, end - begin);
}

template <class T>
constexpr std::string_view arithmetic_name() {
  constexpr std::size_t bits = sizeof(T) * 8;
  if constexpr (std::is_same_v<T, bool>)
    return "bool";
  else if constexpr (std::is_floating_point_v<T>)
    return bits == 32 ? "float32" : bits == 64 ? "float64" : "float128";
  else if constexpr (std::is_signed_v<T>)
    return bits == 8    ? "int8"
           : bits == 16 ? "int16"
           : bits == 32 ? "int32"
           : bits == 64 ? "int64"
                        : "int128";
  else
    return bits == 8    ? "uint8"
           : bits == 16 ? "uint16"
           : bits == 32 ? "uint32"
           : bits == 64 ? "uint64"
                        : "uint128";
}

// A text of no more than `Room` bytes.
template <std::size_t Room>
class Text {
 public:
  constexpr void append(std::string_view more) {
    for (const char c : more) bytes_[size_++] = c;
  }
  [[nodiscard]] constexpr std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, Room> bytes_{};
  std::size_t size_ = 0;
};

// --- As the compiler spells it, put right

// What compilers spell differently. Of two that begin alike, the longer one comes first.
struct Spelling {
  std::string_view theirs;
  std::string_view ours;
};
inline constexpr Spelling kSpellings[] = {
    {"::__cxx11::", "::"},  // namespaces that are inline
    {"::__1::", "::"},
    {"::_V2::", "::"},
    {"{anonymous}", "(anonymous namespace)"},
    {"long long unsigned int", arithmetic_name<unsigned long long>()},
    {"unsigned long long", arithmetic_name<unsigned long long>()},
    {"long long int", arithmetic_name<long long>()},
    {"long long", arithmetic_name<long long>()},
    {"long unsigned int", arithmetic_name<unsigned long>()},
    {"unsigned long", arithmetic_name<unsigned long>()},
    {"long int", arithmetic_name<long>()},
    {"long double", arithmetic_name<long double>()},
    {"long", arithmetic_name<long>()},
    {"short unsigned int", arithmetic_name<unsigned short>()},
    {"unsigned short", arithmetic_name<unsigned short>()},
    {"short int", arithmetic_name<short>()},
    {"short", arithmetic_name<short>()},
    {"unsigned int", arithmetic_name<unsigned>()},
    {"int", arithmetic_name<int>()},
    {"signed char", arithmetic_name<signed char>()},
    {"unsigned char", arithmetic_name<unsigned char>()},
    {"char", arithmetic_name<char>()},
    {"wchar_t", arithmetic_name<wchar_t>()},
    {"char8_t", arithmetic_name<char8_t>()},
    {"char16_t", arithmetic_name<char16_t>()},
    {"char32_t", arithmetic_name<char32_t>()},
    {"__int128 unsigned", "uint128"},
    {"unsigned __int128", "uint128"},
    {"__int128", "int128"},
    {"float", arithmetic_name<float>()},
    {"double", arithmetic_name<double>()},
};

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_of_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Which of them stands at the beginning of `text`, as whole words; or one that is empty.
constexpr Spelling spelling_at(std::string_view text) {
  for (const Spelling& spelling : kSpellings) {
    const std::size_t size = spelling.theirs.size();
    if (!text.starts_with(spelling.theirs)) continue;
    if (text.size() == size || !is_of_word(text[size - 1]) || !is_of_word(text[size]))
      return spelling;
  }
  return {};
}

// The first word of `text`, or the mark that it begins with.
constexpr std::string_view first_word(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && is_of_word(text[size])) ++size;
  return text.substr(0, size > 0 ? size : 1);
}
// 3u, 3U and 3 are one.
constexpr std::string_view without_suffix(std::string_view word) {
  if (is_digit(word[0])) word = word.substr(0, word.find_last_not_of("uUlL") + 1);
  return word;
}

// No part of a name gets longer than twice its size. A space is left where it parts two words, and
// after a comma.
template <std::size_t Room>
constexpr Text<Room> put_right(std::string_view theirs) {
  Text<Room> ours;
  for (bool after_word = false; !theirs.empty();) {
    const std::string_view first = first_word(theirs);
    const bool is_word = is_of_word(first[0]);
    if (is_word && after_word) ours.append(" ");
    const Spelling spelling = spelling_at(theirs);
    if (!spelling.theirs.empty())
      ours.append(spelling.ours);
    else if (first == ",")
      ours.append(", ");
    else if (first != " ")
      ours.append(without_suffix(first));
    if (first != " ") after_word = is_word;
    theirs.remove_prefix(std::max(spelling.theirs.size(), first.size()));
  }
  return ours;
}

// --- From the names of its arguments

template <class...>
struct Types {};

template <class T, template <class...> class X, class... A>
concept IsMadeOf = requires {
  requires std::is_same_v<X<A...>, T>;
};

// The names of the arguments that make T of X: the first ones, up to those that are the default.
template <class T, template <class...> class X, class... All>
constexpr auto argument_names(Types<All...>, Types<>) {
  return std::array<std::string_view, sizeof...(All)>{TypeName<All>::value...};
}
template <class T, template <class...> class X, class... First, class Next, class... Rest>
constexpr auto argument_names(Types<First...> first, Types<Next, Rest...>) {
  if constexpr (IsMadeOf<T, X, First...>)
    return argument_names<T, X>(first, Types<>());
  else
    return argument_names<T, X>(Types<First..., Next>(), Types<Rest...>());
}

// std::vector<int>: std::vector. From behind, for it may be a member of another template's.
constexpr std::string_view template_name(std::string_view name) {
  std::size_t end = name.size();
  for (int depth = 0; end > 0;) {
    --end;
    depth += (name[end] == '>' ? 1 : 0) - (name[end] == '<' ? 1 : 0);
    if (depth == 0) break;
  }
  return name.substr(0, end);
}
// std::array<int, 4>: 4.
constexpr std::string_view last_argument(std::string_view name) {
  const std::size_t begin = name.rfind(' ') + 1;
  return without_suffix(name.substr(begin, name.size() - 1 - begin));
}

template <class Names>
constexpr std::size_t room_for(std::string_view name, const Names& arguments) {
  std::size_t room = name.size() + 2;
  for (const std::string_view argument : arguments) room += argument.size() + 2;
  return room;
}
template <std::size_t Room, class Names>
constexpr Text<Room> with_arguments(std::string_view name, const Names& arguments) {
  Text<Room> text;
  text.append(name);
  std::string_view before = "<";
  for (const std::string_view argument : arguments) {
    text.append(before);
    text.append(argument);
    before = ", ";
  }
  text.append(arguments.empty() ? "<>" : ">");
  return text;
}

// --- Which way it is for T

template <class T>
struct Spelled {
  static constexpr std::string_view kTheirs = compiler_name<T>();
  static constexpr auto kText = put_right<2 * kTheirs.size()>(kTheirs);
};

template <>
struct Spelled<std::string> {
  static constexpr auto kText = put_right<sizeof "std::string">("std::string");
};

template <class T>
struct Spelled<const T> {
  static constexpr auto kText = [] {
    Text<sizeof "const" + TypeName<T>::value.size()> text;
    text.append("const ");
    text.append(TypeName<T>::value);
    return text;
  }();
};

template <template <class...> class X, class... A>
struct Spelled<X<A...>> {
  static constexpr std::string_view kTheirs = template_name(compiler_name<X<A...>>());
  static constexpr auto kName = put_right<2 * kTheirs.size()>(kTheirs);
  static constexpr auto kArguments = argument_names<X<A...>, X>(Types<>(), Types<A...>());
  static constexpr auto kText =
      with_arguments<room_for(kName.view(), kArguments)>(kName.view(), kArguments);
};

template <class T, std::size_t N>
struct Spelled<std::array<T, N>> {
  static constexpr std::array kArguments{TypeName<T>::value,
                                         last_argument(compiler_name<std::array<T, N>>())};
  static constexpr auto kText =
      with_arguments<room_for("std::array", kArguments)>("std::array", kArguments);
};

}  // namespace detail
}  // namespace shoal
