// SPDX-License-Identifier: MIT
#include "shoal/segment.hpp"

#include <algorithm>
#include <utility>

#include "directory.hpp"
#include "kinds.hpp"
#include "mapping.hpp"
#include "message.hpp"
#include "object.hpp"
#include "os/file.hpp"
#include "registry.hpp"
#include "segment_file.hpp"
#include "shoal/error.hpp"

namespace shoal {

// How the rest of the library gets at what a Segment refers to.
struct SegmentAccess {
  static detail::Mapping& mapping(const Segment& segment) { return *segment.mapping_; }
};

namespace {

// Between the opening of a file and the taking of a place in it, nobody can tell that somebody is
// about to come, and its name may be taken away as that of a segment which nobody has. Then what was
// joined is not the segment of that name, and the next one to come would be alone in another.
bool has_name(const detail::Mapping& mapping) {
  os::FileStatus status;
  return mapping.file().status(status) || status.linked;
}

std::shared_ptr<detail::Mapping> open_named(std::string_view name, const SegmentOptions& options) {
  detail::check_name(name, "a segment");
  const std::string owned(name);
  for (;;) {
    auto mapping = detail::map_segment(owned, detail::open_segment_file(owned, options));
    if (has_name(*mapping)) return mapping;
  }
}

}  // namespace

Segment::Segment(std::string_view name, SegmentOptions options)
    : mapping_(open_named(name, options)) {}

Segment::Segment(std::string_view name, Open open)
    : Segment(name, [open] {
        SegmentOptions options;
        options.open = open;
        return options;
      }()) {}

Segment::Segment(std::shared_ptr<detail::Mapping> mapping) : mapping_(std::move(mapping)) {}

Segment Segment::anonymous(SegmentOptions options) {
  return Segment(detail::map_segment("", detail::create_anonymous_segment_file(options)));
}

bool Segment::remove(std::string_view name) {
  detail::check_name(name, "a segment");
  const std::error_code error = os::remove_file(name);
  if (error == std::errc::no_such_file_or_directory) return false;
  if (error == std::errc::permission_denied || error == std::errc::operation_not_permitted)
    throw PermissionDenied(detail::in_segment(name) + ": you may not remove " + os::path_of(name) +
                           ": it belongs to another user");
  if (error)
    throw Error(error, detail::in_segment(name) + ": cannot remove " + os::path_of(name) + ": " +
                           error.message());
  return true;
}

std::vector<std::string> Segment::list() {
  std::vector<std::string> names = os::list_files();
  std::erase_if(names, [](const std::string& name) { return !detail::is_valid_name(name); });
  std::sort(names.begin(), names.end());
  return names;
}

const std::string& Segment::name() const { return mapping_->name(); }
std::size_t Segment::capacity() const { return mapping_->tables().header().capacity; }

std::size_t Segment::used() const {
  const detail::Mapping::Directory held(*mapping_);
  detail::tidy(*mapping_);
  return detail::used_bytes(*mapping_);
}

std::vector<ObjectInfo> Segment::objects() const {
  const detail::Mapping::Directory held(*mapping_);
  return detail::list_objects(*mapping_);
}

bool Segment::erase(std::string_view object) const {
  detail::check_name(object, "an object");
  const detail::Mapping::Directory held(*mapping_);
  return detail::erase(*mapping_, object);
}

namespace detail {

std::uint32_t max_processes(const Segment& segment) {
  return SegmentAccess::mapping(segment).tables().header().max_processes;
}

OpenedObject open_object(const Segment& segment, std::string_view name, const Blueprint& blueprint,
                         Open open) {
  check_name(name, "an object");
  Mapping& mapping = SegmentAccess::mapping(segment);
  std::shared_ptr<const Object> object;  // declared first: it must not go under the lock
  const Mapping::Directory held(mapping);
  auto index = find(mapping, name);
  if (index && open == Open::create)
    throw AlreadyExists(in_object(mapping.name(), kind_name(blueprint.kind), name) +
                        ": already exists; open it with Open::existing or Open::or_create");
  if (!index && open == Open::existing)
    throw NotFound(in_object(mapping.name(), kind_name(blueprint.kind), name) +
                   ": there is none; create it first, or use Open::or_create");
  if (!index && blueprint.bytes == kWhateverIsThere)
    throw NotFound(in_object(mapping.name(), kind_name(blueprint.kind), name) +
                   ": there is none, and it cannot be made without its " +
                   (blueprint.kind == Kind::barrier ? "parties" : "size"));
  Extent extent{};
  if (index)
    extent = check(mapping, *index, blueprint);
  else
    index = construct(mapping, name, blueprint, extent);
  object = mapping.open(*index, std::string(name), blueprint.kind,
                        mapping.tables().heap() + extent.offset);
  return {object, object->memory(), extent.bytes, mapping.self_words()};
}

}  // namespace detail
}  // namespace shoal
