// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "shoal/detail/block_word.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/detail/queue_handle.hpp"
#include "shoal/open.hpp"
#include "shoal/segment.hpp"

namespace shoal::detail {

// Where everything is in a queue's memory.
struct QueueLayout {
  std::uint64_t capacity;
  std::uint64_t slot_bytes;
  std::uint64_t blocks;
  std::uint64_t block_bytes;
  std::uint64_t bytes_asked;  // of a queue of varying items: what its creator wanted room for
  std::uint64_t alignment;    // of a block
  std::uint64_t head;         // bytes before the slots

  [[nodiscard]] std::uint64_t slots_at() const { return up(head, 64); }
  [[nodiscard]] std::uint64_t blocks_at() const {
    return up(slots_at() + capacity * slot_bytes, 64);
  }
  [[nodiscard]] std::uint64_t data_at() const {
    return up(blocks_at() + blocks * sizeof(BlockWord), std::max<std::uint64_t>(alignment, 64));
  }
  [[nodiscard]] std::uint64_t stride() const { return up(block_bytes, alignment); }
  [[nodiscard]] std::uint64_t bytes() const { return data_at() + blocks * stride(); }

 private:
  static constexpr std::uint64_t up(std::uint64_t value, std::uint64_t to) {
    return (value + to - 1) / to * to;
  }
};

// Opens or makes the object. Throws as open_object(); std::invalid_argument.
OpenedObject open_queue(const Segment& segment, std::string_view name, Kind kind,
                        const QueueItem& item, const QueueOptions& options, Open open);

// What an open queue says of itself. Throws Corrupted where that cannot be, TypeMismatch where the
// options ask for something else.
QueueLayout layout_of(const Segment& segment, const OpenedObject& opened, const QueueItem& item,
                      const QueueOptions& options);

}  // namespace shoal::detail
