// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>
#include <type_traits>

namespace shoal {
namespace detail {

// The compiler's own name of T, cut out of this function's signature, where g++ and clang agree
// but for anonymous namespaces.
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
    return bits == 8 ? "int8" : bits == 16 ? "int16" : bits == 32 ? "int32" : "int64";
  else
    return bits == 8 ? "uint8" : bits == 16 ? "uint16" : bits == 32 ? "uint32" : "uint64";
}

}  // namespace detail

// The name under which T is known in shared memory. Who opens an object must name the same type:
// for arithmetic types that is kind and width, so `long` and `long long` are both "int64".
//
// Specialise it to fix the name of a type of your own, across compilers and renamings:
//
//   template <>
//   struct shoal::TypeName<Tick> {
//     static constexpr std::string_view value = "tick.v2";
//   };
template <class T>
struct TypeName {
  static constexpr std::string_view value = [] {
    if constexpr (std::is_arithmetic_v<T>)
      return detail::arithmetic_name<T>();
    else
      return detail::compiler_name<T>();
  }();
};

}  // namespace shoal
