// SPDX-License-Identifier: MIT
#include "queue_layout.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>

#include "kinds.hpp"
#include "mapping.hpp"
#include "object.hpp"
#include "shoal/error.hpp"

namespace shoal::detail {
namespace {

constexpr std::uint64_t kDefaultCapacity = 1024;
constexpr std::uint64_t kDefaultBytes = 4 << 20;

// What a new queue of varying items has: blocks of such a size that a small item wastes little, and a
// large one does not take too many; and one more for each item than the bytes take, for its last one
// may be nearly empty. So there is room for as many items as the queue takes, however small or large,
// as long as all of them are no more than `bytes`.
void lay_out_varying(QueueLayout& layout, std::uint64_t bytes) {
  layout.bytes_asked = bytes;
  layout.block_bytes = std::clamp<std::uint64_t>(std::bit_floor(bytes / layout.capacity), 64, 1024);
  layout.alignment = 1;
  layout.blocks = layout.capacity + bytes / layout.block_bytes + 2;
  if (layout.blocks > kMostBlocks)
    throw std::invalid_argument("shoal: Queue: capacity is " + std::to_string(layout.capacity) +
                                " items of varying size: it takes fewer than " +
                                std::to_string(kMostBlocks));
}

void check_options(const QueueOptions& options) {
  if (options.capacity > kLargestQueue)
    throw std::invalid_argument("shoal: Queue: capacity is " + std::to_string(options.capacity) +
                                ": it takes 1 to " + std::to_string(kLargestQueue));
  if (options.bytes > kMostBlocks)
    throw std::invalid_argument("shoal: Queue: bytes is " + std::to_string(options.bytes) +
                                ": it takes at most " + std::to_string(kMostBlocks));
}

QueueLayout lay_out(const Segment& segment, Kind kind, const QueueItem& item,
                    const QueueOptions& options) {
  QueueLayout layout{};
  layout.capacity = options.capacity != 0 ? options.capacity : kDefaultCapacity;
  layout.slot_bytes = item.slot_bytes();
  layout.blocks = layout.capacity;
  layout.block_bytes = item.size;
  layout.alignment = item.alignment;
  layout.head = least_bytes(kind, max_processes(segment));
  if (item.varies())
    lay_out_varying(layout, options.bytes != 0
                                ? options.bytes
                                : std::min<std::uint64_t>(kDefaultBytes, segment.capacity() / 4));
  return layout;
}

struct Creation {
  QueueLayout layout;
  Kind kind;
};

void init(void* memory, const void* argument) {
  const auto& [layout, kind] = *static_cast<const Creation*>(argument);
  auto& word = *static_cast<QueueWord*>(memory);
  word.capacity = layout.capacity;
  word.slot_bytes = layout.slot_bytes;
  word.blocks = layout.blocks;
  word.block_bytes = layout.block_bytes;
  word.bytes_asked = layout.bytes_asked;
  if (kind == Kind::joinable_queue)
    join_word(word).lock.inherits.store(1, std::memory_order_relaxed);
  auto* const slots = static_cast<std::byte*>(memory) + layout.slots_at();
  for (std::uint64_t i = 0; i < layout.capacity; ++i)
    reinterpret_cast<std::atomic<std::uint64_t>*>(slots + i * layout.slot_bytes)
        ->store(slot_word(i, SlotState::empty), std::memory_order_relaxed);
}

// What the queue says of itself, once it has been checked.
QueueLayout checked_layout(const Segment& segment, Kind kind, const QueueItem& item,
                           const QueueWord& word, std::uint64_t bytes, const std::string& what) {
  QueueLayout layout = lay_out(segment, kind, item, {});
  layout.capacity = word.capacity;
  layout.blocks = word.blocks;
  layout.block_bytes = word.block_bytes;
  layout.bytes_asked = word.bytes_asked;
  const bool possible = layout.capacity >= 1 && layout.capacity <= kLargestQueue &&
                        word.slot_bytes == layout.slot_bytes &&
                        layout.blocks >= layout.capacity + (item.varies() ? 1 : 0) &&
                        layout.blocks <= kLargestQueue && layout.block_bytes >= 1 &&
                        layout.blocks <= bytes / layout.block_bytes && layout.bytes() == bytes;
  if (!possible)
    throw Corrupted(what + ": its sizes have been written over; erase it, or remove the segment");
  return layout;
}

void compare(const QueueLayout& layout, const QueueItem& item, const QueueOptions& options,
             const std::string& what) {
  if (options.capacity != 0 && options.capacity != layout.capacity)
    throw TypeMismatch(what + ": has room for " + std::to_string(layout.capacity) +
                       " items, and was opened as one of " + std::to_string(options.capacity) +
                       ": give it the capacity it was made with, or none");
  if (item.varies() && options.bytes != 0 && options.bytes != layout.bytes_asked)
    throw TypeMismatch(what + ": has room for " + std::to_string(layout.bytes_asked) +
                       " bytes, and was opened as one of " + std::to_string(options.bytes) +
                       ": give it the bytes it was made with, or none");
}

}  // namespace

OpenedObject open_queue(const Segment& segment, std::string_view name, Kind kind,
                        const QueueItem& item, const QueueOptions& options, Open open) {
  check_options(options);
  const Creation creation{lay_out(segment, kind, item, options), kind};
  Blueprint blueprint;
  blueprint.kind = kind;
  blueprint.type = item.type;
  blueprint.size = item.size;
  blueprint.alignment = item.alignment;
  blueprint.bytes = creation.layout.bytes();
  blueprint.least_bytes = creation.layout.head;
  blueprint.of_any_size = true;  // what exists says how large it is; compared below
  blueprint.argument = &creation;
  blueprint.init = init;
  return open_object(segment, name, blueprint, open);
}

QueueLayout layout_of(const Segment& segment, const OpenedObject& opened, const QueueItem& item,
                      const QueueOptions& options) {
  const std::string what = described(*opened.object);
  const auto& word = *static_cast<const QueueWord*>(opened.memory);
  const QueueLayout layout =
      checked_layout(segment, opened.object->kind(), item, word, opened.bytes, what);
  compare(layout, item, options, what);
  return layout;
}

}  // namespace shoal::detail
