// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "shoal/codec.hpp"
#include "shoal/detail/job.hpp"
#include "shoal/detail/pool_core.hpp"
#include "shoal/detail/results.hpp"

namespace shoal::detail {

// What an argument travels as: its value; of text that is somewhere else, the text; of an element of
// a map a pair like others.
template <class A>
struct ArgumentOf {
  using Type = A;
};
template <>
struct ArgumentOf<const char*> {
  using Type = std::string;
};
template <>
struct ArgumentOf<char*> {
  using Type = std::string;
};
template <>
struct ArgumentOf<std::string_view> {
  using Type = std::string;
};
template <class K, class V>
struct ArgumentOf<std::pair<const K, V>> {
  using Type = std::pair<K, V>;
};
template <class A>
using Argument = typename ArgumentOf<std::decay_t<A>>::Type;

// --- What is called, and with what

template <class F, class T>
struct CallWithItem {
  static decltype(auto) call(F& function, T& item) {
    if constexpr (std::is_invocable_v<F&, T>)
      return std::invoke(function, std::move(item));
    else
      return std::invoke(function, item);
  }
  using Result = std::remove_cvref_t<decltype(call(std::declval<F&>(), std::declval<T&>()))>;
};

template <class F, class T>
struct CallWithTuple {
  static decltype(auto) call(F& function, T& parts) {
    return std::apply(function, std::move(parts));
  }
  using Result = std::remove_cvref_t<decltype(call(std::declval<F&>(), std::declval<T&>()))>;
};

// With the arguments after the first, which is there so that there is one.
template <class F, class T>
struct CallWithArguments {
  static decltype(auto) call(F& function, T& arguments) {
    return std::apply(
        [&function](Nothing, auto&... rest) -> decltype(auto) {
          return std::invoke(function, std::move(rest)...);
        },
        arguments);
  }
  using Result = std::remove_cvref_t<decltype(call(std::declval<F&>(), std::declval<T&>()))>;
};

// --- How a function gets to a worker

// As its bytes, which mean the same there; or it is there, at the same address, for the worker has
// been forked since it was made.
template <class F>
class Carried {
 public:
  Carried(PoolCore& core, F f) : function_(std::make_shared<F>(std::move(f))) {
    is_there_ = !goes_as_bytes();
    if (is_there_) core.renew_workers();
  }

  [[nodiscard]] const std::shared_ptr<F>& function() const { return function_; }

  void write(Writer& to) const {
    to.write(is_there_);
    if (is_there_)
      to.write(reinterpret_cast<std::uintptr_t>(function_.get()));  // NOLINT
    else
      to.bytes(function_.get(), sizeof(F));
  }
  // In a worker: calls use(function).
  template <class Use>
  static void read(Reader& from, Use use) {
    if (from.read<bool>()) {
      use(*reinterpret_cast<F*>(from.read<std::uintptr_t>()));  // NOLINT
    } else if constexpr (std::is_trivially_copyable_v<F>) {
      alignas(F) std::array<std::byte, sizeof(F)> room;
      from.bytes(room.data(), room.size());
      use(*std::launder(reinterpret_cast<F*>(room.data())));  // NOLINT
    }
  }

 private:
  static constexpr bool kIsCode = std::is_empty_v<F> || std::is_member_pointer_v<F> ||
                                  std::is_function_v<std::remove_pointer_t<F>>;

  [[nodiscard]] bool goes_as_bytes() const {
    if constexpr (!std::is_trivially_copyable_v<F>)
      return false;
    else
      return kIsCode || !PoolCore::may_hold_address(std::as_bytes(std::span(function_.get(), 1)));
  }

  std::shared_ptr<F> function_;
  bool is_there_ = true;
};

// --- A task: the function, how many items, and these

template <class Call, class F, class T>
void run_items(Reader& from, std::vector<std::byte>& results) {
  Carried<F>::read(from, [&](F& function) {
    for (std::size_t left = from.count(); left > 0; --left) {
      T item = from.template read<T>();
      const std::size_t before = results.size();
      try {
        if constexpr (std::is_void_v<typename Call::Result>) {
          Call::call(function, item);
          write_value(results, Nothing());
        } else {
          write_value<typename Call::Result>(results, Call::call(function, item));
        }
      } catch (...) {
        results.resize(before);
        write_exception(results);
      }
    }
  });
}

template <class Call, class F, class T>
class TaskWriter {
  using R = typename Call::Result;
  static_assert(Transferable<T>,
                "an argument is Shareable (bytes without pointers), or has a shoal::Codec");
  static_assert(std::is_void_v<R> || Transferable<Kept<R>>,
                "a result is Shareable (bytes without pointers), or has a shoal::Codec");

 public:
  TaskWriter(PoolCore& core, const Carried<F>& function) : core_(core), function_(function) {}

  // A new task, of no items.
  void begin() {
    bytes_.clear();
    Writer to(bytes_);
    function_.write(to);
    count_at_ = bytes_.size();
    items_ = 0;
    to.count(0);
  }
  void add(const T& item) {
    Writer(bytes_).write(item);
    ++items_;
  }
  [[nodiscard]] std::size_t items() const { return items_; }
  void submit(const std::shared_ptr<Job>& job, std::size_t first) {
    const std::uint64_t items = items_;
    std::memcpy(bytes_.data() + count_at_, &items, sizeof items);
    core_.submit(job, run_items<Call, F, T>, bytes_, first, items_);
  }

 private:
  PoolCore& core_;
  const Carried<F>& function_;
  std::vector<std::byte> bytes_;
  std::size_t count_at_ = 0;
  std::size_t items_ = 0;
};

}  // namespace shoal::detail
