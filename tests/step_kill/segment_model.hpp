// SPDX-License-Identifier: MIT
#pragma once

// What a segment must be, whatever its users were killed doing.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "shoal/segment.hpp"

namespace shoal_test {

template <std::size_t N>
using Bytes = std::array<std::uint8_t, N>;

template <std::size_t N>
Bytes<N> filled(std::uint8_t byte) {
  Bytes<N> bytes;
  bytes.fill(byte);
  return bytes;
}

// Two objects with known bytes: with others between them, if these are made in between.
void make_neighbour(const shoal::Segment& segment, int which);  // 0 or 1

// "" or what is wrong. Nobody alive may have an object of it open.
//
// The neighbours have their bytes; no more is used than what objects take; all object records can be
// used, and then nothing is in use, and one object can have all of the memory, which is zero. It is
// empty afterwards.
std::string check_segment(const shoal::Segment& segment, int neighbours = 2);

// "" or what is wrong: so many more processes can join it, and use its lock `name`; and no more.
// Who is about to end may take half a second for it.
std::string check_places(const shoal::Segment& segment, std::size_t places);

}  // namespace shoal_test
