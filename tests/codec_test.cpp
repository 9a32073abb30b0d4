// SPDX-License-Identifier: MIT
#include "shoal/codec.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shoal/error.hpp"
#include "shoal/fixed_string.hpp"

namespace {

struct Point {
  int x;
  double y;
  bool operator==(const Point&) const = default;
};

struct NoDefault {
  explicit NoDefault(int v) : value(v) {}
  bool operator==(const NoDefault&) const = default;
  int value;
};

struct Line {
  std::string article;
  int pieces = 0;
  bool operator==(const Line&) const = default;
};
struct Order {
  std::string customer;
  std::vector<Line> lines;
  bool operator==(const Order&) const = default;
};
struct Tree {
  int value = 0;
  std::vector<Tree> children;
  bool operator==(const Tree&) const = default;
};
// Trivially copyable, but its bytes are its own business.
struct Celsius {
  float degrees;
  bool operator==(const Celsius&) const = default;
};

}  // namespace

template <>
struct shoal::Codec<Line> {
  static void write(Writer& to, const Line& line) { to.write(line.article, line.pieces); }
  static Line read(Reader& from) {
    auto article = from.read<std::string>();
    return {article, from.read<int>()};
  }
};
template <>
struct shoal::Codec<Order> {
  static void write(Writer& to, const Order& order) { to.write(order.customer, order.lines); }
  static Order read(Reader& from) {
    auto customer = from.read<std::string>();
    return {customer, from.read<std::vector<Line>>()};
  }
};
template <>
struct shoal::Codec<Tree> {
  static void write(Writer& to, const Tree& tree) { to.write(tree.value, tree.children); }
  static Tree read(Reader& from) {
    const int value = from.read<int>();
    return {value, from.read<std::vector<Tree>>()};
  }
};
template <>
struct shoal::Codec<Celsius> {
  static void write(Writer& to, const Celsius& t) {
    to.write(static_cast<std::int16_t>(t.degrees));
  }
  static Celsius read(Reader& from) { return {static_cast<float>(from.read<std::int16_t>())}; }
};

namespace {

using shoal::Corrupted;
using shoal::detail::decoded;
using shoal::detail::encoded;

static_assert(shoal::Transferable<int>);
static_assert(shoal::Transferable<Point>);
static_assert(shoal::Transferable<std::vector<std::pair<int, std::string>>>);
static_assert(shoal::Transferable<shoal::FixedString<8>>);
static_assert(!shoal::Transferable<int*>);
static_assert(!shoal::Transferable<std::string_view>);
static_assert(!shoal::Transferable<std::vector<const char*>>);
static_assert(!shoal::Transferable<std::pair<int, std::string_view>>);
static_assert(!shoal::Transferable<std::optional<std::span<int>>>);
static_assert(!shoal::Transferable<std::variant<int, int*>>);

template <class T>
void comes_back(const T& value) {
  const std::vector<std::byte> bytes = encoded(value);
  CHECK(decoded<T>(bytes) == value);
  // Whatever is cut off, or added, is noticed.
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_THROWS_AS((void)decoded<T>(std::span(bytes).first(size)), Corrupted);
  std::vector<std::byte> longer = bytes;
  longer.push_back(std::byte{0});
  CHECK_THROWS_AS((void)decoded<T>(longer), Corrupted);
}

// Whatever the bytes are: a value, or Corrupted.
template <class T>
void survives_damage(const T& value) {
  const std::vector<std::byte> sound = encoded(value);
  for (std::size_t at = 0; at < sound.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::vector<std::byte> bytes = sound;
      bytes[at] ^= std::byte{1} << bit;
      try {
        (void)decoded<T>(bytes);
      } catch (const Corrupted&) {
      }
    }
}

TEST_CASE("codec: shareable types go as the bytes they are") {
  comes_back(42);
  comes_back(std::numeric_limits<double>::max());
  comes_back(Point{1, 2.5});
  comes_back(NoDefault(7));
  comes_back(shoal::FixedString<8>("James"));
  comes_back(std::array<int, 3>{1, 2, 3});
  comes_back(std::monostate());
  CHECK(encoded(Point{1, 2.5}).size() == sizeof(Point));
}

TEST_CASE("codec: text, vectors, pairs, tuples, optionals, variants, arrays") {
  comes_back(std::string());
  comes_back(std::string("with a \0 in it", 14));
  comes_back(std::u16string(u"wide"));
  comes_back(std::vector<int>());
  comes_back(std::vector<int>{1, 2, 3});
  comes_back(std::vector<NoDefault>{NoDefault(1), NoDefault(2)});
  comes_back(std::vector<bool>{true, false, true});
  comes_back(std::pair(1, std::string("one")));
  comes_back(std::tuple<int, std::string, double>(1, "one", 1.0));
  comes_back(std::vector<std::tuple<>>(3));
  comes_back(std::optional<int>());
  comes_back(std::optional<std::string>("here"));
  comes_back(std::variant<int, std::string>("two"));
  comes_back(std::variant<int, std::string>(2));
  comes_back(std::array<std::string, 3>{"a", "b", "c"});
  comes_back(std::vector<std::array<std::string, 0>>(3));
}

TEST_CASE("codec: maps and sets") {
  comes_back(std::map<std::string, int>{{"one", 1}, {"two", 2}});
  comes_back(std::unordered_map<int, std::string>{{1, "one"}, {2, "two"}});
  comes_back(std::set<std::string>{"a", "b"});
  comes_back(std::unordered_set<int>{1, 2, 3});
}

TEST_CASE("codec: compositions to any depth") {
  using Row = std::vector<std::pair<int, std::string>>;
  comes_back(Row{{1, "one"}, {2, ""}});
  comes_back(std::map<std::string, std::vector<std::optional<Row>>>{
      {"rows", {Row{{1, "one"}}, std::nullopt}}, {"none", {}}});
  comes_back(std::variant<Row, std::tuple<bool, std::vector<bool>>>(
      std::tuple(true, std::vector<bool>{false})));
}

TEST_CASE("codec: a user's type, alone and within others") {
  comes_back(Order{"Ada", {{"screw", 12}, {"nut", 11}}});
  comes_back(std::optional<std::vector<Order>>({{"Ada", {}}, {"Bo", {{"bolt", 1}}}}));
  comes_back(Tree{1, {{2, {}}, {3, {{4, {}}}}}});
  comes_back(std::vector<Celsius>{{20}, {-4}});
  CHECK(encoded(Celsius{20}).size() == 2);
  CHECK(encoded(std::vector<Celsius>{{20}, {-4}}).size() == 8 + 2 * 2);
}

TEST_CASE("codec: a count that cannot be is Corrupted, and nothing is allocated for it") {
  for (const std::uint64_t count : {std::uint64_t{9}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    std::vector<std::byte> bytes = encoded(count);
    bytes.resize(16);
    CHECK_THROWS_AS((void)decoded<std::string>(bytes), Corrupted);
    CHECK_THROWS_AS((void)decoded<std::vector<int>>(bytes), Corrupted);
    CHECK_THROWS_AS((void)decoded<std::vector<std::string>>(bytes), Corrupted);
    CHECK_THROWS_AS((void)decoded<std::vector<std::tuple<>>>(bytes), Corrupted);
    CHECK_THROWS_AS((void)decoded<std::vector<bool>>(bytes), Corrupted);
    CHECK_THROWS_AS((void)decoded<std::set<std::string>>(bytes), Corrupted);
  }
}

TEST_CASE("codec: a bool that is neither, a variant that is none of its types are Corrupted") {
  const std::vector<std::byte> two = encoded(std::uint8_t{2});
  CHECK_THROWS_AS((void)decoded<bool>(two), Corrupted);
  CHECK_THROWS_AS((void)decoded<std::optional<bool>>(two), Corrupted);
  using Either = std::variant<std::uint8_t, std::monostate>;
  CHECK_THROWS_AS((void)decoded<Either>(encoded(std::pair(std::uint8_t{2}, 'x'))), Corrupted);
}

TEST_CASE("codec: any damage gives a value or Corrupted") {
  survives_damage(Order{"Ada", {{"screw", 12}, {"nut", 11}}});
  survives_damage(std::map<std::string, std::vector<bool>>{{"one", {true}}, {"two", {}}});
  survives_damage(std::vector<std::variant<int, std::string>>{1, "two"});
}

TEST_CASE("codec: what is encoded into a buffer replaces what was there") {
  std::vector<std::byte> buffer = encoded(std::string("long ago"));
  shoal::detail::encode(42, buffer);
  CHECK(decoded<int>(buffer) == 42);
}

}  // namespace
