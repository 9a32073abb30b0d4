// SPDX-License-Identifier: MIT
#include "shoal/array.hpp"

#include <stdexcept>
#include <string>

namespace shoal::detail {

OpenedObject open_array(const Segment& segment, std::string_view name, const ArrayShape& shape,
                        std::string_view type, std::size_t count, Open open) {
  Blueprint blueprint;
  blueprint.kind = Kind::array;
  blueprint.type = type;
  blueprint.size = shape.size;
  blueprint.alignment = shape.alignment;
  blueprint.bytes = count == kWhateverItsSize ? kWhateverIsThere : shape.bytes(count);
  blueprint.least_bytes = shape.data_at();
  blueprint.init = [](void* memory, const void*) {
    static_cast<ArrayWord*>(memory)->writer.inherits.store(1, std::memory_order_relaxed);
  };
  return open_object(segment, name, blueprint, open);
}

void throw_out_of_range(std::size_t index, std::size_t size) {
  throw std::out_of_range("shoal: Array: index " + std::to_string(index) + " of " +
                          std::to_string(size) + " elements");
}

}  // namespace shoal::detail
