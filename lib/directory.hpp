// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "mapping.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/segment.hpp"

namespace shoal::detail {

// The objects of a segment by name. States and their owners stand above ObjectRecord, in
// format.hpp. All of these require the directory lock.
//
// What each step of construct() and erase() leaves behind when its process is killed right after
// it:
//
//   construct   the record filled in     a free record, whatever it says
//               state = building         a range that the next one to construct takes back
//               memory, init             the same
//               state = live             the object
//   erase       state = erased           a range that is taken back when nobody alive has it open
//   reclaim     pages given back         the same; once more
//               state = free             free

// The index of a live object. Throws Corrupted where the table cannot be right.
std::optional<std::uint32_t> find(const Mapping& mapping, std::string_view name);

// Throws TypeMismatch where it is not what the blueprint asks for, Corrupted where it cannot be.
Extent check(const Mapping& mapping, std::uint32_t index, const Blueprint& blueprint);

// Makes an object; its name must be free. Throws NoSpace, and has changed nothing then.
std::uint32_t construct(const Mapping& mapping, std::string_view name, const Blueprint& blueprint,
                        Extent& extent);

// False where there is none.
bool erase(const Mapping& mapping, std::string_view name);

// Buries the dead, and takes back what they alone had open.
void tidy(const Mapping& mapping);
std::uint64_t used_bytes(const Mapping& mapping);
std::vector<ObjectInfo> list_objects(const Mapping& mapping);

}  // namespace shoal::detail
