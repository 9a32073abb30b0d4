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
  for (int i = 0; i < count_; ++i) locations_[static_cast<std::size_t>(i)].messages.clear();
  slots_.fill(0);
  participants_ = participants;
  count_ = 0;
  changes_ = 0;
  for (int i = 0; i < participants; ++i) viewers_[static_cast<std::size_t>(i)] = Viewer{};
}

int Memory::locate(const void* address, std::uint64_t value) {
  std::size_t slot = slot_of(address);
  for (; slots_[slot] != 0; slot = (slot + 1) % kSlots) {
    const int location = slots_[slot] - 1;
    if (locations_[static_cast<std::size_t>(location)].address == address) return location;
  }
  if (count_ == kMaxLocations) return -1;
  slots_[slot] = static_cast<std::int8_t>(count_ + 1);
  Location& made = locations_[static_cast<std::size_t>(count_)];
  made.address = address;
  made.messages.push_back({value, View{}});
  return count_++;
}

void Memory::forget(const void* address) {
  for (std::size_t slot = slot_of(address); slots_[slot] != 0; slot = (slot + 1) % kSlots) {
    Location& location = locations_[static_cast<std::size_t>(slots_[slot] - 1)];
    if (location.address == address) location.address = nullptr;
  }
}

std::uint16_t Memory::newest(int location) const {
  return static_cast<std::uint16_t>(locations_[static_cast<std::size_t>(location)].messages.size() -
                                    1);
}

void Memory::join(View& into, const View& from) const {
  for (std::size_t i = 0; i < static_cast<std::size_t>(count_); ++i) {
    into[i] = std::max(into[i], from[i]);
  }
}

int Memory::older(int participant, int location, std::memory_order order) const {
  if (order == std::memory_order_seq_cst) return 0;
  return newest(location) -
         viewers_[static_cast<std::size_t>(participant)].seen[static_cast<std::size_t>(location)];
}

std::uint64_t Memory::read(int participant, int location, int age, std::memory_order order) {
  const auto at = static_cast<std::size_t>(location);
  const std::size_t number = newest(location) - static_cast<std::size_t>(age);
  const Message& message = locations_[at].messages[number];
  View& seen = viewers_[static_cast<std::size_t>(participant)].seen;
  seen[at] = static_cast<std::uint16_t>(number);
  if (acquires(order)) join(seen, message.view);
  return message.value;
}

void Memory::append(int participant, int location, std::uint64_t value, const View& view) {
  const auto at = static_cast<std::size_t>(location);
  Viewer& writer = viewers_[static_cast<std::size_t>(participant)];
  if (locations_[at].messages.back().value != value) {
    ++changes_;
    ++writer.changes;
  }
  locations_[at].messages.push_back({value, view});
  writer.seen[at] = newest(location);
  locations_[at].messages.back().view[at] = newest(location);
}

void Memory::write(int participant, int location, std::uint64_t value, std::memory_order order) {
  const Viewer& writer = viewers_[static_cast<std::size_t>(participant)];
  append(participant, location, value, releases(order) ? writer.seen : writer.published);
}

void Memory::update(int participant, int location, std::uint64_t value, std::memory_order order) {
  read(participant, location, 0, order);
  const Viewer& writer = viewers_[static_cast<std::size_t>(participant)];
  View view = locations_[static_cast<std::size_t>(location)].messages.back().view;
  join(view, releases(order) ? writer.seen : writer.published);
  append(participant, location, value, view);
}

void Memory::catch_up(int participant) {
  View& seen = viewers_[static_cast<std::size_t>(participant)].seen;
  for (int i = 0; i < count_; ++i) seen[static_cast<std::size_t>(i)] = newest(i);
}

void Memory::full_barrier(int participant) {
  catch_up(participant);
  Viewer& viewer = viewers_[static_cast<std::size_t>(participant)];
  viewer.published = viewer.seen;
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
