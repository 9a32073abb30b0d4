// SPDX-License-Identifier: MIT

// The promises of shoal/type_name.hpp and shoal/shareable.hpp: which T may be shared, and when two
// programs mean the same one.

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <shoal/shoal.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "support/child.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using shoal::Segment;
using shoal::Shareable;
using shoal::TypeName;
using shoal::Value;

namespace type_name_test {

struct Tick {
  std::int64_t time;
  double price;
};
struct Tock {
  std::int64_t time;
  double price;
};
struct Old {
  int n;
};
struct New {
  int n;
};
enum class Color : std::uint8_t { red, green };
enum class Taste : std::uint8_t { sweet, sour };

// Both sides of a template whose arguments have brackets in their names.
template <class A, class B>
struct Two {
  A* nothing() const;
  B second;
};
template <class Signature>
struct Tagged {
  int n;
};

template <class T>
struct Grid {
  struct Cell {
    T value;
  };
  template <class U>
  struct Pair {
    T first;
    U second;
  };
};
template <class T, class U = int>
struct Defaulted {
  T first;
  U second;
};
template <class T, int N>
struct Vec {
  T at[N];
};
template <auto N>
struct Number {
  int n;
};

struct alignas(8192) TooAligned {
  char c;
};
struct alignas(4096) JustAligned {
  char c;
};
struct NotTrivial {
  NotTrivial(const NotTrivial& other) : n(other.n) {}
  int n;
};

}  // namespace type_name_test

template <>
struct shoal::TypeName<type_name_test::Old> {
  static constexpr std::string_view value = "tick.v2";
};
template <>
struct shoal::TypeName<type_name_test::New> {
  static constexpr std::string_view value = "tick.v2";
};

namespace {

using namespace type_name_test;

struct Unseen {
  int n;
};

static_assert(TypeName<long>::value == "int64");
static_assert(TypeName<long long>::value == "int64");
static_assert(TypeName<int>::value == "int32");
static_assert(TypeName<short>::value == "int16");
static_assert(TypeName<signed char>::value == "int8");
static_assert(TypeName<unsigned char>::value == "uint8");
static_assert(TypeName<unsigned long>::value == "uint64");
static_assert(TypeName<unsigned long long>::value == "uint64");
static_assert(TypeName<std::size_t>::value == "uint64");
static_assert(TypeName<bool>::value == "bool");
static_assert(TypeName<float>::value == "float32");
static_assert(TypeName<double>::value == "float64");

// Others are named alike by both compilers: these are what both say. Of templates of types by the
// names of their arguments,
static_assert(TypeName<std::string>::value == "std::string");
static_assert(TypeName<std::wstring>::value == "std::basic_string<int32>");
static_assert(TypeName<std::vector<long>>::value == "std::vector<int64>");
static_assert(TypeName<std::vector<long long>>::value == "std::vector<int64>");
static_assert(TypeName<std::vector<std::vector<std::string>>>::value ==
              "std::vector<std::vector<std::string>>");
static_assert(TypeName<std::pair<int, std::string>>::value == "std::pair<int32, std::string>");
static_assert(TypeName<std::tuple<>>::value == "std::tuple<>");
static_assert(TypeName<std::tuple<int, unsigned long, unsigned char>>::value ==
              "std::tuple<int32, uint64, uint8>");
static_assert(TypeName<std::optional<std::string>>::value == "std::optional<std::string>");
static_assert(TypeName<std::variant<int, std::string>>::value ==
              "std::variant<int32, std::string>");
static_assert(TypeName<std::array<std::string, 12>>::value == "std::array<std::string, 12>");
static_assert(TypeName<std::array<std::array<int, 2>, 3>>::value ==
              "std::array<std::array<int32, 2>, 3>");
static_assert(TypeName<std::map<std::string, long>>::value == "std::map<std::string, int64>");
static_assert(TypeName<std::map<int, int, std::greater<>>>::value ==
              "std::map<int32, int32, std::greater<>>");
static_assert(TypeName<std::unordered_map<std::string, std::vector<Tick>>>::value ==
              "std::unordered_map<std::string, std::vector<type_name_test::Tick>>");
static_assert(TypeName<std::set<std::string>>::value == "std::set<std::string>");
static_assert(TypeName<std::complex<double>>::value == "std::complex<float64>");
static_assert(TypeName<std::chrono::nanoseconds>::value ==
              "std::chrono::duration<int64, std::ratio<1, 1000000000>>");
static_assert(TypeName<std::chrono::steady_clock::time_point>::value ==
              "std::chrono::time_point<std::chrono::steady_clock>");
static_assert(TypeName<Defaulted<long>>::value == "type_name_test::Defaulted<int64>");
static_assert(TypeName<Defaulted<long, int>>::value == "type_name_test::Defaulted<int64>");
static_assert(TypeName<Defaulted<int, long>>::value == "type_name_test::Defaulted<int32, int64>");
static_assert(TypeName<Tagged<const std::string>>::value ==
              "type_name_test::Tagged<const std::string>");
static_assert(TypeName<Tagged<const bool>>::value == "type_name_test::Tagged<const bool>");
static_assert(TypeName<std::vector<Old>>::value == "std::vector<tick.v2>");
static_assert(TypeName<std::vector<shoal::FixedString<30>>>::value == "std::vector<text30>");
// and what is left as the compiler spells it, put right.
static_assert(TypeName<std::byte>::value == "std::byte");
static_assert(TypeName<Tick>::value == "type_name_test::Tick");
static_assert(TypeName<Color>::value == "type_name_test::Color");
static_assert(TypeName<Vec<unsigned long, 3>>::value == "type_name_test::Vec<uint64, 3>");
static_assert(TypeName<Vec<std::string, 3>>::value ==
              "type_name_test::Vec<std::basic_string<int8>, 3>");
static_assert(TypeName<Number<3>>::value == "type_name_test::Number<3>");
static_assert(TypeName<Number<3UL>>::value == "type_name_test::Number<3>");
static_assert(TypeName<Number<-3>>::value == "type_name_test::Number<-3>");
static_assert(TypeName<Number<Color::green>>::value ==
              "type_name_test::Number<type_name_test::Color::green>");
static_assert(TypeName<Grid<long>::Cell>::value == "type_name_test::Grid<int64>::Cell");
static_assert(TypeName<Grid<std::string>::Cell>::value ==
              "type_name_test::Grid<std::basic_string<int8>>::Cell");
static_assert(TypeName<Grid<std::vector<long>>::Pair<short>>::value ==
              "type_name_test::Grid<std::vector<int64>>::Pair<int16>");
static_assert(TypeName<Tagged<long(short[2], double)>>::value ==
              "type_name_test::Tagged<int64(int16*, float64)>");
static_assert(TypeName<Tagged<unsigned[3]>>::value == "type_name_test::Tagged<uint32[3]>");
static_assert(TypeName<Unseen>::value == "(anonymous namespace)::Unseen");

static_assert(Shareable<int> && Shareable<double> && Shareable<bool> && Shareable<Tick>);
static_assert(Shareable<Color> && Shareable<std::array<int, 5>> && Shareable<std::byte>);
static_assert(Shareable<std::optional<int>> && Shareable<std::complex<double>>);
static_assert(Shareable<std::chrono::nanoseconds>);
static_assert(Shareable<JustAligned>);

static_assert(!Shareable<int*> && !Shareable<const char*> && !Shareable<void*>);
static_assert(!Shareable<void (*)()> && !Shareable<int Tick::*> && !Shareable<void (Tick::*)()>);
static_assert(!Shareable<std::nullptr_t>);
static_assert(!Shareable<int&> && !Shareable<const int> && !Shareable<volatile int>);
static_assert(!Shareable<int[3]> && !Shareable<void>);
static_assert(!Shareable<std::string> && !Shareable<std::vector<int>> && !Shareable<NotTrivial>);
static_assert(!Shareable<std::string_view> && !Shareable<std::span<int>>);
static_assert(!Shareable<std::wstring_view> && !Shareable<std::span<std::byte, 4>>);
static_assert(!Shareable<std::array<int*, 2>> && !Shareable<std::optional<int*>>);
static_assert(!Shareable<std::optional<std::string_view>>);
static_assert(!Shareable<std::array<std::optional<std::span<int>>, 3>>);
static_assert(!Shareable<std::pair<int, int*>> && !Shareable<std::tuple<int, char*>>);
static_assert(!Shareable<TooAligned>);
static_assert(!Shareable<shoal::Lock> && !Shareable<Segment> && !Shareable<Value<int>>);

}  // namespace

TEST_CASE("a type that says where something is in one process's memory cannot be shared") {
  CHECK_FALSE(Shareable<std::variant<int, int*>>);
  CHECK_FALSE(Shareable<std::variant<std::string_view, int>>);
  CHECK_FALSE(Shareable<std::reference_wrapper<int>>);
  CHECK_FALSE(Shareable<std::initializer_list<int>>);
  CHECK_FALSE(Shareable<std::array<int* [2], 3>>);
  CHECK_FALSE(Shareable<std::array<std::array<std::string_view, 2>, 3>>);
  CHECK(Shareable<std::variant<int, double>>);
}

TEST_CASE("types of one layout and different names are different types") {
  const TempName name;
  const Segment segment(name);
  const Value<Tick> value(segment, "tick");
  CHECK_THROWS_WITH_AS(Value<Tock>(segment, "tick"), doctest::Contains("Tick"),
                       shoal::TypeMismatch);
  CHECK_THROWS_WITH_AS(Value<Tock>(segment, "tick"), doctest::Contains("Tock"),
                       shoal::TypeMismatch);
  const Value<Color> color(segment, "color", Color::green);
  CHECK_THROWS_AS(Value<Taste>(segment, "color"), shoal::TypeMismatch);
  CHECK_THROWS_AS(Value<std::uint8_t>(segment, "color"), shoal::TypeMismatch);
}

TEST_CASE("types that differ only behind a bracket in their names are different types") {
  CHECK(TypeName<Two<int[3], float>>::value != TypeName<Two<int[3], int>>::value);
  CHECK(TypeName<Two<int[3], float>>::value != TypeName<Two<int[3], std::uint32_t>>::value);
  CHECK(TypeName<Tagged<int(int[2])>>::value != TypeName<Tagged<int(int[2], double)>>::value);
  const TempName name;
  const Segment segment(name);
  const Value<Two<int[3], float>> value(segment, "two");
  CHECK_THROWS_AS((Value<Two<int[3], int>>(segment, "two")), shoal::TypeMismatch);
}

TEST_CASE("a type's name is one's own to fix: renamed types with one TypeName are one type") {
  const TempName name;
  const Segment segment(name);
  const Value<Old> old(segment, "n", Old{4});
  CHECK(Value<New>(segment, "n", shoal::Open::existing).load().n == 4);
  CHECK(segment.objects().front().type == "tick.v2");
}

TEST_CASE("arithmetic types are one type where kind and width are the same") {
  const TempName name;
  const Segment segment(name);
  const Value<long> a(segment, "n", -3);
  CHECK(Value<long long>(segment, "n").load() == -3);
  CHECK_THROWS_AS(Value<unsigned long>(segment, "n"), shoal::TypeMismatch);
  CHECK_THROWS_AS(Value<double>(segment, "n"), shoal::TypeMismatch);
  const Value<std::uint8_t> byte(segment, "b");
  CHECK_THROWS_AS(Value<bool>(segment, "b"), shoal::TypeMismatch);
  CHECK_THROWS_AS(Value<std::int8_t>(segment, "b"), shoal::TypeMismatch);
}

TEST_CASE("a type of the same name, size and width but another alignment is another type") {
  const TempName name;
  const Segment segment(name);
  const auto make = [&] {
    struct alignas(8) Local {
      char bytes[16];
    };
    return Value<Local>(segment, "local");
  };
  const auto open = [&] {
    struct alignas(16) Local {
      char bytes[16];
    };
    return Value<Local>(segment, "local");
  };
  const auto made = make();
  CHECK_THROWS_AS(open(), shoal::TypeMismatch);
}

TEST_CASE("a type's name longer than its room is still told apart by its end") {
  using Long = Two<Two<Two<Tick, Tock>, Two<Tick, Tock>>, Two<Two<Tick, Tock>, Two<Tick, Tock>>>;
  using Other = Two<Two<Two<Tick, Tock>, Two<Tick, Tock>>, Two<Two<Tick, Tock>, Two<Tock, Tock>>>;
  static_assert(TypeName<Long>::value.size() > 128 && sizeof(Long) == sizeof(Other));
  const TempName name;
  const Segment segment(name);
  const Value<Long> value(segment, "long");
  CHECK_NOTHROW(Value<Long>(segment, "long"));
  CHECK_THROWS_AS(Value<Other>(segment, "long"), shoal::TypeMismatch);
  CHECK(segment.objects().front().type.size() < 128);
}

TEST_CASE(
    "names too long for their room are told apart by all of them, whatever they are made of") {
  using Row = std::tuple<std::string, std::vector<long>, std::map<std::string, std::string>>;
  using Long = std::tuple<Row, Row, Row, std::vector<int>>;
  using Other = std::tuple<Row, Row, Row, std::vector<unsigned>>;
  static_assert(TypeName<Long>::value.size() > 200 && TypeName<Long>::value.ends_with("<int32>>"));
  static_assert(TypeName<Long>::value.substr(0, 200) == TypeName<Other>::value.substr(0, 200));
  const TempName name;
  const Segment segment(name);
  const shoal::Queue<Long> queue(segment, "long");
  CHECK_NOTHROW(shoal::Queue<Long>(segment, "long"));
  CHECK_THROWS_AS(shoal::Queue<Other>(segment, "long"), shoal::TypeMismatch);
}
