// SPDX-License-Identifier: MIT
#include "segment_view.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/waiter.hpp"
#include "kinds.hpp"
#include "message.hpp"
#include "segment_file.hpp"
#include "shoal/error.hpp"
#include "tables.hpp"

namespace shoal::tool {
namespace {

using detail::Kind;
using detail::OwnerValue;
using format::Life;
using format::State;

constexpr int kLooks = 4;

[[noreturn]] void throw_unreadable(std::error_code error) {
  if (error == std::errc::no_such_file_or_directory) throw Absent("there is no such segment");
  if (error == std::errc::too_many_symbolic_link_levels) throw Damaged("is a symbolic link");
  throw Unreadable("cannot be opened: " + error.message());
}

bool may_be_kind(Kind kind) { return kind != Kind::none && detail::least_bytes(kind, 0) > 0; }

bool is_power_of_two(std::uint64_t number) { return number != 0 && (number & (number - 1)) == 0; }

// Why the record of an object that has a range cannot be sound; empty where it can.
std::string fault_of(const ObjectView& object, const format::Header& header) {
  if (object.offset > header.capacity || object.bytes > header.capacity - object.offset)
    return "its range is outside the segment";
  if (object.offset % 64 != 0) return "its range begins at an odd place";
  if (!may_be_kind(object.kind)) return "is of no known kind";
  if (object.bytes < detail::least_bytes(object.kind, header.max_processes))
    return "is too small for its kind";
  if (object.alignment != 0 && (!is_power_of_two(object.alignment) || object.alignment > 4096))
    return "its alignment is none";
  if (object.is_live() && !detail::is_valid_name(object.name)) return "its name is none";
  return "";
}

}  // namespace

const std::byte* Bytes::inside(std::uint64_t at, std::uint64_t size) const {
  if (at > bytes_.size() || size > bytes_.size() - at)
    throw Damaged("what it refers to is not there");
  return bytes_.data() + at;
}

std::string Bytes::text(std::uint64_t at, std::size_t room) const {
  const auto* const begin = reinterpret_cast<const char*>(inside(at, room));
  return {begin, std::find(begin, begin + room, '\0')};
}

Bytes Bytes::part(std::uint64_t at, std::uint64_t size) const {
  const std::byte* const begin = inside(at, size);
  return Bytes({begin, begin + size});
}

bool Participant::is(OwnerValue owner) const {
  const OwnerValue value = detail::owner_of(owner);
  const std::uint64_t generation = format::generation_of(life);
  // Of one that is being buried, the generation has moved on already.
  return value == detail::owner_value(
                      record, format::life_of(life) == Life::dying ? generation - 1 : generation);
}

bool ObjectView::is_live() const { return state == static_cast<std::uint32_t>(State::live); }

SegmentView::SegmentView(const std::string& name) : name_(name) {
  open();
  // Others may be at work: what is wrong once was perhaps being written.
  for (int look = 0; look < kLooks; ++look) {
    read_tables();
    if (damage_.empty()) return;
  }
}

void SegmentView::open() {
  if (const std::error_code error = os::File::open_to_read(name_, file_)) throw_unreadable(error);
  if (const std::error_code error = file_.status(status_)) throw_unreadable(error);
  if (!status_.regular) throw Damaged("is not a regular file");
  const Bytes bytes = read_file(0, sizeof header_);
  std::memcpy(&header_, bytes.data(), sizeof header_);
  try {
    detail::check_header(name_, header_, status_.size);
  } catch (const Error& error) {
    throw Damaged(error.what());
  }
}

Bytes SegmentView::read_file(std::uint64_t at, std::uint64_t size) const {
  std::vector<std::byte> bytes(size);
  std::size_t got = 0;
  if (const std::error_code error = file_.read_at(at, bytes.data(), size, got))
    throw Unreadable("cannot be read: " + error.message());
  if (got != size) throw Damaged("its file has been cut off");
  return Bytes(std::move(bytes));
}

std::uint32_t SegmentView::checked_mark(const Bytes& marks, std::uint64_t at, std::uint32_t most,
                                        const char* what) {
  const auto mark = marks.get<std::uint32_t>(at);
  if (mark > most)
    damage_.push_back("its mark says that " + std::to_string(mark) + " " + what +
                      " records were used, of " + std::to_string(most));
  return std::min(mark, most);
}

void SegmentView::read_tables() {
  damage_.clear();
  const Bytes marks = read_file(format::kMarksAt, sizeof(format::Marks));
  processes_ever_ =
      checked_mark(marks, offsetof(format::Marks, processes), header_.max_processes, "process");
  const std::uint32_t threads =
      checked_mark(marks, offsetof(format::Marks, threads), header_.max_threads, "thread");
  const std::uint32_t objects =
      checked_mark(marks, offsetof(format::Marks, objects), header_.max_objects, "object");
  read_participants(processes_ever_);
  read_threads(threads);
  read_objects(objects);
}

// The table is read before and after the kernel was asked: who holds the byte of a record now may be
// its next user, and then the generation has moved on.
void SegmentView::read_participants(std::uint32_t count) {
  using Record = format::ProcessRecord;
  const auto read = [&] {
    return read_file(format::kProcessesAt, std::uint64_t{count} * sizeof(Record));
  };
  Bytes table = read();
  for (int look = 0; look < kLooks; ++look) {
    participants_.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t at = std::uint64_t{i} * sizeof(Record);
      Participant found;
      found.record = i;
      found.life = table.get<std::uint64_t>(at + offsetof(Record, life));
      const Life life = format::life_of(found.life);
      if (life == Life::free) continue;
      if (life != Life::taken && life != Life::dying) {
        damage_.push_back("process record " + std::to_string(i) + " is in no state that there is");
        continue;
      }
      found.pid = table.get<std::uint32_t>(at + offsetof(Record, pid));
      found.attached = table.get<std::int64_t>(at + offsetof(Record, attached));
      found.name = printable(table.text(at + offsetof(Record, name), sizeof Record::name));
      found.alive = life == Life::taken && file_.is_locked(format::life_byte(i));
      participants_.push_back(std::move(found));
    }
    if (participants_.empty()) return;
    Bytes again = read();
    bool same = true;
    for (const Participant& seen : participants_)
      same = same &&
             again.get<std::uint64_t>(std::uint64_t{seen.record} * sizeof(Record)) == seen.life;
    if (same) return;
    table = std::move(again);
  }
}

void SegmentView::read_threads(std::uint32_t count) {
  using Record = format::ThreadRecord;
  threads_.clear();
  const Bytes table = read_file(header_.threads_at, std::uint64_t{count} * sizeof(Record));
  const auto index = [](std::uint32_t word) {
    return word == 0 ? std::nullopt : std::optional(word - 1);
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t at = std::uint64_t{i} * sizeof(Record);
    ThreadView thread;
    thread.record = i;
    thread.owner = table.get<OwnerValue>(at + offsetof(Record, owner));
    if (thread.owner == detail::kNobody) continue;
    const Participant* const process = participant(thread.owner);
    if (process == nullptr || !process->alive) continue;
    thread.tid = table.get<std::uint32_t>(at + offsetof(Record, tid));
    thread.waits_for = index(table.get<std::uint32_t>(at + offsetof(Record, waits_for)));
    thread.condition = index(table.get<std::uint32_t>(at + offsetof(Record, condition)));
    threads_.push_back(thread);
  }
}

void SegmentView::read_objects(std::uint32_t count) {
  using Record = format::ObjectRecord;
  objects_.clear();
  const Bytes table = read_file(header_.objects_at, std::uint64_t{count} * sizeof(Record));
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t at = std::uint64_t{i} * sizeof(Record);
    ObjectView object;
    object.index = i;
    object.state = table.get<std::uint32_t>(at + offsetof(Record, state));
    if (object.state == static_cast<std::uint32_t>(State::free)) continue;
    object.kind = static_cast<Kind>(table.get<std::uint32_t>(at + offsetof(Record, kind)));
    object.generation = table.get<std::uint64_t>(at + offsetof(Record, generation));
    object.offset = table.get<std::uint64_t>(at + offsetof(Record, offset));
    object.bytes = table.get<std::uint64_t>(at + offsetof(Record, bytes));
    object.size = table.get<std::uint64_t>(at + offsetof(Record, size));
    object.alignment = table.get<std::uint32_t>(at + offsetof(Record, alignment));
    object.name = table.text(at + offsetof(Record, name), format::kNameRoom);
    object.type = printable(table.text(at + offsetof(Record, type), format::kTypeRoom));
    objects_.push_back(std::move(object));
  }
  check_objects();
}

void SegmentView::check_objects() {
  std::vector<ObjectView*> ranges;
  for (ObjectView& object : objects_) {
    object.damage = object.state > static_cast<std::uint32_t>(State::erased)
                        ? "is in no state that there is"
                        : fault_of(object, header_);
    object.name = printable(object.name);
    if (object.damage.empty()) ranges.push_back(&object);
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const ObjectView* a, const ObjectView* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i]->offset < ranges[i - 1]->offset + ranges[i - 1]->bytes)
      ranges[i]->damage = "lies on object '" + ranges[i - 1]->name + "'";
  for (const ObjectView& object : objects_)
    if (!object.damage.empty())
      damage_.push_back("object " + std::to_string(object.index) + " '" + object.name + "' " +
                        object.damage);
}

const Participant* SegmentView::participant(OwnerValue owner) const {
  const std::uint32_t record = detail::record_of(owner);
  const auto found = std::lower_bound(
      participants_.begin(), participants_.end(), record,
      [](const Participant& one, std::uint32_t wanted) { return one.record < wanted; });
  return found == participants_.end() || !found->is(owner) ? nullptr : &*found;
}

const ObjectView* SegmentView::object(std::uint32_t index) const {
  const auto found = std::lower_bound(
      objects_.begin(), objects_.end(), index,
      [](const ObjectView& object, std::uint32_t wanted) { return object.index < wanted; });
  return found == objects_.end() || found->index != index ? nullptr : &*found;
}

const ObjectView* SegmentView::find(std::string_view name) const {
  const auto found = std::find_if(objects_.begin(), objects_.end(), [&](const ObjectView& object) {
    return object.is_live() && object.name == name;
  });
  return found == objects_.end() ? nullptr : &*found;
}

std::size_t SegmentView::count_alive() const {
  return static_cast<std::size_t>(std::count_if(participants_.begin(), participants_.end(),
                                                [](const Participant& one) { return one.alive; }));
}

std::size_t SegmentView::count_live_objects() const {
  return static_cast<std::size_t>(std::count_if(
      objects_.begin(), objects_.end(), [](const ObjectView& object) { return object.is_live(); }));
}

std::uint64_t SegmentView::used() const {
  std::uint64_t bytes = 0;
  for (const ObjectView& object : objects_)
    if (object.damage.empty()) bytes += object.bytes;
  return bytes;
}

std::vector<const Participant*> SegmentView::openers(const ObjectView& object) const {
  const std::uint64_t size = detail::Tables::open_set_bytes(header_.max_processes);
  const Bytes set = read_file(header_.opens_at + object.index * size, size);
  std::vector<const Participant*> openers;
  for (const Participant& one : participants_) {
    const auto word = set.get<std::uint64_t>(one.record / 64 * sizeof(std::uint64_t));
    if (one.alive && (word >> one.record % 64 & 1) != 0) openers.push_back(&one);
  }
  return openers;
}

Bytes SegmentView::read(const ObjectView& object, std::uint64_t at, std::uint64_t size) const {
  if (!object.damage.empty()) throw Damaged(object.damage);
  if (at > object.bytes || size > object.bytes - at)
    throw Damaged("what it says of itself does not fit into its memory");
  return read_file(header_.heap_at + object.offset + at, size);
}

std::vector<std::string> segment_names() {
  constexpr std::string_view prefix = "shoal.";
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with(prefix) && detail::is_valid_name(file.substr(prefix.size())))
      names.push_back(file.substr(prefix.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string printable(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\') {
      result += c;
    } else {
      result += "\\x";
      result += digits[byte >> 4];
      result += digits[byte & 15];
    }
  }
  return result;
}

}  // namespace shoal::tool
