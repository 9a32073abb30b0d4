// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shoal/open.hpp"

namespace shoal {
namespace detail {
class Mapping;
}

// What a new segment is made with. Who opens an existing one finds what its creator chose; `mode`
// then says which other users' segments are accepted.
struct SegmentOptions {
  Open open = Open::or_create;
  std::size_t capacity = 64 << 20;  // bytes for objects; taken from the machine when used
  unsigned mode = 0600;             // of the file, whatever the umask is
  std::size_t max_objects = 1024;   // at most 65535
  std::size_t max_processes = 128;  // at once; at most 65535
  std::size_t max_threads = 1024;   // that wait or operate at once; at most 65535
};

// What objects() tells of one. `type` is empty for kinds that hold no T.
struct ObjectInfo {
  std::string name;
  std::string kind;
  std::string type;
  std::size_t bytes = 0;
};

// A Segment is a named piece of shared memory in which objects are found by their names:
//
//   shoal::Segment shop("shop");                             // open it, or create it
//   shoal::Value<std::int64_t> counter(shop, "counter");
//
// Names are 1 to 63 bytes of A-Z a-z 0-9 . _ - and do not begin with a dot. The file is
// /dev/shm/shoal.<name>, and stays until remove(). Memory is taken from the machine when an object
// is made, never later: a full /dev/shm is NoSpace there, and no signal anywhere.
//
// Death: a process killed while it creates, opens or uses a segment leaves it usable for the next.
//
// Lifetime: a handle, cheap to copy. Objects keep what they need of it and may outlive it. Use
// from any thread. The file must not be truncated by other means while it is in use.
class Segment {
 public:
  // Throws InvalidName; AlreadyExists or NotFound, as `open` says; PermissionDenied where the file
  // is not this user's and options.mode has no group or other bits; Corrupted or VersionMismatch
  // where it is not a segment of ours; NoSpace where /dev/shm is full; TooManyParticipants where
  // max_processes are alive in it; std::invalid_argument for options out of their range.
  explicit Segment(std::string_view name, SegmentOptions options = {});
  Segment(std::string_view name, Open open);

  // A segment without a name, for forked children; it ends with the last process that has it.
  static Segment anonymous(SegmentOptions options = {});

  // Takes the name away: handles that are open keep working, a new Segment is another one. False
  // where there is none.
  static bool remove(std::string_view name);
  // The names of the segments this user can open, sorted.
  static std::vector<std::string> list();

  [[nodiscard]] const std::string& name() const;  // empty for an anonymous one
  [[nodiscard]] std::size_t capacity() const;
  [[nodiscard]] std::size_t used() const;                 // bytes of the capacity that objects take
  [[nodiscard]] std::vector<ObjectInfo> objects() const;  // in no particular order
  // Takes an object's name away at once; its space comes back when no live process has it open.
  // False where there is none.
  bool erase(std::string_view object) const;

 private:
  friend struct SegmentAccess;
  explicit Segment(std::shared_ptr<detail::Mapping> mapping);

  std::shared_ptr<detail::Mapping> mapping_;
};

}  // namespace shoal
