// SPDX-License-Identifier: MIT
#include <atomic>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.hpp"
#include "shoal/segment.hpp"
#include "shoal/value.hpp"

namespace bench {
namespace {

using Number = std::int64_t;

struct Standard {
  explicit Standard(const Place& place) : number(*new (place.memory) std::atomic<Number>(0)) {}
  Number load() const { return number.load(); }
  void store(Number value) const { number.store(value); }
  void fetch_add(Number by) const { number.fetch_add(by); }
  // As std::atomic is used for what it has no member for.
  template <class F>
  void update(F change) const {
    Number seen = number.load();
    for (Number value = seen;; value = seen) {
      change(value);
      if (number.compare_exchange_strong(seen, value)) return;
    }
  }
  std::atomic<Number>& number;
};

struct Shoal {
  explicit Shoal(const Place& place) : segment(place.name), value(segment, "number") {
    shoal::Segment::remove(place.name);
  }
  Number load() const { return value.load(); }
  void store(Number number) const { value.store(number); }
  void fetch_add(Number by) const { value.fetch_add(by); }
  template <class F>
  void update(F change) const {
    value.update(change);
  }
  shoal::Segment segment;
  shoal::Value<Number> value;
};

// Each operation makes, or finds, one number more than the one before.
struct Load {
  template <class Value>
  void operator()(const Value& value, std::uint64_t) const {
    keep(value.load());
  }
};
struct Store {
  template <class Value>
  void operator()(const Value& value, std::uint64_t i) const {
    value.store(static_cast<Number>(i) + 1);
  }
};
struct FetchAdd {
  template <class Value>
  void operator()(const Value& value, std::uint64_t) const {
    value.fetch_add(1);
  }
};
struct Update {
  template <class Value>
  void operator()(const Value& value, std::uint64_t) const {
    value.update([](Number& number) { ++number; });
  }
};

template <class Value, class Operation>
Sample measure() {
  return alone([](const Worker& worker, const Place& place) {
    const Value value(place);
    report_time_of(worker, [&](std::uint64_t n) {
      value.store(0);
      for (std::uint64_t i = 0; i < n; ++i) Operation{}(value, i);
      const Number expected = std::is_same_v<Operation, Load> ? 0 : static_cast<Number>(n);
      if (value.load() != expected) throw std::runtime_error("holds another number");
    });
  });
}

template <class Operation>
Case compare(const char* name) {
  return {std::string("value.") + name,
          std::string(name) + " of a 64-bit number",
          "std::atomic",
          {{"shoal::Value", measure<Shoal, Operation>},
           {"std::atomic", measure<Standard, Operation>, true}}};
}

}  // namespace

std::vector<Case> value_cases() {
  return {compare<Load>("load"), compare<Store>("store"), compare<FetchAdd>("fetch_add"),
          compare<Update>("update")};
}

}  // namespace bench
