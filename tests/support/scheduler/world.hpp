// SPDX-License-Identifier: MIT
#pragma once

// The World (lib/core/world.hpp) of a simulation, and its atomics. Where no participant is
// running, in set-up, invariants and final checks, an atomic is the plain value in memory.

#include <atomic>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "shoal/detail/mutant.hpp"
#include "shoal/detail/obituary.hpp"
#include "support/scheduler/simulation.hpp"

namespace shoal_test {

// The members of std::atomic<T>, each of which is one step of the participant that calls it.
template <class T>
class SimAtomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));

 public:
  using value_type = T;

  constexpr SimAtomic() noexcept : SimAtomic(T{}) {}
  constexpr SimAtomic(T value) noexcept : value_(value) {
    if (!std::is_constant_evaluated() && running()) running()->forget(this);
  }
  SimAtomic(const SimAtomic&) = delete;
  SimAtomic& operator=(const SimAtomic&) = delete;

  T load(std::memory_order order = std::memory_order_seq_cst) const {
    if (!running()) return value_;
    running()->step();
    return from(running()->load(this, bits(value_), order));
  }

  void store(T value, std::memory_order order = std::memory_order_seq_cst) {
    if (running()) {
      running()->step();
      running()->store(this, bits(value_), bits(value), order);
    }
    value_ = value;
  }

  T exchange(T value, std::memory_order order = std::memory_order_seq_cst) {
    return update([value](T) { return value; }, order);
  }

  bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                               std::memory_order failure) {
    if (running()) running()->step();
    const T found = value_;
    const bool same = bits(found) == bits(expected);
    if (running() && same) running()->update(this, bits(found), bits(desired), success);
    if (running() && !same) running()->observe(this, bits(found), failure);
    (same ? value_ : expected) = same ? desired : found;
    return same;
  }

  bool compare_exchange_strong(T& expected, T desired,
                               std::memory_order order = std::memory_order_seq_cst) {
    return compare_exchange_strong(expected, desired, order, without_release(order));
  }

  // Never fails spuriously.
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure) {
    return compare_exchange_strong(expected, desired, success, failure);
  }

  bool compare_exchange_weak(T& expected, T desired,
                             std::memory_order order = std::memory_order_seq_cst) {
    return compare_exchange_strong(expected, desired, order);
  }

  T fetch_add(T by, std::memory_order order = std::memory_order_seq_cst) requires std::integral<T> {
    return update([by](T value) { return wrap(value + by); }, order);
  }
  T fetch_sub(T by, std::memory_order order = std::memory_order_seq_cst) requires std::integral<T> {
    return update([by](T value) { return wrap(value - by); }, order);
  }
  T fetch_or(T by, std::memory_order order = std::memory_order_seq_cst) requires std::integral<T> {
    return update([by](T value) { return wrap(value | by); }, order);
  }
  T fetch_and(T by, std::memory_order order = std::memory_order_seq_cst) requires std::integral<T> {
    return update([by](T value) { return wrap(value & by); }, order);
  }
  T fetch_xor(T by, std::memory_order order = std::memory_order_seq_cst) requires std::integral<T> {
    return update([by](T value) { return wrap(value ^ by); }, order);
  }

  // What is in memory now, whoever asks, without a step: the kernel's look.
  T newest() const { return value_; }

 private:
  static Simulation* running() { return Simulation::current(); }

  static std::uint64_t bits(T value) {
    std::uint64_t made = 0;
    std::memcpy(&made, &value, sizeof value);
    return made;
  }

  static T from(std::uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

  template <class Number>
  static T wrap(Number value) {
    return static_cast<T>(value);
  }

  static constexpr std::memory_order without_release(std::memory_order order) {
    if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
    if (order == std::memory_order_release) return std::memory_order_relaxed;
    return order;
  }

  template <class Change>
  T update(Change change, std::memory_order order) {
    if (running()) running()->step();
    const T old = value_;
    const T made = change(old);
    if (running()) running()->update(this, bits(old), bits(made), order);
    value_ = made;
    return old;
  }

  T value_;
};

template <shoal::detail::Mutant M>
struct SimAtomics {
  template <class T>
  using Atomic = SimAtomic<T>;
  static constexpr shoal::detail::Mutant kMutant = M;
};

template <shoal::detail::Mutant M = shoal::detail::Mutant::none>
struct SimWorld : SimAtomics<M> {
  using Atomics = SimAtomics<M>;
  template <class T>
  using Atomic = SimAtomic<T>;
  static constexpr int kLooks = 1;
  static constexpr int kYields = 0;
  static constexpr int kLooksAfterYield = 1;
  static constexpr int kRests = 0;
  static constexpr bool kTakesTurns = false;
  static constexpr std::uint64_t kPatience = 4'000'000;
  static constexpr std::uint64_t kDeathUnseen = 0;

  std::int64_t now() { return simulation().now(); }
  std::uint64_t ticks() { return static_cast<std::uint64_t>(now()); }
  void pause() { simulation().pause(); }
  void yield() { simulation().pause(); }
  bool barrier() { return simulation().barrier(); }
  void sleep(Atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t nanoseconds) {
    simulation().sleep(
        &word, [&] { return word.newest() == expected; }, nanoseconds);
  }
  void wake(Atomic<std::uint32_t>& word, int sleepers) { simulation().wake(&word, sleepers); }
  bool is_reached() { return true; }
  void begin_wait() {}
  void end_wait() {}
  bool alive(std::uint64_t owner) { return simulation().alive(owner); }
  // All six are the owner's value, so that a mixture of two deaths shows. Not a step.
  shoal::detail::Facts facts(std::uint64_t owner) {
    shoal::detail::Facts facts;
    facts.words.fill(static_cast<std::uint32_t>(owner));
    return facts;
  }

  // Beyond what core code may use:

  // A seq_cst fence.
  void fence() { simulation().fence(); }

  // Ends the run as a violation. The participant is not unwound.
  [[noreturn]] void fail(std::string_view message) { simulation().fail(message); }

  // For as long as it lives, its participant is not killed.
  class Unkillable {
   public:
    Unkillable() { simulation().set_killable(false); }
    ~Unkillable() { simulation().set_killable(true); }
    Unkillable(const Unkillable&) = delete;
    Unkillable& operator=(const Unkillable&) = delete;
  };

 private:
  static Simulation& simulation() { return *Simulation::current(); }
};

}  // namespace shoal_test
