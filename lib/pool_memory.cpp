// SPDX-License-Identifier: MIT
#include "pool_memory.hpp"

#include <algorithm>
#include <new>
#include <system_error>

#include "shoal/error.hpp"

namespace shoal::detail {
namespace {

// Address space: so much that pages may be taken one after the other, for years, and be free again
// when it has been gone through.
constexpr std::size_t kMost = std::size_t{1} << 44;
constexpr std::size_t kLeast = std::size_t{1} << 36;

template <std::size_t N>
void copy_text(std::array<char, N>& to, const std::string& text) {
  to[text.copy(to.data(), N - 1)] = '\0';
}

}  // namespace

void Complaint::make(const std::string& of_type, const std::string& says) {
  copy_text(type, of_type);
  copy_text(what, says);
  is_made.store(1, std::memory_order_release);
}

PoolMemory::PoolMemory() try
    : arena_(kLeast, kMost),
      shared_(new (arena_.data()) Shared),  // zeros, as it is: nothing is touched
      list_(shared_->words, {reinterpret_cast<TaskSlot*>(arena_.data() + kSlotsAt), kSlots},
            shared_->done) {
} catch (const std::system_error& error) {
  throw Error(error.code(),
              "pool: it needs 64 GiB of address space, not of memory; raise `ulimit -v`, or set "
              "vm.overcommit_memory to 0 or 1");
}

void PoolMemory::put(TaskSlot& slot, TaskBytes& place, std::span<const std::byte> bytes) {
  place = {0, bytes.size()};
  if (bytes.size() > slot.room.size()) place.page = take_pages(up_to_page(bytes.size()));
  std::atomic_signal_fence(std::memory_order_release);
  std::byte* const to = place.page == 0 ? slot.room.data() : arena_.data() + place.page;
  std::copy(bytes.begin(), bytes.end(), to);
}

// In one piece.
std::uint64_t PoolMemory::take_pages(std::size_t size) {
  constexpr std::size_t first = up_to_page(kPagesAt);
  const std::size_t all = arena_.size() - first;
  if (size > all) throw std::bad_alloc();
  for (;;) {
    const std::uint64_t at = shared_->pages.fetch_add(size, std::memory_order_relaxed) % all;
    if (at + size <= all) return first + at;
  }
}

std::span<const std::byte> PoolMemory::get(const TaskSlot& slot, TaskBytes place) const {
  return {place.page == 0 ? slot.room.data() : arena_.data() + place.page, place.size};
}

void PoolMemory::drop(TaskBytes& place) {
  if (place.page != 0) arena_.discard(place.page, up_to_page(place.size));
  place = {};
}

void PoolMemory::drop_slots_before(core::TaskId id) {
  if (id % kSlotsDropped != 0) return;
  const std::uint64_t first = (id - kSlotsDropped) % kSlots;
  arena_.discard(kSlotsAt + first * sizeof(TaskSlot), kSlotsDropped * sizeof(TaskSlot));
}

}  // namespace shoal::detail
