// SPDX-License-Identifier: MIT
#include "shoal/array.hpp"

#include <optional>
#include <stdexcept>
#include <string>

#include "object.hpp"

namespace shoal::detail {

OpenedObject open_array(const Segment& segment, std::string_view name, const ArrayShape& shape,
                        std::string_view type, std::optional<std::size_t> count, Open open) {
  Blueprint blueprint;
  blueprint.kind = Kind::array;
  blueprint.type = type;
  blueprint.size = shape.size;
  blueprint.alignment = shape.alignment;
  blueprint.bytes = count ? shape.bytes(*count) : kWhateverIsThere;
  blueprint.least_bytes = shape.data_at();
  blueprint.of_any_size = true;
  blueprint.init = [](void* memory, const void*) {
    static_cast<ArrayWord*>(memory)->writer.inherits.store(1, std::memory_order_relaxed);
  };
  OpenedObject opened = open_object(segment, name, blueprint, open);
  const std::size_t there = shape.count(opened.bytes);
  if (count && there != *count)
    throw TypeMismatch(described(*opened.object) + ": has " + std::to_string(there) +
                       " elements, and was opened as one of " + std::to_string(*count) +
                       "; leave the size out to open it as it is, or erase it");
  return opened;
}

void throw_out_of_range(std::size_t index, std::size_t size) {
  throw std::out_of_range("shoal: Array: index " + std::to_string(index) + " of " +
                          std::to_string(size) + " elements");
}

}  // namespace shoal::detail
