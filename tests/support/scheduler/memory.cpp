// SPDX-License-Identifier: MIT
#include "support/scheduler/memory.hpp"

#include <algorithm>

namespace shoal_test {

namespace {

bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_consume ||
         order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}

bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio

std::uint64_t mix(std::uint64_t value) {  // the finalizer of splitmix64
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

std::size_t Memory::slot_of(const void* address) {
  return static_cast<std::size_t>((reinterpret_cast<std::uintptr_t>(address) * kGolden) >> 56);
}

void Memory::reset(int participants) {
  for (int i = 0; i < count_; ++i) messages(i).clear();
  slots_.fill(0);
  newest_.fill(0);
  participants_ = participants;
  count_ = 0;
  changes_ = 0;
  for (int i = 0; i < participants; ++i) viewer(i) = Viewer{};
}

int Memory::locate(const void* address, std::uint64_t value) {
  std::size_t slot = slot_of(address);
  for (; slots_[slot] != 0; slot = (slot + 1) % kSlots) {
    const int location = slots_[slot] - 1;
    if (locations_[static_cast<std::size_t>(location)].address == address) return location;
  }
  return make(address, value, slot);
}

int Memory::make(const void* address, std::uint64_t value, std::size_t slot) {
  if (count_ == kMaxLocations) return -1;
  slots_[slot] = static_cast<std::int8_t>(count_ + 1);
  locations_[static_cast<std::size_t>(count_)].address = address;
  messages(count_).emplace_back(value, View{});
  return count_++;
}

void Memory::forget(const void* address) {
  for (std::size_t slot = slot_of(address); slots_[slot] != 0; slot = (slot + 1) % kSlots) {
    Location& location = locations_[static_cast<std::size_t>(slots_[slot] - 1)];
    if (location.address == address) location.address = nullptr;
  }
}

Memory::View Memory::later(const View& one, const View& other) {
  View made;
  for (std::size_t i = 0; i < kMaxLocations; ++i) made[i] = std::max(one[i], other[i]);
  return made;
}

int Memory::older(int participant, int location, std::memory_order order) const {
  if (order == std::memory_order_seq_cst) return 0;
  const auto at = static_cast<std::size_t>(location);
  return newest_[at] - viewers_[static_cast<std::size_t>(participant)].seen[at];
}

std::uint64_t Memory::read(int participant, int location, int age, std::memory_order order) {
  const auto at = static_cast<std::size_t>(location);
  const std::size_t number = newest_[at] - static_cast<std::size_t>(age);
  const Message& message = messages(location)[number];
  View& seen = viewer(participant).seen;
  if (acquires(order)) {
    seen = later(seen, message.view);  // and message.view[at] is its number
  } else {
    seen[at] = static_cast<std::uint16_t>(number);
  }
  return message.value;
}

void Memory::append(int participant, int location, std::uint64_t value, const View& view) {
  const auto at = static_cast<std::size_t>(location);
  Viewer& writer = viewer(participant);
  if (messages(location).back().value != value) {
    ++changes_;
    ++writer.changes;
  }
  Message& made = messages(location).emplace_back(value, view);
  made.view[at] = writer.seen[at] = ++newest_[at];
}

void Memory::write(int participant, int location, std::uint64_t value, std::memory_order order) {
  const Viewer& writer = viewer(participant);
  append(participant, location, value, releases(order) ? writer.seen : writer.published);
}

void Memory::update(int participant, int location, std::uint64_t value, std::memory_order order) {
  read(participant, location, 0, order);
  const Viewer& writer = viewer(participant);
  append(participant, location, value,
         later(messages(location).back().view, releases(order) ? writer.seen : writer.published));
}

void Memory::catch_up(int participant) { viewer(participant).seen = newest_; }

void Memory::full_barrier(int participant) {
  viewer(participant).seen = newest_;
  viewer(participant).published = newest_;
}

void Memory::full_barrier_everywhere() {
  for (int i = 0; i < participants_; ++i) full_barrier(i);
}

std::uint64_t Memory::changes_by_others(int participant) const {
  return changes_ - viewers_[static_cast<std::size_t>(participant)].changes;
}

std::uint64_t Memory::fingerprint() const {
  std::uint64_t sum = 0;  // of all locations, in whatever order they were first touched
  for (std::size_t i = 0; i < static_cast<std::size_t>(count_); ++i) {
    const Location& location = locations_[i];
    const auto address =
        static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(location.address));
    const std::uint64_t value = location.messages.back().value;
    if (location.address != nullptr) sum += mix(mix(address) + value);
  }
  return sum;
}

}  // namespace shoal_test
