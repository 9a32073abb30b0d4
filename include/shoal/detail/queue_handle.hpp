// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "shoal/detail/deadline.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/detail/queue_word.hpp"
#include "shoal/detail/watch.hpp"
#include "shoal/open.hpp"

namespace shoal {

// What the creator of a queue decides. Who opens one need not say it; what is said must agree.
struct QueueOptions {
  std::size_t capacity = 0;  // items, up to 2^31; 0: 1024 when creating
  std::size_t bytes =
      0;  // room for all of them, where their size varies; 0: 4 MiB, or a quarter of
          // the segment
};

namespace detail {

// What items of a type ask of a queue.
struct QueueItem {
  std::string_view type;
  std::size_t size;       // 0: varying
  std::size_t alignment;  // of an item in a block

  // A small item lies in its slot. A larger one lies in a block of its own, a varying one in as
  // many as it takes; in the slot then is a BlockItem.
  [[nodiscard]] constexpr bool is_inline() const {
    return size != 0 && size <= 64 && alignment <= alignof(std::uint64_t);
  }
  [[nodiscard]] constexpr bool varies() const { return size == 0; }
  [[nodiscard]] constexpr std::size_t slot_bytes() const;
};

struct BlockItem {
  std::uint32_t bytes;
  std::uint32_t first;
};
// A varying item that is as small as that lies in its slot, behind `bytes`.
struct VaryingItem {
  std::uint32_t bytes;
  std::uint32_t first;
  std::byte small[48];
};

constexpr std::size_t slot_of(std::size_t item_bytes) {
  return sizeof(std::uint64_t) + (item_bytes + 7) / 8 * 8;
}
template <class T>
inline constexpr std::size_t kSlotOf = slot_of(sizeof(T));

constexpr std::size_t QueueItem::slot_bytes() const {
  return slot_of(varies() ? sizeof(VaryingItem) : is_inline() ? size : sizeof(BlockItem));
}

// A queue of bytes: what all Queue<T> have in common.
class QueueHandle {
 public:
  QueueHandle(const Segment& segment, std::string_view name, Kind kind, const QueueItem& item,
              const QueueOptions& options, Open open);

  // Small items. Throw Closed. False at the deadline.
  bool push(const void* item, Deadline deadline) const;
  bool pop(void* item, Deadline deadline) const;

  // Items of varying size. Throw Closed, ItemTooLarge, Corrupted.
  bool push_bytes(std::span<const std::byte> bytes, Deadline deadline) const;
  bool pop_bytes(std::vector<std::byte>& bytes, Deadline deadline) const;

  // Room of one item, this process's. It goes with it, or with the call that gives it away.
  struct Room {
    std::uint32_t block;
    OwnerValue owner;
    void* at;
  };
  [[nodiscard]] std::optional<Room> loan(Deadline deadline) const;
  bool push_loaned(const Room& room, Deadline deadline) const;
  [[nodiscard]] std::optional<Room> take(Deadline deadline) const;
  void give_back(const Room& room) const;

  // Of a joinable one. Throws std::logic_error.
  void task_done() const;
  bool join(Deadline deadline) const;
  [[nodiscard]] std::size_t lost() const;

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t capacity() const { return ring_.shape.capacity(); }
  [[nodiscard]] bool full() const;
  [[nodiscard]] int waiting() const;
  // Whether a pop would return or throw. `closely`: after having mended what is in the way.
  [[nodiscard]] bool is_poppable(bool closely) const;
  [[nodiscard]] std::atomic<std::uint32_t>& poppers() const { return handle_.word->poppers; }
  void close() const;
  [[nodiscard]] bool closed() const {
    return (handle_.word->tail.load(std::memory_order_acquire) & kClosed) != 0;
  }

  // A small item, where nothing is in the way. Never waits.
  template <class T>
  bool push_at_once(const T& item) const {
    Intent* const intent = handle_.intent();
    if (intent == nullptr || is_lent()) return false;
    std::uint64_t position = 0;
    if (!claim_at_once<Operation::push, kSlotOf<T>>(ring_, *intent, position)) return false;
    std::memcpy(ring_.item<kSlotOf<T>>(position), &item, sizeof(T));
    fill_slot<kSlotOf<T>>(ring_, position);
    if (somebody_sleeps_after_store(ring_.word->poppers)) [[unlikely]]
      wake_poppers(1);
    return true;
  }
  template <class T>
  bool pop_at_once(T& item) const {
    Intent* const intent = handle_.intent();
    if (intent == nullptr) return false;
    std::uint64_t position = 0;
    if (!claim_at_once<Operation::pop, kSlotOf<T>>(ring_, *intent, position)) return false;
    std::memcpy(&item, ring_.item<kSlotOf<T>>(position), sizeof(T));
    empty_slot<kSlotOf<T>>(ring_, position);
    if (somebody_sleeps_after_store(ring_.word->pushers)) [[unlikely]]
      wake_pushers(1);
    return true;
  }

  // Several small items: how many of them. Of the ring a copy, for nothing that is stored may be it.
  template <class T>
  std::size_t push_some_at_once(std::span<const T> items) const {
    Intent* const intent = intent_for_several();
    if (intent == nullptr || is_lent()) return 0;
    const Ring ring = ring_;
    bring(ring.word->tail.load(std::memory_order_relaxed), items.size());
    const Claimed claimed = claim_some<Operation::push, kSlotOf<T>>(ring, *intent, items.size());
    if (claimed.count == 0) return 0;
    fill_slots<kSlotOf<T>>(ring, claimed, [&](std::uint64_t i, std::byte* item) {
      std::memcpy(item, &items[i], sizeof(T));
    });
    if (somebody_sleeps_after_store(ring.word->poppers)) [[unlikely]]
      wake_poppers(claimed.count);
    return claimed.count;
  }
  template <class T>
  std::size_t pop_some_at_once(std::span<T> items) const {
    Intent* const intent = intent_for_several();
    if (intent == nullptr) return 0;
    const Ring ring = ring_;
    bring(ring.word->head.load(std::memory_order_relaxed), items.size());
    const Claimed claimed = claim_some<Operation::pop, kSlotOf<T>>(ring, *intent, items.size());
    if (claimed.count == 0) return 0;
    empty_slots<kSlotOf<T>>(ring, claimed, [&](std::uint64_t i, const std::byte* item) {
      std::memcpy(&items[i], item, sizeof(T));
    });
    if (somebody_sleeps_after_store(ring.word->pushers)) [[unlikely]]
      wake_pushers(claimed.count);
    return claimed.count;
  }

 private:
  class Call;

  QueueHandle(const Segment& segment, const OpenedObject& opened, const QueueItem& item,
              const QueueOptions& options);

  // Relaxed: who lends room at this very moment may find the queue fuller than it was.
  [[nodiscard]] bool is_lent() const {
    return handle_.word->loaned.load(std::memory_order_relaxed) != 0;
  }
  // Also where it was not at hand: the first of several is not to go alone. Null where there are no fast
  // paths. Throws TooManyParticipants.
  [[nodiscard]] Intent* intent_for_several() const {
    Intent* const intent = handle_.intent();
    return intent != nullptr ? intent : get_intent();
  }
  [[nodiscard]] Intent* get_intent() const;
  [[nodiscard]] std::byte* at(std::uint32_t block) const { return data_ + block * stride_; }
  std::optional<Room> take_small(Call& call, Deadline deadline) const;
  std::optional<Room> take_block(Call& call, Deadline deadline) const;
  [[noreturn]] void throw_too_large(std::size_t bytes) const;
  void write(Call& call, std::uint32_t block, std::span<const std::byte> bytes) const;
  bool read(Call& call, const VaryingItem& item, std::vector<std::byte>& bytes) const;
  // Asks for so many slots' cache lines, from that position on: each would else be waited for in
  // turn, to be read and then again to be written. A hint: any position will do.
  void bring(std::uint64_t position, std::size_t count) const;
  void wake_poppers(std::uint64_t count) const;
  void wake_pushers(std::uint64_t count) const;
  // How many pushers to wake where room has become free: what is enough for one varying item may
  // not be for another.
  [[nodiscard]] int wakes() const;

  Handle<QueueWord> handle_;
  QueueItem item_;
  Ring ring_;
  std::byte* blocks_ = nullptr;  // BlockWords
  std::byte* data_ = nullptr;
  std::uint64_t block_count_ = 0;
  std::uint64_t item_blocks_ = 0;  // of a varying item, at most
  std::uint64_t block_bytes_ = 0;
  std::uint64_t stride_ = 0;
};

// Memory for the bytes of an item, which the thread keeps for the next one. Where it has come to its
// end, as in the destructors of statics, or where a Codec pushes or pops itself, memory of its own.
class ItemBytes {
 public:
  ItemBytes();
  ItemBytes(const ItemBytes&) = delete;
  ItemBytes& operator=(const ItemBytes&) = delete;
  ~ItemBytes();
  [[nodiscard]] std::vector<std::byte>& operator*() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

// For wait_any().
std::shared_ptr<Watch> watch_of(const QueueHandle& queue);

}  // namespace detail
}  // namespace shoal
