// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace shoal {
namespace detail {

// Whether a T says where something is in the address space of the process that wrote it. C++ cannot
// look into a class of the user's; into the standard's own it can.
template <class T>
inline constexpr bool is_address = std::is_pointer_v<T> || std::is_member_pointer_v<T> ||
                                   std::is_reference_v<T> || std::is_null_pointer_v<T>;
template <class T>
inline constexpr bool holds_address = is_address<std::remove_all_extents_t<T>>;
template <class C, class Traits>
inline constexpr bool holds_address<std::basic_string_view<C, Traits>> = true;
template <class T, std::size_t N>
inline constexpr bool holds_address<std::span<T, N>> = true;
template <class T>
inline constexpr bool holds_address<std::reference_wrapper<T>> = true;
template <class T>
inline constexpr bool holds_address<std::initializer_list<T>> = true;
template <class T, std::size_t N>
inline constexpr bool holds_address<std::array<T, N>> = holds_address<T>;
template <class T>
inline constexpr bool holds_address<std::optional<T>> = holds_address<T>;
template <class A, class B>
inline constexpr bool holds_address<std::pair<A, B>> = holds_address<A> || holds_address<B>;
template <class... T>
inline constexpr bool holds_address<std::tuple<T...>> = (holds_address<T> || ...);
template <class... T>
inline constexpr bool holds_address<std::variant<T...>> = (holds_address<T> || ...);

inline constexpr std::size_t kLargestAlignment = 4096;

}  // namespace detail

// What may live in shared memory: bytes that mean the same in every process. Trivially copyable, no
// pointers, nothing that contains one (string_view, span), aligned to at most 4096.
template <class T>
concept Shareable =
    std::is_trivially_copyable_v<T> && !std::is_const_v<T> && !std::is_volatile_v<T> &&
    !std::is_array_v<T> && !detail::holds_address<T> && alignof(T) <= detail::kLargestAlignment;

}  // namespace shoal
