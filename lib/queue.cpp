// SPDX-License-Identifier: MIT
#include "shoal/queue.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "os/cpu.hpp"
#include "queue_call.hpp"
#include "queue_layout.hpp"
#include "thread_record.hpp"

namespace shoal::detail {
namespace {

[[noreturn]] void throw_no_record(const Object& object) {
  throw TooManyParticipants(described(object) + ": as many threads as the segment has room for (" +
                            std::to_string(object.mapping().tables().header().max_threads) +
                            ") use it, or /dev/shm is full; create it with more "
                            "SegmentOptions::max_threads, or make room");
}

// A small item, in memory of this process: instead of a block.
struct PrivateRoom {
  alignas(64) std::byte bytes[64];
};
constexpr std::uint32_t kNoBlock = ~std::uint32_t{0};

thread_local bool spare_has_gone = false;  // trivial, so it may be read after that
struct Spare {
  std::vector<std::byte> bytes;
  ~Spare() { spare_has_gone = true; }
};
thread_local Spare spare;

}  // namespace

ItemBytes::ItemBytes() {
  if (!spare_has_gone) bytes_.swap(spare.bytes);
}
ItemBytes::~ItemBytes() {
  if (!spare_has_gone) bytes_.swap(spare.bytes);
}

format::ThreadRecord& record_for_intents(const Object& object) {
  join(object);
  format::ThreadRecord* const record = thread_record(object.mapping());
  if (record == nullptr) throw_no_record(object);
  const std::uint64_t serial =
      object.mapping().self_words()[kSerial].load(std::memory_order_relaxed);
  if (serial != 0) thread_places.at(serial) = {serial, &record->intent};
  return *record;
}

QueueHandle::QueueHandle(const Segment& segment, std::string_view name, Kind kind,
                         const QueueItem& item, const QueueOptions& options, Open open)
    : QueueHandle(segment, open_queue(segment, name, kind, item, options, open), item, options) {}

QueueHandle::QueueHandle(const Segment& segment, const OpenedObject& opened, const QueueItem& item,
                         const QueueOptions& options)
    : handle_(opened), item_(item), ring_{handle_.word, nullptr, RingShape(1), 0, 0} {
  const QueueLayout layout = layout_of(segment, opened, item, options);
  const Object& object = *handle_.object;
  auto* const memory = static_cast<std::byte*>(opened.memory);
  const std::uint64_t generation =
      object.mapping().tables().object(object.index()).generation.load(std::memory_order_relaxed);
  ring_ = {handle_.word, memory + layout.slots_at(), RingShape(layout.capacity),
           generation << 16 | (object.index() + 1), layout.slot_bytes};
  blocks_ = memory + layout.blocks_at();
  data_ = memory + layout.data_at();
  block_count_ = layout.blocks;
  item_blocks_ = layout.blocks - layout.capacity;
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
//
// Nor does it wait for room: that may be in the hands of one who waits for this very item to go.
// Loans and pushes at the same moment may be one too many. Then the item goes into this process's
// own memory.
std::optional<QueueHandle::Room> QueueHandle::take_small(Call& call, Deadline deadline) const {
  while (call.wait_for_item(deadline)) {
    Call::Borrowed room(call, true);
    const bool has_block = room.claim_in_any_case(kDoNotWait);
    std::unique_ptr<PrivateRoom> own(has_block ? nullptr : new PrivateRoom);
    std::uint64_t position = 0;
    if (!call.claim_pop(position, kDoNotWait)) continue;  // somebody else was quicker
    void* const to = has_block ? at(room.block()) : own->bytes;
    std::memcpy(to, call.item(position), item_.size);
    call.released(position);
    static_cast<void>(own.release());  // give_back() has it
    const std::uint32_t block = room.keep();
    return Room{has_block ? block : kNoBlock, call.me(), to};
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
  Call call(*this, Call::Claims::nothing);  // destructors come by here: nothing may throw
  if (room.block == kNoBlock)
    delete static_cast<PrivateRoom*>(room.at);
  else if (!call.blocks().give_back(room.block))
    return;
  if (item_.is_inline()) call.unlend();
  call.wake_pushers();
}

bool QueueHandle::push_bytes(std::span<const std::byte> bytes, Deadline deadline) const {
  VaryingItem item{static_cast<std::uint32_t>(bytes.size()), 0, {}};
  const bool small = bytes.size() <= sizeof item.small;
  const std::uint64_t count = small ? 0 : (bytes.size() - 1) / block_bytes_ + 1;
  if (count > item_blocks_) throw_too_large(bytes.size());
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
                     std::to_string(item_blocks_ * block_bytes_) +
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
  Call::Borrowed room(call, false);  // it comes back also where there is no memory to read it into
  const bool taken = item.bytes <= item_blocks_ * block_bytes_ && room.take(item.first, position);
  call.released(position);
  if (!taken || !read(call, item, bytes)) call.throw_corrupted();
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

std::size_t QueueHandle::size() const { return Call(*this, Call::Claims::nothing).ring().size(); }

bool QueueHandle::full() const {
  Call call(*this, Call::Claims::nothing);
  return call.ring().size() + call.blocks().count_lent() >= capacity();
}

bool QueueHandle::is_poppable(bool closely) const {
  if (closed()) return true;
  const std::uint64_t head = ring_.word->head.load(std::memory_order_acquire);
  if (!ring_.shape.is_position(head)) return true;
  if (holds_item(ring_.state(head).load(std::memory_order_acquire), head)) return true;
  return closely && Call(*this).ring().is_poppable();
}

int QueueHandle::waiting() const { return count_waiting(*handle_.object); }
void QueueHandle::close() const { Call(*this, Call::Claims::nothing).ring().close(); }

Intent* QueueHandle::get_intent() const {
  record_for_intents(*handle_.object);
  return handle_.intent();
}

void QueueHandle::bring(std::uint64_t position, std::size_t count) const {
  constexpr std::size_t kMost =
      4096;  // bytes; by the time that more are wanted, they may have gone
  if (!ring_.shape.is_position(position)) return;
  const std::size_t to_the_last = capacity() - ring_.shape.index(position);
  os::prefetch_to_write(ring_.slot(position),
                        std::min(std::min(count, to_the_last) * ring_.slot_bytes, kMost));
}

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
  Call call(*this, Call::Claims::nothing);
  if (call.joinable().task_done()) return;
  if (handle_.object->mapping().forget_held_before_fork(*handle_.object)) return;
  throw std::logic_error("shoal: " + described(*handle_.object) +
                         ": task_done() by a process that has done with all it has popped");
}
bool QueueHandle::join(Deadline deadline) const {
  return Call(*this, Call::Claims::nothing).joinable().join(deadline);
}
std::size_t QueueHandle::lost() const {
  return Call(*this, Call::Claims::nothing).joinable().lost();
}

}  // namespace shoal::detail
