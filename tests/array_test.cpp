// SPDX-License-Identifier: MIT
//
// What include/shoal/array.hpp promises, one promise per case.

#include "shoal/array.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

#include "shoal/fixed_string.hpp"
#include "support/child.hpp"
#include "support/expect.hpp"
#include "support/gate.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using shoal::Array;
using shoal::Segment;

namespace {

using Large = std::array<std::uint32_t, 25>;  // 100 bytes

Large filled(std::uint32_t value) {
  Large large;
  large.fill(value);
  return large;
}
bool is_whole(const Large& large) {
  return std::all_of(large.begin(), large.end(), [&](auto word) { return word == large[0]; });
}

}  // namespace

TEST_SUITE_BEGIN("Array");

TEST_CASE("is zero at first, and of the size its creator gave") {
  const Segment segment = Segment::anonymous();
  const Array<int> numbers(segment, "n", 1000);
  CHECK(numbers.size() == 1000);
  CHECK(std::accumulate(numbers.begin(), numbers.end(), 0) == 0);
  CHECK(Array<int>(segment, "n").size() == 1000);
  CHECK_THROWS_WITH_AS(Array<int>(segment, "n", 999), doctest::Contains("has 1000 elements"),
                       shoal::TypeMismatch);
  CHECK(throws<shoal::TypeMismatch>([&] { Array<int>(segment, "n", SIZE_MAX); }));
  CHECK(throws<shoal::NoSpace>([&] { Array<int>(segment, "too.large", SIZE_MAX); }));
  CHECK(throws<shoal::TypeMismatch>([&] { Array<unsigned>(segment, "n", 1000); }));
  CHECK(throws<shoal::NotFound>([&] { Array<int>(segment, "none"); }));
}

TEST_CASE("is a range, a span, and checks its index where asked") {
  const Segment segment = Segment::anonymous();
  const Array<double> samples(segment, "s", 4);
  std::iota(samples.begin(), samples.end(), 1.0);
  CHECK(samples[3] == 4.0);
  CHECK(samples.at(0) == 1.0);
  CHECK(samples.span().back() == samples.load(3));
  CHECK(samples.data() + 4 == samples.end());
  CHECK(throws<std::out_of_range>([&] { static_cast<void>(samples.at(4)); }));
  CHECK(throws<std::out_of_range>([&] { static_cast<void>(samples.load(4)); }));
  CHECK(throws<std::out_of_range>([&] { samples.store(std::size_t(-1), 0); }));
}

TEST_CASE("may be empty") {
  const Segment segment = Segment::anonymous();
  const Array<int> nothing(segment, "n", 0);
  CHECK(nothing.empty());
  CHECK(nothing.begin() == nothing.end());
  CHECK(Array<int>(segment, "n").size() == 0);
}

TEST_CASE("one too large for the segment, or for any, is no space") {
  const Segment segment = Segment::anonymous();
  CHECK(throws<shoal::NoSpace>([&] { Array<double>(segment, "n", 100'000'000); }));
  CHECK(throws<shoal::NoSpace>([&] { Array<double>(segment, "n", std::size_t(-1) / 2); }));
  CHECK(segment.objects().empty());
}

TEST_CASE("other processes see what is stored, and write their own elements") {
  TempName name;
  const Segment segment(name);
  const Array<shoal::FixedString<15>> names(segment, "names", 4);
  names.store(0, "James");
  CHECK(ExecChild("array.names", name.str()).succeeds());
  CHECK(names.load(1) == "Tom");
}

TEST_CASE("an element too large for an atomic is never torn") {
  const Segment segment = Segment::anonymous();
  const Array<Large> array(segment, "a", 3);
  constexpr std::uint32_t kRounds = 3'000;
  std::vector<Child> writers;
  for (std::uint32_t writer = 0; writer < 2; ++writer)
    writers.emplace_back([&, writer] {
      for (std::uint32_t i = 0; i < kRounds; ++i) array.store(1, filled(2 * i + writer));
    });
  for (std::uint32_t i = 0; i < kRounds; ++i) REQUIRE(is_whole(array.load(1)));
  for (Child& writer : writers) CHECK(writer.succeeds());
  CHECK(array.load(0)[0] == 0);
  CHECK(array.load(2)[0] == 0);
}

TEST_CASE("a writer killed in the middle of stores leaves each element whole") {
  const Segment segment = Segment::anonymous();
  const Array<Large> array(segment, "a", 2);
  for (int round = 0; round < 30; ++round) {
    Gate writing;
    Child victim([&]() -> bool {
      for (std::uint32_t i = 0;; ++i) {
        array.store(i % 2, filled(i));
        writing.open();
      }
    });
    writing.wait();
    victim.kill();
    REQUIRE(is_whole(array.load(0)));
    REQUIRE(is_whole(array.load(1)));
    array.store(0, filled(7));
  }
}

TEST_CASE("its lock is for whoever writes the elements themselves") {
  const Segment segment = Segment::anonymous();
  const Array<int> array(segment, "a", 2);
  const auto count = [&] {
    for (int i = 0; i < 2'000; ++i) {
      const std::scoped_lock held(array.get_lock());
      ++array[0];
      ++array[1];
    }
  };
  Child other(count);
  count();
  CHECK(other.succeeds());
  CHECK(array[0] == 4'000);
  CHECK(array[1] == 4'000);
}

TEST_SUITE_END();
