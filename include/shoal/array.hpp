// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "shoal/detail/array_word.hpp"
#include "shoal/detail/bits.hpp"
#include "shoal/detail/inner_guard.hpp"
#include "shoal/lock.hpp"
#include "shoal/open.hpp"
#include "shoal/segment.hpp"
#include "shoal/shareable.hpp"
#include "shoal/type_name.hpp"

namespace shoal {

// An Array is a row of T in shared memory, of a size that its creator gives it:
//
//   shoal::Array<double> samples(segment, "samples", 1000);       // zeros
//   for (double& sample : samples) sample = measure();            // under get_lock(), or alone
//   samples.store(7, 0.5);                                        // at any time
//
// The elements themselves, through [], at(), data() and the iterators, are plain memory: who
// writes them needs a lock, get_lock() for instance. load() and store() need none: an element of 1,
// 2, 4 or 8 bytes is an atomic there, a larger one is never torn.
//
// Death: a process killed inside store() leaves the element from before or from after, whole. One
// killed while it writes otherwise leaves what it has written; one killed holding get_lock() leaves
// that lock abandoned.
//
// Memory ordering: load() and store() are sequentially consistent for small elements; what was
// done before a larger one was stored is visible to who loads it.
template <Shareable T>
class Array {
 public:
  // Throws as the constructor of Lock; TypeMismatch where it is not of T, or not of that size. Size
  // 0 is allowed.
  Array(const Segment& segment, std::string_view name, std::size_t size,
        Open open = Open::or_create)
      : Array(detail::open_array(segment, name, kShape, TypeName<T>::value, size, open)) {}
  // Whatever its size. Throws NotFound where there is none: it could not be made.
  Array(const Segment& segment, std::string_view name, Open open = Open::existing)
      : Array(detail::open_array(segment, name, kShape, TypeName<T>::value, std::nullopt, open)) {}

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  // Requires: index < size().
  [[nodiscard]] T& operator[](std::size_t index) const { return data()[index]; }
  // Throws std::out_of_range, as load() and store().
  [[nodiscard]] T& at(std::size_t index) const { return data()[checked(index)]; }
  [[nodiscard]] T load(std::size_t index) const;
  void store(std::size_t index, T value) const;

  [[nodiscard]] T* data() const { return reinterpret_cast<T*>(data_); }
  [[nodiscard]] T* begin() const { return data(); }
  [[nodiscard]] T* end() const { return data() + size_; }
  [[nodiscard]] std::span<T> span() const { return {data(), size_}; }

  // A lock of this array's own. None of the above takes it.
  [[nodiscard]] const Lock& get_lock() const { return lock_; }

 private:
  static constexpr detail::ArrayShape kShape{sizeof(T), alignof(T)};

  explicit Array(detail::OpenedObject opened)
      : word_(static_cast<detail::ArrayWord*>(opened.memory)),
        data_(static_cast<std::byte*>(opened.memory) + kShape.data_at()),
        size_(kShape.count(opened.bytes)),
        lock_(opened.object, word_->lock),
        writer_(std::move(opened.object), word_->writer) {}

  std::size_t checked(std::size_t index) const {
    if (index >= size_) detail::throw_out_of_range(index, size_);
    return index;
  }
  std::byte* bytes(std::size_t index) const { return data_ + index * sizeof(T); }
  std::byte* room() const { return data_ - kShape.data_at() + kShape.room_at(); }
  std::atomic_ref<detail::BitsOf<T>> bits(std::size_t index) const {
    return std::atomic_ref(*reinterpret_cast<detail::BitsOf<T>*>(bytes(index)));
  }

  // Requires: writer_ is held. Copies again what a dead process was copying.
  void finish_pending() const {
    const std::uint64_t pending = word_->pending.load(std::memory_order_relaxed);
    if (pending != 0 && pending <= size_) std::memcpy(bytes(pending - 1), room(), sizeof(T));
    word_->pending.store(0, std::memory_order_release);
  }

  detail::ArrayWord* word_;
  std::byte* data_;
  std::size_t size_;
  Lock lock_;
  Lock writer_;
};

template <Shareable T>
T Array<T>::load(std::size_t index) const {
  checked(index);
  if constexpr (detail::is_small(sizeof(T))) {
    return detail::from_bits<T>(bits(index).load());
  } else {
    const detail::InnerGuard held(writer_);
    finish_pending();
    return data()[index];
  }
}

template <Shareable T>
void Array<T>::store(std::size_t index, T value) const {
  checked(index);
  if constexpr (detail::is_small(sizeof(T))) {
    bits(index).store(detail::to_bits(value));
  } else {
    const detail::InnerGuard held(writer_);
    finish_pending();
    std::memcpy(room(), &value, sizeof(T));
    // Release: who inherits the lock finds the room filled. (A kill does not reorder stores; the
    // compiler might.)
    word_->pending.store(index + 1, std::memory_order_release);
    finish_pending();
  }
}

}  // namespace shoal
