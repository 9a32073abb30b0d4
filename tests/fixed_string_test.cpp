// SPDX-License-Identifier: MIT

// The promises of shoal/fixed_string.hpp.

#include <doctest/doctest.h>

#include <cstring>
#include <set>
#include <shoal/shoal.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "support/child.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using shoal::FixedString;
using shoal::Open;
using shoal::Segment;
using shoal::Value;

namespace {

static_assert(std::is_trivially_copyable_v<FixedString<32>>);
static_assert(shoal::Shareable<FixedString<32>>);
static_assert(FixedString<5>("abc").size() == 3, "it works at compile time");
static_assert(FixedString<5>::capacity() == 5);
static_assert(FixedString<5>().empty());
static_assert(std::has_unique_object_representations_v<FixedString<5>>);

// Whether two types can be compared at all.
template <class A, class B>
concept Comparable = requires(const A& a, const B& b) {
  a == b;
  b == a;
  a != b;
};
template <class A, class B>
concept Ordered = requires(const A& a, const B& b) {
  a < b;
  b < a;
};
static_assert(Comparable<FixedString<5>, FixedString<5>>);
static_assert(Comparable<FixedString<5>, std::string_view>);
static_assert(Comparable<FixedString<5>, std::string>);
static_assert(Comparable<FixedString<5>, const char*>);

}  // namespace

TEST_CASE("a FixedString holds text of up to its room, and no more") {
  CHECK(FixedString<5>("").size() == 0);
  CHECK(FixedString<5>("abcde").view() == "abcde");
  CHECK(FixedString<5>("abcde").c_str()[5] == '\0');
  CHECK(FixedString<0>("").empty());
  CHECK_THROWS_AS(FixedString<5>("abcdef"), std::length_error);
  CHECK_THROWS_AS(FixedString<0>("a"), std::length_error);
  CHECK_THROWS_AS(FixedString<5>(std::string(6, 'a')), std::length_error);
}

TEST_CASE("text with a zero byte in it throws, and is not cut off") {
  using namespace std::string_view_literals;
  CHECK_THROWS_AS(FixedString<5>("a\0b"sv), std::invalid_argument);
  CHECK_THROWS_AS(FixedString<5>("\0"sv), std::invalid_argument);
  CHECK_THROWS_AS(FixedString<5>(std::string("ab\0", 3)), std::invalid_argument);
}

TEST_CASE("a FixedString is made from and turns into every kind of text") {
  const FixedString<8> from_literal = "text";
  const FixedString<8> from_view = std::string_view("text");
  const FixedString<8> from_string = std::string("text");
  CHECK(from_literal == from_view);
  CHECK(from_view == from_string);
  CHECK(from_literal.str() == "text");
  const std::string_view view = from_literal;
  CHECK(view == "text");
  CHECK(std::strcmp(from_literal.c_str(), "text") == 0);
  std::ostringstream out;
  out << from_literal;
  CHECK(out.str() == "text");
}

TEST_CASE("a FixedString compares as its text does") {
  const FixedString<8> text = "mm";
  CHECK(text == "mm");
  CHECK("mm" == text);
  CHECK(text == std::string("mm"));
  CHECK(text == std::string_view("mm"));
  CHECK(text != "m");
  CHECK(text != "mmm");
  CHECK(FixedString<8>("a") < FixedString<8>("b"));
  CHECK(FixedString<8>("a") < FixedString<8>("aa"));
  CHECK(FixedString<8>("\x7f") < FixedString<8>("\xc3\xa9"));  // as std::string: bytes are unsigned
  CHECK(std::set<FixedString<8>>{"b", "a", "b"}.size() == 2);
}

TEST_CASE("a FixedString may be compared with text that is longer than its room") {
  const FixedString<2> text = "mm";
  const std::string longer = "mmmmmm";
  CHECK_FALSE(text == "mmmmmm");
  CHECK_FALSE(text == longer);
  CHECK_FALSE(text == std::string_view(longer));
  CHECK_NOTHROW(static_cast<void>(text < "mmmmmm"));
  CHECK_NOTHROW(static_cast<void>(text > "mmmmmm"));
}

TEST_CASE("a FixedString is ordered among every kind of text, and equal to one of other room") {
  CHECK(Ordered<FixedString<5>, FixedString<5>>);
  CHECK(Ordered<FixedString<5>, const char*>);
  CHECK(Ordered<FixedString<5>, std::string>);
  CHECK(Ordered<FixedString<5>, std::string_view>);
  CHECK(Comparable<FixedString<5>, FixedString<6>>);
  CHECK(Ordered<FixedString<5>, FixedString<6>>);
}

TEST_CASE("equal texts have equal bytes, whatever was there before") {
  FixedString<16> text = "a long text here";
  text = "short";
  const FixedString<16> other = "short";
  CHECK(std::memcmp(&text, &other, sizeof text) == 0);
}

TEST_CASE("text in a Value: store, load, exchange, compare_exchange, update") {
  const TempName name;
  const Segment segment(name);
  const Value<FixedString<32>> text(segment, "name", "James");
  CHECK(text.load() == "James");
  text.store("Larry");
  CHECK(text.exchange("Kirk") == "Larry");
  FixedString<32> expected = "Larry";
  CHECK_FALSE(text.compare_exchange(expected, "Rob"));
  CHECK(expected == "Kirk");
  CHECK(text.compare_exchange(expected, "Rob"));
  text.update([](FixedString<32>& t) { t = t.str() + "ert"; });
  CHECK(text.load() == "Robert");
  CHECK_THROWS_AS(text.update([](FixedString<32>& t) { t = std::string(33, 'x'); }),
                  std::length_error);
  CHECK(text.load() == "Robert");
  CHECK(Value<FixedString<32>>(segment, "empty").load().empty());
}

TEST_CASE("text of eight bytes in all is a lock-free Value and works alike") {
  const TempName name;
  const Segment segment(name);
  const Value<FixedString<7>> text(segment, "t", "abc");
  Child child([&] {
    FixedString<7> expected = "abc";
    return text.compare_exchange(expected, "defghij");
  });
  CHECK(child.succeeds());
  CHECK(text.load() == "defghij");
}

TEST_CASE("texts of different room are different types") {
  const TempName name;
  const Segment segment(name);
  const Value<FixedString<32>> text(segment, "t");
  CHECK_THROWS_AS(Value<FixedString<33>>(segment, "t"), shoal::TypeMismatch);
  CHECK(shoal::TypeName<FixedString<0>>::value == "text0");
  CHECK(shoal::TypeName<FixedString<9>>::value == "text9");
  CHECK(shoal::TypeName<FixedString<10>>::value == "text10");
  CHECK(shoal::TypeName<FixedString<99>>::value == "text99");
  CHECK(shoal::TypeName<FixedString<12345>>::value == "text12345");
}
