// SPDX-License-Identifier: MIT
#include "directory.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "kinds.hpp"
#include "message.hpp"
#include "mutant.hpp"
#include "process_record.hpp"
#include "shoal/error.hpp"

namespace shoal::detail {
namespace {

using format::kPage;
using format::ObjectRecord;
using format::State;

constexpr std::uint64_t kObjectAlignment = 64;

State state(const ObjectRecord& record) {
  return static_cast<State>(record.state.load(std::memory_order_acquire));
}
void set_state(ObjectRecord& record, State state) {
  record.state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
}

template <std::size_t N>
std::string_view text(const char (&room)[N]) {
  return {room, ::strnlen(room, N)};
}
template <std::size_t N>
void set_text(char (&room)[N], std::string_view text) {
  std::memset(room, 0, N);
  text.copy(room, N - 1);
}

// FNV-1a (Fowler, Noll, Vo, 1991).
std::uint32_t hash(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) {
  return (value + to - 1) / to * to;
}

struct Range {
  std::uint64_t begin;
  std::uint64_t end;
};

Range range_of(const Extent& extent) { return {extent.offset, extent.offset + extent.bytes}; }

// The whole pages inside a range of the heap.
Range pages_inside(const Range& range) {
  const std::uint64_t begin = round_up(range.begin, kPage);
  return {begin, std::max(begin, range.end / kPage * kPage)};
}

void give_pages_back(const Mapping& mapping, const Range& range) {
  const Range pages = pages_inside(range);
  if (pages.begin < pages.end)
    mapping.file().discard(mapping.tables().header().heap_at + pages.begin,
                           pages.end - pages.begin);
}

void reclaim(const Mapping& mapping, std::uint32_t index) {
  if (const auto extent = mapping.tables().extent(index))
    give_pages_back(mapping, range_of(*extent));
  set_state(mapping.tables().object(index), State::free);
}

bool can_be_reclaimed(const Tables& tables, std::uint32_t index) {
  const State found = state(tables.object(index));
  return found == State::building ||  // its builder was killed: we have its lock
         (found == State::erased &&
          (tables.is_open_by_nobody(index) || kSeeded == Seeded::erased_reused_while_open));
}

void reclaim_all(const Mapping& mapping) {
  for (std::uint32_t i = 0; i < mapping.tables().objects(); ++i)
    if (can_be_reclaimed(mapping.tables(), i)) reclaim(mapping, i);
}

// What objects cover, in order.
std::vector<Range> covered(const Tables& tables) {
  std::vector<Range> ranges;
  for (std::uint32_t i = 0; i < tables.objects(); ++i)
    if (state(tables.object(i)) != State::free)
      if (const auto extent = tables.extent(i)) ranges.push_back(range_of(*extent));
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  return ranges;
}

// The first gap that is large enough.
std::optional<std::uint64_t> find_gap(const Tables& tables, std::uint64_t bytes,
                                      std::uint64_t alignment) {
  std::uint64_t at = 0;
  for (const Range& range : covered(tables)) {
    if (at <= range.begin && bytes <= range.begin - at) return at;
    at = std::max(at, round_up(range.end, alignment));
  }
  if (!tables.in_heap(at, bytes)) return std::nullopt;
  return at;
}

std::optional<std::uint32_t> find_free_record(const Mapping& mapping, const std::string& what) {
  const Tables& tables = mapping.tables();
  for (std::uint32_t i = 0; i < tables.objects(); ++i)
    if (state(tables.object(i)) == State::free) return i;
  const std::uint32_t index = tables.objects();
  if (index >= tables.header().max_objects) return std::nullopt;
  const std::uint64_t open_set = Tables::open_set_bytes(tables.header().max_processes);
  if (mapping.file().allocate(tables.object_at(index), sizeof(ObjectRecord)) ||
      mapping.file().allocate(tables.open_set_at(index), open_set))
    throw NoSpace(what + ": cannot be made: /dev/shm is full");
  tables.marks().objects.store(index + 1, std::memory_order_release);
  return index;
}

struct Place {
  std::uint32_t index;
  std::uint64_t offset;
};

// Room for an object: at once, or after what the dead had open has been taken back.
Place find_place(const Mapping& mapping, const Blueprint& blueprint, const std::string& what) {
  const std::uint64_t alignment = std::max<std::uint64_t>(blueprint.alignment, kObjectAlignment);
  const auto try_once = [&]() -> std::optional<Place> {
    const auto index = find_free_record(mapping, what);
    const auto offset = find_gap(mapping.tables(), blueprint.bytes, alignment);
    if (!index || !offset) return std::nullopt;
    return Place{*index, *offset};
  };
  if (const auto place = try_once()) return *place;
  tidy(mapping);
  if (const auto place = try_once()) return *place;
  if (!find_free_record(mapping, what))
    throw NoSpace(
        what + ": the segment has its " + std::to_string(mapping.tables().header().max_objects) +
        " objects already; create it with more SegmentOptions::max_objects, or erase one");
  throw NoSpace(what + ": needs " + std::to_string(blueprint.bytes) +
                " bytes, and the segment has " + std::to_string(used_bytes(mapping)) + " of " +
                std::to_string(mapping.tables().header().capacity) +
                " in use; create it with more SegmentOptions::capacity, or erase objects");
}

// Backs a range with memory, all zero. False where the machine has no more.
bool take_memory(const Mapping& mapping, const Range& range) {
  const Tables& tables = mapping.tables();
  std::atomic<std::uint64_t>& mark = tables.marks().heap;
  const std::uint64_t used = std::min(mark.load(std::memory_order_relaxed), range.end);
  if (range.begin < used) give_pages_back(mapping, {range.begin, used});
  if (mapping.file().allocate(tables.header().heap_at + range.begin, range.end - range.begin))
    return false;
  if (range.begin < used) {
    const Range zero = pages_inside({range.begin, used});
    std::memset(tables.heap() + range.begin, 0, std::min(zero.begin, used) - range.begin);
    const std::uint64_t tail = std::max(zero.end, range.begin);
    if (zero.begin < used) std::memset(tables.heap() + tail, 0, used - tail);
  }
  if (mark.load(std::memory_order_relaxed) < range.end)
    mark.store(range.end, std::memory_order_relaxed);
  return true;
}

void describe(ObjectRecord& record, std::string_view name, const Blueprint& blueprint,
              std::uint64_t offset) {
  record.kind.store(blueprint.kind, std::memory_order_relaxed);
  record.generation.fetch_add(1, std::memory_order_relaxed);
  record.offset.store(offset, std::memory_order_relaxed);
  record.bytes.store(blueprint.bytes, std::memory_order_relaxed);
  record.size = blueprint.size;
  record.alignment = static_cast<std::uint32_t>(blueprint.alignment);
  record.type_hash = hash(blueprint.type);
  set_text(record.name, name);
  set_text(record.type, blueprint.type);
}

std::string full_type(std::string_view type, std::uint64_t size, std::uint64_t alignment) {
  if (type.empty()) return "no type";
  return std::string(type) + " (" + std::to_string(size) + " bytes, aligned to " +
         std::to_string(alignment) + ")";
}

}  // namespace

std::optional<std::uint32_t> find(const Mapping& mapping, std::string_view name) {
  const Tables& tables = mapping.tables();
  for (std::uint32_t i = 0; i < tables.objects(); ++i)
    if (const ObjectRecord& record = tables.object(i);
        state(record) == State::live && text(record.name) == name)
      return i;
  return std::nullopt;
}

Extent check(const Mapping& mapping, std::uint32_t index, const Blueprint& blueprint) {
  const ObjectRecord& record = mapping.tables().object(index);
  const Kind kind = record.kind.load(std::memory_order_relaxed);
  const auto object = [&] { return in_object(mapping.name(), kind_name(kind), text(record.name)); };
  if (kind != blueprint.kind)
    throw TypeMismatch(object() + ": is a " + std::string(kind_name(kind)) +
                       ", and was opened as a " + std::string(kind_name(blueprint.kind)) +
                       "; use another name, or erase it");
  if (record.type_hash != hash(blueprint.type) || record.size != blueprint.size ||
      record.alignment != blueprint.alignment)
    throw TypeMismatch(
        object() + ": holds " + full_type(text(record.type), record.size, record.alignment) +
        ", and was opened as " + full_type(blueprint.type, blueprint.size, blueprint.alignment) +
        "; use another name, or erase it");
  const auto extent = mapping.tables().extent(index);
  const bool any_size = blueprint.bytes == kWhateverIsThere || blueprint.of_any_size;
  if (!extent ||
      (any_size ? extent->bytes < blueprint.least_bytes : extent->bytes != blueprint.bytes) ||
      extent->offset % std::max<std::uint64_t>(blueprint.alignment, kObjectAlignment) != 0)
    throw Corrupted(object() +
                    ": its record has been written over; erase it, or remove the segment");
  return *extent;
}

std::uint32_t construct(const Mapping& mapping, std::string_view name, const Blueprint& blueprint,
                        Extent& extent) {
  constexpr State kWhileBuilding =
      kSeeded == Seeded::visible_before_built ? State::live : State::building;
  const Tables& tables = mapping.tables();
  const std::string what = in_object(mapping.name(), kind_name(blueprint.kind), name);
  reclaim_all(mapping);
  const Place place = find_place(mapping, blueprint, what);
  extent = {blueprint.kind, place.offset, blueprint.bytes};
  ObjectRecord& record = tables.object(place.index);
  describe(record, name, blueprint, place.offset);
  set_state(record, kWhileBuilding);
  if (!take_memory(mapping, range_of(extent))) {
    reclaim(mapping, place.index);
    throw NoSpace(what + ": needs " + std::to_string(blueprint.bytes) +
                  " bytes: /dev/shm is full; remove segments that nobody needs, or make it larger");
  }
  if (blueprint.init) blueprint.init(tables.heap() + place.offset, blueprint.argument);
  set_state(record, State::live);
  return place.index;
}

bool erase(const Mapping& mapping, std::string_view name) {
  const auto index = find(mapping, name);
  if (!index) return false;
  set_state(mapping.tables().object(*index), State::erased);
  if (can_be_reclaimed(mapping.tables(), *index)) reclaim(mapping, *index);
  return true;
}

void tidy(const Mapping& mapping) {
  bury_the_dead(mapping.tables(), mapping.file(), mapping.self());
  reclaim_all(mapping);
}

std::uint64_t used_bytes(const Mapping& mapping) {
  std::uint64_t bytes = 0;
  for (const Range& range : covered(mapping.tables())) bytes += range.end - range.begin;
  return bytes;
}

std::vector<ObjectInfo> list_objects(const Mapping& mapping) {
  std::vector<ObjectInfo> objects;
  for (std::uint32_t i = 0; i < mapping.tables().objects(); ++i)
    if (const ObjectRecord& record = mapping.tables().object(i); state(record) == State::live)
      objects.push_back({std::string(text(record.name)), std::string(kind_name(record.kind.load())),
                         std::string(text(record.type)), record.bytes.load()});
  return objects;
}

}  // namespace shoal::detail
