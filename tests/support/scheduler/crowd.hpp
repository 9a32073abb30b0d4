// SPDX-License-Identifier: MIT
#pragma once

// A set of participants, by their numbers; walked through in ascending order.

#include <bit>
#include <cstddef>
#include <cstdint>

#include "support/scheduler/memory.hpp"

namespace shoal_test {

class Crowd {
 public:
  class Iterator {
   public:
    constexpr explicit Iterator(unsigned bits) : bits_(bits) {}
    constexpr int operator*() const { return std::countr_zero(bits_); }
    constexpr Iterator& operator++() {
      bits_ &= bits_ - 1;
      return *this;
    }
    constexpr bool operator==(const Iterator&) const = default;

   private:
    unsigned bits_;
  };

  constexpr Crowd() = default;
  constexpr static Crowd of(int participant) { return Crowd(1U << participant); }
  constexpr static Crowd all(int participants) { return Crowd((1U << participants) - 1); }

  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool has(int participant) const { return (bits_ >> participant & 1U) != 0; }
  constexpr std::size_t size() const {  // std::popcount is a call where no instruction is certain
    std::size_t count = 0;
    for (unsigned left = bits_; left != 0; left &= left - 1) ++count;
    return count;
  }
  constexpr bool has_several() const { return (bits_ & (bits_ - 1)) != 0; }
  // The nth, from 0; of at least n + 1.
  constexpr int nth(std::size_t n) const {
    Iterator it = begin();
    for (; n > 0; --n) ++it;
    return *it;
  }

  constexpr Iterator begin() const { return Iterator(bits_); }
  constexpr Iterator end() const { return Iterator(0); }

  constexpr Crowd operator|(Crowd other) const { return Crowd(bits_ | other.bits_); }
  constexpr Crowd operator&(Crowd other) const { return Crowd(bits_ & other.bits_); }
  constexpr Crowd operator-(Crowd other) const { return Crowd(bits_ & ~other.bits_); }
  constexpr bool operator==(const Crowd&) const = default;

 private:
  static_assert(kMaxParticipants < 32);
  constexpr explicit Crowd(unsigned bits) : bits_(bits) {}

  unsigned bits_ = 0;
};

}  // namespace shoal_test
