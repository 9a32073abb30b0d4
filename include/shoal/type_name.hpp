// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <type_traits>

#include "shoal/detail/spelling.hpp"

namespace shoal {

// The name under which T is known in shared memory. Who opens an object must name the same type:
// for arithmetic types that is kind and width, so `long` and `long long` are both "int64"; of a
// template the names of its arguments but for those that are the default:
//
//   std::map<std::string, long>    "std::map<std::string, int64>"
//   std::vector<shop::Order>       "std::vector<shop::Order>"
//
// g++ and clang agree on it, but for lambdas, types that are local to a function or have no name, and
// the default arguments of templates that also take values; and a text in a variant in the name of
// a member of a template. Specialise it to fix the name of a type of your own, across compilers and
// renamings:
//
//   template <>
//   struct shoal::TypeName<Tick> {
//     static constexpr std::string_view value = "tick.v2";
//   };
template <class T>
struct TypeName {
  static constexpr std::string_view value = [] {
    if constexpr (std::is_arithmetic_v<T> && std::is_same_v<T, std::remove_cv_t<T>>)
      return detail::arithmetic_name<T>();
    else
      return detail::Spelled<T>::kText.view();
  }();
};

}  // namespace shoal
