// SPDX-License-Identifier: MIT
#include <cstring>

#include "shoal/detail/value_bytes.hpp"

namespace shoal::detail {
namespace {

struct Initial {
  const void* bytes;
  ValueShape shape;
};

// The memory is all zero.
void init_value(void* memory, const void* argument) {
  const auto& initial = *static_cast<const Initial*>(argument);
  static_cast<ValueWord*>(memory)->writer.inherits.store(1, std::memory_order_relaxed);
  if (initial.bytes)
    std::memcpy(static_cast<std::byte*>(memory) + initial.shape.data_at(), initial.bytes,
                initial.shape.size);
}

}  // namespace

OpenedObject open_value(const Segment& segment, std::string_view name, const ValueShape& shape,
                        std::string_view type, const void* initial, Open open) {
  const Initial argument{initial, shape};
  Blueprint blueprint;
  blueprint.kind = Kind::value;
  blueprint.type = type;
  blueprint.size = shape.size;
  blueprint.alignment = shape.alignment;
  blueprint.bytes = shape.bytes();
  blueprint.init = init_value;
  blueprint.argument = &argument;
  return open_object(segment, name, blueprint, open);
}

}  // namespace shoal::detail
