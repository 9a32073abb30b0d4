// SPDX-License-Identifier: MIT
#include "shoal/queue.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/blocks.hpp"
#include "core/joinable.hpp"
#include "core/ring.hpp"
#include "kinds.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "message.hpp"
#include "object.hpp"
#include "shoal/error.hpp"
#include "thread_record.hpp"

namespace shoal::detail {
namespace {

using core::RingOutcome;

constexpr std::uint64_t kDefaultCapacity = 1024;
constexpr std::uint64_t kDefaultBytes = 4 << 20;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) {
  return (value + to - 1) / to * to;
}

// Where everything is in a queue's memory.
struct Layout {
  std::uint64_t capacity;
  std::uint64_t slot_bytes;
  std::uint64_t blocks;
  std::uint64_t block_bytes;
  std::uint64_t alignment;  // of a block
  std::uint64_t head;       // bytes before the slots

  [[nodiscard]] std::uint64_t slots_at() const { return round_up(head, 64); }
  [[nodiscard]] std::uint64_t blocks_at() const {
    return round_up(slots_at() + capacity * slot_bytes, 64);
  }
  [[nodiscard]] std::uint64_t data_at() const {
    return round_up(blocks_at() + blocks * sizeof(BlockWord),
                    std::max<std::uint64_t>(alignment, 64));
  }
  [[nodiscard]] std::uint64_t stride() const { return round_up(block_bytes, alignment); }
  [[nodiscard]] std::uint64_t bytes() const { return data_at() + blocks * stride(); }
};

// What a new queue of varying items has: at least `bytes` in blocks of such a size that a small item
// wastes little, and a large one does not take too many.
void lay_out_varying(Layout& layout, std::uint64_t bytes) {
  layout.block_bytes = std::clamp<std::uint64_t>(std::bit_floor(bytes / 64), 64, 1024);
  layout.alignment = 1;
  layout.blocks = bytes / layout.block_bytes + 2;
}

void check_options(const QueueOptions& options) {
  if (options.capacity > kLargestQueue)
    throw std::invalid_argument("shoal: Queue: capacity is " + std::to_string(options.capacity) +
                                ": it takes 1 to " + std::to_string(kLargestQueue));
  if (options.bytes > kMostBlocks)
    throw std::invalid_argument("shoal: Queue: bytes is " + std::to_string(options.bytes) +
                                ": it takes at most " + std::to_string(kMostBlocks));
}

Layout lay_out(const Segment& segment, Kind kind, const QueueItem& item,
               const QueueOptions& options) {
  Layout layout{};
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
  Layout layout;
  Kind kind;
};

void init(void* memory, const void* argument) {
  const auto& [layout, kind] = *static_cast<const Creation*>(argument);
  auto& word = *static_cast<QueueWord*>(memory);
  word.capacity = layout.capacity;
  word.slot_bytes = layout.slot_bytes;
  word.blocks = layout.blocks;
  word.block_bytes = layout.block_bytes;
  if (kind == Kind::joinable_queue)
    join_word(word).lock.inherits.store(1, std::memory_order_relaxed);
  auto* const slots = static_cast<std::byte*>(memory) + layout.slots_at();
  for (std::uint64_t i = 0; i < layout.capacity; ++i)
    reinterpret_cast<std::atomic<std::uint64_t>*>(slots + i * layout.slot_bytes)
        ->store(slot_word(i, SlotState::empty), std::memory_order_relaxed);
}

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

// What the queue says of itself, once it has been checked.
Layout checked_layout(const Segment& segment, Kind kind, const QueueItem& item,
                      const QueueWord& word, std::uint64_t bytes, const std::string& what) {
  Layout layout = lay_out(segment, kind, item, {});
  layout.capacity = word.capacity;
  layout.blocks = word.blocks;
  layout.block_bytes = word.block_bytes;
  const bool possible = layout.capacity >= 1 && layout.capacity <= kLargestQueue &&
                        word.slot_bytes == layout.slot_bytes && layout.blocks >= 1 &&
                        layout.blocks <= kMostBlocks + 2 && layout.block_bytes >= 1 &&
                        layout.block_bytes <= bytes && layout.bytes() == bytes;
  if (!possible)
    throw Corrupted(what + ": its sizes have been written over; erase it, or remove the segment");
  return layout;
}

void compare(const Layout& layout, const QueueItem& item, const QueueOptions& options,
             const std::string& what) {
  if (options.capacity != 0 && options.capacity != layout.capacity)
    throw TypeMismatch(what + ": has room for " + std::to_string(layout.capacity) +
                       " items, and was opened as one of " + std::to_string(options.capacity) +
                       ": give it the capacity it was made with, or none");
  Layout asked = layout;
  if (!item.varies() || options.bytes == 0) return;
  lay_out_varying(asked, options.bytes);
  if (asked.blocks != layout.blocks || asked.block_bytes != layout.block_bytes)
    throw TypeMismatch(what + ": has room for " +
                       std::to_string((layout.blocks - 2) * layout.block_bytes) +
                       " bytes, and was opened as one of " + std::to_string(options.bytes) +
                       ": give it the bytes it was made with, or none");
}

[[noreturn]] void throw_no_record(const Object& object) {
  throw TooManyParticipants(
      described(object) + ": as many threads as the segment has room for (" +
      std::to_string(object.mapping().tables().header().max_threads) +
      ") use its queues; create it with more SegmentOptions::max_threads, or end one");
}

format::ThreadRecord& record_for(const Object& object) {
  join(object);
  format::ThreadRecord* const record = thread_record(object.mapping());
  if (record == nullptr) throw_no_record(object);
  const std::uint64_t serial =
      object.mapping().self_words()[kSerial].load(std::memory_order_relaxed);
  if (serial != 0) this_place = {serial, &record->intent};
  return *record;
}

}  // namespace

// One call of a slow path.
class QueueHandle::Call {
 public:
  explicit Call(const QueueHandle& queue)
      : queue_(queue),
        object_(*queue.handle_.object),
        record_(record_for(object_)),
        machine_(object_.mapping(), object_.index()),
        me_(object_.mapping().self()),
        ring_(machine_, queue.ring_, object_.mapping().tables().waiters(), record_.intent),
        blocks_(machine_, {reinterpret_cast<BlockWord*>(queue.blocks_), queue.block_count_},
                word().cursor, me_) {}

  [[nodiscard]] core::Ring<Machine>& ring() { return ring_; }
  [[nodiscard]] core::Blocks<Machine>& blocks() { return blocks_; }
  [[nodiscard]] OwnerValue me() const { return me_; }
  [[nodiscard]] std::byte* item(std::uint64_t position) const {
    return queue_.ring_.item(position);
  }

  [[nodiscard]] core::Joinable<Machine> joinable() {
    const std::uint32_t processes = object_.mapping().tables().header().max_processes;
    return {machine_, join_word(word()), accounts(word(), processes), ring_, me_};
  }
  [[nodiscard]] bool is_joinable() const { return object_.kind() == Kind::joinable_queue; }

  // False at the deadline. Throw Closed, Corrupted.
  bool claim_push(std::uint64_t& position, Deadline deadline) {
    return claimed(ring_.claim_push(position, deadline));
  }
  bool claim_pop(std::uint64_t& position, Deadline deadline) {
    return claimed(is_joinable() ? joinable().claim_pop(position, deadline)
                                 : ring_.claim_pop(position, deadline));
  }
  // Waits until there is an item, and leaves it there. False at the deadline. Throws Closed, Corrupted.
  bool wait_for_item(Deadline deadline) {
    std::uint64_t none = 0;
    return claimed(
        ring_.claim_pop(none, deadline, [this](std::uint64_t&) { return ring_.has_item(); }));
  }
  void published(std::uint64_t position) { ring_.published(position); }
  void released(std::uint64_t position) { ring_.released(position, queue_.wakes()); }

  // What a closed queue means to who waits for room.
  enum class Closing { ends_it, is_ignored };

  // Room that this call has, and gives back unless it is kept.
  class Borrowed {
   public:
    // `lent`: counted as such, before there was a block.
    Borrowed(Call& call, bool lent) : call_(call), lent_(lent) {
      if (lent_) call_.lend();
    }
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    ~Borrowed() {
      if (block_) call_.blocks_.give_back(*block_);
      if (lent_) call_.unlend();
      if (block_ || lent_) call_.wake_pushers();
    }
    // False at the deadline. Throws Closed.
    bool claim(std::uint64_t count, Deadline deadline) {
      block_ = call_.claim_blocks(count, deadline);
      return block_.has_value();
    }
    // The same, also of a closed queue: there may still be items to take.
    bool claim_in_any_case(Deadline deadline) {
      block_ = call_.claim_blocks(1, deadline, Closing::is_ignored);
      return block_.has_value();
    }
    [[nodiscard]] std::uint32_t block() const { return *block_; }
    std::uint32_t keep() {
      lent_ = false;
      return *std::exchange(block_, std::nullopt);
    }

   private:
    Call& call_;
    bool lent_;
    std::optional<std::uint32_t> block_;
  };

  // Blocks for an item. Nothing at the deadline. Throws Closed.
  std::optional<std::uint32_t> claim_blocks(std::uint64_t count, Deadline deadline,
                                            Closing closing = Closing::ends_it) {
    std::optional<std::uint32_t> first;
    wait_for_room(deadline, closing, [&](core::Glance glance) {
      first = blocks_.claim(count);
      if (!first && glance != core::Glance::quick && sweep()) first = blocks_.claim(count);
      return first.has_value();
    });
    return first;
  }
  // Room has become free elsewhere than in the ring.
  void wake_pushers() { ring_.end_operation(word().pushers, queue_.wakes()); }

  // Of a queue of small items: waits until there is room beside what is lent, `more` for the caller
  // included. False at the deadline. Throws Closed.
  bool wait_for_unlent(std::uint32_t more, Deadline deadline) {
    return wait_for_room(deadline, Closing::ends_it, [&](core::Glance glance) {
      if (is_room_unlent(more)) return true;
      if (glance == core::Glance::quick) return false;
      count_lent_anew();
      return is_room_unlent(more);
    });
  }
  void lend() { word().loaned.fetch_add(1, std::memory_order_relaxed); }
  void unlend() {
    std::uint32_t lent = word().loaned.load(std::memory_order_relaxed);
    while (lent != 0 &&
           !word().loaned.compare_exchange_weak(lent, lent - 1, std::memory_order_relaxed)) {
    }
  }
  [[nodiscard]] std::uint32_t lent() const { return word().loaned.load(std::memory_order_relaxed); }

  [[noreturn]] void throw_corrupted() const {
    throw Corrupted(described(object_) +
                    ": has been written over; erase it, or remove the segment");
  }

 private:
  [[nodiscard]] QueueWord& word() const { return *queue_.handle_.word; }

  bool claimed(RingOutcome outcome) const {
    if (outcome == RingOutcome::closed)
      throw Closed(described(object_) + ": is closed, for good; use another name for a new one");
    if (outcome == RingOutcome::corrupted) throw_corrupted();
    return outcome == RingOutcome::claimed;
  }

  template <class HasRoom>
  bool wait_for_room(Deadline deadline, Closing closing, HasRoom has_room) {
    bool found = false;
    bool closed = false;
    bool has_slept = false;
    core::wait(machine_, word().pushers, deadline, [&](core::Glance glance) {
      has_slept = deadline != kDoNotWait && glance != core::Glance::quick;
      closed = closing == Closing::ends_it && ring_.is_closed();
      found = !closed && has_room(glance);
      return found || closed ? core::Look::done : core::Look::wait;
    });
    // One wake may have stood for the room of several items, or been spent on one who gave up.
    if (has_slept) core::pass_on(machine_, word().pushers, 1);
    if (closed) claimed(RingOutcome::closed);
    return found;
  }

  bool sweep() {
    return blocks_.sweep([this](std::uint64_t position) { return ring_.is_current(position); });
  }
  bool is_room_unlent(std::uint32_t more) const {
    return ring_.size() + lent() + more <= queue_.capacity();
  }
  // Who died between the two words left `loaned` too high.
  void count_lent_anew() {
    std::uint32_t lent = this->lent();
    word().loaned.compare_exchange_strong(lent, blocks_.count_lent(), std::memory_order_relaxed);
  }

  const QueueHandle& queue_;
  const Object& object_;
  format::ThreadRecord& record_;
  Machine machine_;
  const OwnerValue me_;
  core::Ring<Machine> ring_;
  core::Blocks<Machine> blocks_;
};

QueueHandle::QueueHandle(const Segment& segment, std::string_view name, Kind kind,
                         const QueueItem& item, const QueueOptions& options, Open open)
    : QueueHandle(segment, open_queue(segment, name, kind, item, options, open), item, options) {}

QueueHandle::QueueHandle(const Segment& segment, OpenedObject opened, const QueueItem& item,
                         const QueueOptions& options)
    : handle_(opened), item_(item), ring_{handle_.word, nullptr, RingShape(1), 0, 0} {
  const Object& object = *handle_.object;
  const std::string what = described(object);
  const Layout layout =
      checked_layout(segment, object.kind(), item, *handle_.word, opened.bytes, what);
  compare(layout, item, options, what);
  auto* const memory = static_cast<std::byte*>(opened.memory);
  const std::uint64_t generation =
      object.mapping().tables().object(object.index()).generation.load(std::memory_order_relaxed);
  ring_ = {handle_.word, memory + layout.slots_at(), RingShape(layout.capacity),
           generation << 16 | (object.index() + 1), layout.slot_bytes};
  blocks_ = memory + layout.blocks_at();
  data_ = memory + layout.data_at();
  block_count_ = layout.blocks;
  block_bytes_ = layout.block_bytes;
  stride_ = layout.stride();
}

bool QueueHandle::push(const void* item, Deadline deadline) const {
  Call call(*this);
  std::uint64_t position = 0;
  if (call.lent() != 0 && !call.wait_for_unlent(1, deadline)) return false;
  if (!call.claim_push(position, deadline)) return false;
  std::memcpy(call.item(position), item, item_.size);
  call.published(position);
  return true;
}

bool QueueHandle::pop(void* item, Deadline deadline) const {
  Call call(*this);
  std::uint64_t position = 0;
  if (!call.claim_pop(position, deadline)) return false;
  std::memcpy(item, call.item(position), item_.size);
  call.released(position);
  return true;
}

std::optional<QueueHandle::Room> QueueHandle::loan(Deadline deadline) const {
  Call call(*this);
  if (item_.is_inline() && !call.wait_for_unlent(1, deadline)) return std::nullopt;
  Call::Borrowed room(call, item_.is_inline());
  if (!room.claim(1, deadline)) return std::nullopt;
  const std::uint32_t block = room.keep();
  return Room{block, call.me(), at(block)};
}

bool QueueHandle::push_loaned(const Room& room, Deadline deadline) const {
  Call call(*this);
  if (call.me() != room.owner)
    throw NotOwner(described(*handle_.object) +
                   ": push of what was lent to the process that this one was forked from");
  std::uint64_t position = 0;
  if (!call.claim_push(position, deadline)) return false;
  if (item_.is_inline()) {
    std::memcpy(call.item(position), room.at, item_.size);
    call.published(position);
    if (call.blocks().give_back(room.block)) call.unlend();
    return true;
  }
  call.blocks().queue(room.block, position);
  const BlockItem item{static_cast<std::uint32_t>(item_.size), room.block};
  std::memcpy(call.item(position), &item, sizeof item);
  call.published(position);
  return true;
}

std::optional<QueueHandle::Room> QueueHandle::take(Deadline deadline) const {
  Call call(*this);
  return item_.is_inline() ? take_small(call, deadline) : take_block(call, deadline);
}

// Out of its slot, into room that is counted as lent: the queue is as full as before. Who waits for
// an item has no such room meanwhile, else there might be none for the item.
std::optional<QueueHandle::Room> QueueHandle::take_small(Call& call, Deadline deadline) const {
  while (call.wait_for_item(deadline)) {
    Call::Borrowed room(call, true);
    if (!room.claim_in_any_case(deadline)) return std::nullopt;
    std::uint64_t position = 0;
    if (!call.claim_pop(position, kDoNotWait)) continue;  // somebody else was quicker
    std::memcpy(at(room.block()), call.item(position), item_.size);
    call.released(position);
    const std::uint32_t block = room.keep();
    return Room{block, call.me(), at(block)};
  }
  return std::nullopt;
}

std::optional<QueueHandle::Room> QueueHandle::take_block(Call& call, Deadline deadline) const {
  std::uint64_t position = 0;
  if (!call.claim_pop(position, deadline)) return std::nullopt;
  BlockItem item{};
  std::memcpy(&item, call.item(position), sizeof item);
  const bool taken = call.blocks().take(item.first, position);
  call.released(position);
  if (!taken) call.throw_corrupted();
  return Room{item.first, call.me(), at(item.first)};
}

void QueueHandle::give_back(const Room& room) const {
  if (handle_.object->mapping().self() != room.owner) return;  // lent to the parent, before a fork
  Call call(*this);
  if (!call.blocks().give_back(room.block)) return;
  if (item_.is_inline()) call.unlend();
  call.wake_pushers();
}

bool QueueHandle::push_bytes(std::span<const std::byte> bytes, Deadline deadline) const {
  VaryingItem item{static_cast<std::uint32_t>(bytes.size()), 0, {}};
  const bool small = bytes.size() <= sizeof item.small;
  const std::uint64_t count = small ? 0 : (bytes.size() - 1) / block_bytes_ + 1;
  if (count > block_count_) throw_too_large(bytes.size());
  Call call(*this);
  Call::Borrowed room(call, false);
  if (small) {
    std::copy(bytes.begin(), bytes.end(), item.small);
  } else {
    if (!room.claim(count, deadline)) return false;
    item.first = room.block();
    write(call, item.first, bytes);
  }
  std::uint64_t position = 0;
  if (!call.claim_push(position, deadline)) return false;
  if (!small) call.blocks().queue(room.keep(), position);
  std::memcpy(call.item(position), &item, sizeof item);
  call.published(position);
  return true;
}

void QueueHandle::throw_too_large(std::size_t bytes) const {
  throw ItemTooLarge(described(*handle_.object) + ": an item of " + std::to_string(bytes) +
                     " bytes; there is room for one of " +
                     std::to_string(block_count_ * block_bytes_) +
                     ": create it with more QueueOptions::bytes");
}

void QueueHandle::write(Call& call, std::uint32_t block, std::span<const std::byte> bytes) const {
  for (;;) {
    const std::size_t part = std::min<std::size_t>(bytes.size(), block_bytes_);
    std::memcpy(at(block), bytes.data(), part);
    bytes = bytes.subspan(part);
    if (bytes.empty()) return;
    const auto next = call.blocks().after(block);
    if (!next) call.throw_corrupted();
    block = *next;
  }
}

bool QueueHandle::pop_bytes(std::vector<std::byte>& bytes, Deadline deadline) const {
  Call call(*this);
  std::uint64_t position = 0;
  if (!call.claim_pop(position, deadline)) return false;
  VaryingItem item{};
  std::memcpy(&item, call.item(position), sizeof item);
  if (item.bytes <= sizeof item.small) {
    call.released(position);
    bytes.assign(item.small, item.small + item.bytes);
    return true;
  }
  const bool taken =
      item.bytes <= block_count_ * block_bytes_ && call.blocks().take(item.first, position);
  call.released(position);
  if (!taken) call.throw_corrupted();
  const bool whole = read(call, item, bytes);
  if (call.blocks().give_back(item.first)) call.wake_pushers();
  if (!whole) call.throw_corrupted();
  return true;
}

bool QueueHandle::read(Call& call, const VaryingItem& item, std::vector<std::byte>& bytes) const {
  bytes.resize(item.bytes);
  std::uint32_t block = item.first;
  for (std::size_t done = 0;;) {
    const std::size_t part = std::min<std::size_t>(bytes.size() - done, block_bytes_);
    std::memcpy(bytes.data() + done, at(block), part);
    done += part;
    if (done == bytes.size()) return true;
    const auto next = call.blocks().after(block);
    if (!next) return false;
    block = *next;
  }
}

std::size_t QueueHandle::size() const { return Call(*this).ring().size(); }

bool QueueHandle::full() const {
  Call call(*this);
  return call.ring().size() + call.blocks().count_lent() >= capacity();
}

bool QueueHandle::is_poppable(bool closely) const {
  if (closed()) return true;
  const std::uint64_t head = ring_.word->head.load(std::memory_order_acquire);
  if (!ring_.shape.is_position(head)) return true;
  if (ring_.state(head).load(std::memory_order_acquire) == slot_word(head, SlotState::full))
    return true;
  return closely && Call(*this).ring().is_poppable();
}

int QueueHandle::waiting() const { return count_waiting(*handle_.object); }
void QueueHandle::close() const { Call(*this).ring().close(); }

void QueueHandle::wake_poppers(std::uint64_t count) const {
  Machine machine(handle_.object->mapping(), handle_.object->index());
  core::wake(machine, handle_.word->poppers,
             static_cast<int>(std::min<std::uint64_t>(count, core::kEverybody)));
}
void QueueHandle::wake_pushers(std::uint64_t count) const {
  Machine machine(handle_.object->mapping(), handle_.object->index());
  core::wake(machine, handle_.word->pushers,
             static_cast<int>(std::min<std::uint64_t>(count, core::kEverybody)));
}

int QueueHandle::wakes() const { return item_.varies() ? core::kEverybody : 1; }

void QueueHandle::task_done() const {
  Call call(*this);
  if (call.joinable().task_done()) return;
  if (handle_.object->mapping().forget_held_before_fork(*handle_.object)) return;
  throw std::logic_error("shoal: " + described(*handle_.object) +
                         ": task_done() by a process that has done with all it has popped");
}
bool QueueHandle::join(Deadline deadline) const { return Call(*this).joinable().join(deadline); }
std::size_t QueueHandle::lost() const { return Call(*this).joinable().lost(); }

}  // namespace shoal::detail
