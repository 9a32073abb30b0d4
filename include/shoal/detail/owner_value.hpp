// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace shoal::detail {

// How a shared word names a process: by its record in the segment's table of processes, and by
// that record's generation, so that a later user of the record is somebody else.
//
//   bits    field        meaning
//   0-15    record       index in the table of processes, plus one; 0: nobody
//   16-55   generation   of the record
//   56-61   -            zero
//   62      kInherited   set while its owner holds what it took over from a dead one
//   63      kAbandoned   the owner named died while holding; nobody holds it now
using OwnerValue = std::uint64_t;

inline constexpr OwnerValue kNobody = 0;
inline constexpr OwnerValue kInherited = OwnerValue{1} << 62;
inline constexpr OwnerValue kAbandoned = OwnerValue{1} << 63;
inline constexpr int kGenerationShift = 16;
inline constexpr OwnerValue kRecordMask = 0xffff;
inline constexpr OwnerValue kGenerationMask = (OwnerValue{1} << 40) - 1;
inline constexpr OwnerValue kOwnerMask = (OwnerValue{1} << 56) - 1;

constexpr OwnerValue owner_value(std::uint32_t record, std::uint64_t generation) {
  return (record + OwnerValue{1}) | (generation & kGenerationMask) << kGenerationShift;
}
constexpr OwnerValue owner_of(OwnerValue word) { return word & kOwnerMask; }
constexpr bool is_abandoned(OwnerValue word) { return (word & kAbandoned) != 0; }
constexpr bool is_inherited(OwnerValue word) { return (word & kInherited) != 0; }

// kRecordMask, where the value names nobody: larger than any table.
constexpr std::uint32_t record_of(OwnerValue word) {
  return static_cast<std::uint32_t>((word - 1) & kRecordMask);
}
constexpr std::uint64_t generation_of(OwnerValue word) {
  return word >> kGenerationShift & kGenerationMask;
}

}  // namespace shoal::detail
