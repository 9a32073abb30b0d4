// SPDX-License-Identifier: MIT
#pragma once

// A segment as somebody sees it who has no part in it: copied out of its file, never mapped.
//
// The copy is private, so nothing that is scribbled, truncated or removed meanwhile can lead
// outside of it; every access is checked against its size. No record is taken, no lock, no byte
// written: who uses the segment cannot tell that somebody looked. What was copied while others
// wrote may be half of one moment and half of another: what does not fit together is read again, and
// called damage only where it stays so.
//
// The bytes are those of docs/format.md.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "format.hpp"
#include "os/file.hpp"

namespace shoal::tool {

// The bytes cannot be those of a segment.
struct Damaged : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// There is no such segment.
struct Absent : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// This user may not look at it, or the machine cannot.
struct Unreadable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A private copy of a part of a segment.
class Bytes {
 public:
  Bytes() = default;
  explicit Bytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] const std::byte* data() const { return bytes_.data(); }
  // Throws Damaged where it is not inside.
  template <class T>
  [[nodiscard]] T get(std::uint64_t at) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, inside(at, sizeof value), sizeof value);
    return value;
  }
  // What stands there up to a zero byte, or the end of its room.
  [[nodiscard]] std::string text(std::uint64_t at, std::size_t room) const;
  [[nodiscard]] Bytes part(std::uint64_t at, std::uint64_t size) const;

 private:
  [[nodiscard]] const std::byte* inside(std::uint64_t at, std::uint64_t size) const;
  std::vector<std::byte> bytes_;
};

// A process that has taken a place in the segment and has not given it back.
struct Participant {
  std::uint32_t record = 0;
  std::uint64_t life = 0;  // its word
  std::uint32_t pid = 0;   // in its own pid namespace
  std::string name;
  std::int64_t attached = 0;  // unix time in ns
  bool alive = false;

  [[nodiscard]] bool is(detail::OwnerValue owner) const;
};

struct ThreadView {
  std::uint32_t record = 0;
  detail::OwnerValue owner = 0;
  std::uint32_t tid = 0;
  std::optional<std::uint32_t> waits_for;  // index of an object
  std::optional<std::uint32_t> condition;  // index of a condition, until it has its lock again
};

struct ObjectView {
  std::uint32_t index = 0;
  std::uint32_t state = 0;  // format::State
  detail::Kind kind = detail::Kind::none;
  std::uint64_t generation = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t size = 0;       // of T
  std::uint32_t alignment = 0;  // of T
  std::string name;
  std::string type;
  std::string damage;  // empty: its record is sound

  [[nodiscard]] bool is_live() const;
};

class SegmentView {
 public:
  // Throws Absent, Unreadable; Damaged where not even the header is sound.
  explicit SegmentView(const std::string& name);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const os::FileStatus& status() const { return status_; }
  [[nodiscard]] const format::Header& header() const { return header_; }

  // How many process records were ever used.
  [[nodiscard]] std::uint32_t processes_ever() const { return processes_ever_; }
  // The living, and the dead that nobody has buried yet.
  [[nodiscard]] const std::vector<Participant>& participants() const { return participants_; }
  // Of the living.
  [[nodiscard]] const std::vector<ThreadView>& threads() const { return threads_; }
  // All but the free records.
  [[nodiscard]] const std::vector<ObjectView>& objects() const { return objects_; }

  [[nodiscard]] const Participant* participant(detail::OwnerValue owner) const;
  [[nodiscard]] const ObjectView* object(std::uint32_t index) const;
  [[nodiscard]] const ObjectView* find(std::string_view name) const;
  [[nodiscard]] std::size_t count_alive() const;
  [[nodiscard]] std::size_t count_dead() const { return participants_.size() - count_alive(); }
  [[nodiscard]] std::size_t count_live_objects() const;
  // Bytes of the heap that objects take.
  [[nodiscard]] std::uint64_t used() const;
  // Of the living, who have the object open.
  [[nodiscard]] std::vector<const Participant*> openers(const ObjectView& object) const;

  // What is wrong with the tables: a sentence each.
  [[nodiscard]] const std::vector<std::string>& damage() const { return damage_; }

  // As it is now: objects change while their records do not. Throws Damaged.
  [[nodiscard]] Bytes read(const ObjectView& object, std::uint64_t at, std::uint64_t size) const;

 private:
  void open();
  void read_tables();
  void read_participants(std::uint32_t count);
  void read_threads(std::uint32_t count);
  void read_objects(std::uint32_t count);
  void check_objects();
  [[nodiscard]] std::uint32_t checked_mark(const Bytes& marks, std::uint64_t at, std::uint32_t most,
                                           const char* what);
  [[nodiscard]] Bytes read_file(std::uint64_t at, std::uint64_t size) const;

  std::string name_;
  os::File file_;
  os::FileStatus status_;
  format::Header header_{};
  std::uint32_t processes_ever_ = 0;
  std::vector<Participant> participants_;
  std::vector<ThreadView> threads_;
  std::vector<ObjectView> objects_;
  std::vector<std::string> damage_;
};

// The names of all files in /dev/shm that are called as segments are, sorted.
std::vector<std::string> segment_names();

// Bytes that may be anything, fit for a terminal.
std::string printable(std::string_view text);

}  // namespace shoal::tool
