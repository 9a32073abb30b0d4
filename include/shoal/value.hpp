// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "shoal/detail/bits.hpp"
#include "shoal/detail/inner_guard.hpp"
#include "shoal/detail/value_bytes.hpp"
#include "shoal/detail/value_word.hpp"
#include "shoal/lock.hpp"
#include "shoal/open.hpp"
#include "shoal/segment.hpp"
#include "shoal/shareable.hpp"
#include "shoal/type_name.hpp"

namespace shoal {

// A Value is one T in shared memory:
//
//   shoal::Value<std::int64_t> counter(segment, "counter");  // found, or made: zero
//   counter.store(counter.load() + 1);                       // well defined, and racy
//   counter.fetch_add(1);                                     // not racy
//   counter.update([](std::int64_t& n) { n = 3 * n + 1; });   // nor this
//
// Where T has 1, 2, 4 or 8 bytes, all of these are lock-free atomics. A larger T is never torn
// either: writers take turns under an inner lock, write into a second copy, and make it the
// current one by a single store; readers take no lock, unless writers never leave them alone.
//
// Death: a process that is killed inside any of these leaves the value from before or from after,
// whole, and nobody waiting. One that is killed holding get_lock() leaves that lock abandoned.
//
// Memory ordering: sequentially consistent, as the operators of std::atomic, where T is lock-free.
// For a larger T, what was done before a value was written is visible to who reads it.
template <Shareable T>
class Value {
 public:
  // Throws as the constructor of Lock; TypeMismatch where it is not a T. `initial` is used where
  // the value is made, which is when nobody else sees it yet.
  Value(const Segment& segment, std::string_view name, T initial = T{}, Open open = Open::or_create)
      : Value(detail::open_value(segment, name, kShape, TypeName<T>::value, &initial, open)) {}
  Value(const Segment& segment, std::string_view name,
        Open open) requires std::default_initializable<T> : Value(segment, name, T{}, open) {}
  Value(const Segment& segment, std::string_view name, Open open)
      : Value(detail::open_value(segment, name, kShape, TypeName<T>::value, nullptr, open)) {}

  [[nodiscard]] T load() const {
    if constexpr (kIsSmall)
      return from_bits(bits().load());
    else
      return read();
  }
  void store(T desired) const {
    if constexpr (kIsSmall)
      return bits().store(to_bits(desired));
    else
      return locked([&](T& value) { value = desired; });
  }
  T exchange(T desired) const {
    if constexpr (kIsSmall)
      return from_bits(bits().exchange(to_bits(desired)));
    else
      return locked([&](T& value) { return std::exchange(value, desired); });
  }
  // Where the value is `expected`, byte by byte, makes it `desired`: true. Else tells in `expected`
  // what it is.
  bool compare_exchange(T& expected, T desired)
      const requires std::has_unique_object_representations_v<T> || std::floating_point<T>;

  // The value from before. Integers wrap around.
  T fetch_add(T by) const requires std::is_arithmetic_v<T> &&(!std::same_as<T, bool>);
  T fetch_sub(T by) const requires std::is_arithmetic_v<T> &&(!std::same_as<T, bool>);

  // Calls change(T&) on a copy, and makes that the value, in one step: all of it or nothing. If it
  // throws, nothing has changed. Returns what it returns. Where T is lock-free it may be called
  // again, with what others have written meanwhile; it must not use this Value where T is larger.
  // Throws OwnerDied, and changes nothing, while get_lock() is abandoned: what its dead holder was
  // doing through get_obj() may be half done.
  template <class F>
  auto update(F&& change) const;

  // A lock of this value's own, for what takes more than one step. None of the above takes it.
  [[nodiscard]] const Lock& get_lock() const { return lock_; }
  // The bytes themselves, not synchronised: to be used under get_lock(), by all who write, and
  // until the next write by other means.
  [[nodiscard]] T& get_obj() const { return *reinterpret_cast<T*>(current()); }

 private:
  static constexpr detail::ValueShape kShape{sizeof(T), alignof(T)};
  static constexpr bool kIsSmall = detail::is_small(sizeof(T));
  using Bits = detail::BitsOf<T>;
  // The x87's long double has 10 bytes of value, and padding.
  static constexpr std::size_t kValueBytes =
      std::floating_point<T> && std::numeric_limits<T>::digits == 64 ? 10 : sizeof(T);

  explicit Value(detail::OpenedObject opened)
      : word_(static_cast<detail::ValueWord*>(opened.memory)),
        data_(static_cast<std::byte*>(opened.memory) + kShape.data_at()),
        lock_(opened.object, word_->lock),
        writer_(std::move(opened.object), word_->writer) {}

  static T from_bits(Bits bits) { return detail::from_bits<T>(bits); }
  static Bits to_bits(const T& value) { return detail::to_bits(value); }
  std::atomic_ref<Bits> bits() const {
    return std::atomic_ref<Bits>(*reinterpret_cast<Bits*>(data_));
  }

  std::byte* copy(std::uint64_t version) const { return data_ + version % 2 * kShape.stride(); }
  std::byte* current() const {
    return kIsSmall ? data_ : copy(word_->version.load(std::memory_order_acquire));  // V2
  }
  T read() const;
  template <class F>
  auto locked(F&& change) const;
  template <class F>
  auto retried(F&& change) const;

  detail::ValueWord* word_;
  std::byte* data_;
  Lock lock_;
  Lock writer_;
};

template <Shareable T>
bool Value<T>::compare_exchange(T& expected, T desired)
    const requires std::has_unique_object_representations_v<T> || std::floating_point<T> {
  if constexpr (kIsSmall) {
    Bits seen = to_bits(expected);
    const bool exchanged = bits().compare_exchange_strong(seen, to_bits(desired));
    if (!exchanged) expected = from_bits(seen);
    return exchanged;
  } else {
    return locked([&](T& value) {
      const bool same = std::memcmp(&value, &expected, kValueBytes) == 0;
      (same ? value : expected) = same ? desired : value;
      return same;
    });
  }
}

template <Shareable T>
T Value<T>::fetch_add(T by) const requires std::is_arithmetic_v<T> &&(!std::same_as<T, bool>) {
  if constexpr (std::is_integral_v<T> && kIsSmall) {
    return from_bits(bits().fetch_add(to_bits(by)));
  } else {
    const auto add = [by](T& value) { return std::exchange(value, static_cast<T>(value + by)); };
    if constexpr (kIsSmall)
      return retried(add);
    else
      return locked(add);
  }
}

template <Shareable T>
T Value<T>::fetch_sub(T by) const requires std::is_arithmetic_v<T> &&(!std::same_as<T, bool>) {
  if constexpr (std::is_integral_v<T> && kIsSmall) {
    return from_bits(bits().fetch_sub(to_bits(by)));
  } else {
    return fetch_add(-by);
  }
}

template <Shareable T>
template <class F>
auto Value<T>::update(F&& change) const {
  lock_.handle_.throw_if_abandoned();
  if constexpr (kIsSmall)
    return retried(std::forward<F>(change));
  else
    return locked(std::forward<F>(change));
}

// Changes a small value by compare and exchange, as often as it takes.
template <Shareable T>
template <class F>
auto Value<T>::retried(F&& change) const {
  for (Bits seen = bits().load();;) {
    T value = from_bits(seen);
    if constexpr (std::is_void_v<std::invoke_result_t<F&, T&>>) {
      change(value);
      if (bits().compare_exchange_strong(seen, to_bits(value))) return;
    } else {
      auto result = change(value);
      if (bits().compare_exchange_strong(seen, to_bits(value))) return result;
    }
  }
}

// Changes a large value: who holds `writer` fills the other copy in, and flips.
template <Shareable T>
template <class F>
auto Value<T>::locked(F&& change) const {
  const detail::InnerGuard held(writer_);
  const std::uint64_t version = word_->version.load(std::memory_order_relaxed);  // ours to change
  detail::Bytes<sizeof(T), alignof(T)> bytes;
  bytes.copy_from_shared(copy(version));
  const auto publish = [&] {
    // A change that forks: its child holds nothing, and has changed a copy of its own.
    if (!writer_.handle_.is_held()) return;
    bytes.copy_to_shared(copy(version + 1));
    word_->version.store(version + 1, std::memory_order_release);  // V1
  };
  if constexpr (std::is_void_v<std::invoke_result_t<F&, T&>>) {
    change(bytes.template as<T>());
    publish();
  } else {
    auto result = change(bytes.template as<T>());
    publish();
    return result;
  }
}

// Reads a large value without a lock, as long as no writer gets in between; then with it.
template <Shareable T>
T Value<T>::read() const {
  constexpr int kAttempts = 8;
  detail::Bytes<sizeof(T), alignof(T)> bytes;
  for (int i = 0; i < kAttempts; ++i) {
    const std::uint64_t version = word_->version.load(std::memory_order_acquire);  // V2
    bytes.copy_from_shared(copy(version));
    // Relaxed: the loads of the copy are acquires, so this one is not before them.
    if (word_->version.load(std::memory_order_relaxed) == version) return bytes.template as<T>();
  }
  const detail::InnerGuard held(writer_);
  bytes.copy_from_shared(current());
  return bytes.template as<T>();
}

}  // namespace shoal
