// SPDX-License-Identifier: MIT
#include "segment_file.hpp"

#include <cstddef>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "message.hpp"
#include "os/checksum.hpp"
#include "os/process.hpp"
#include "shoal/error.hpp"
#include "tables.hpp"

namespace shoal::detail {
namespace {

using format::Header;
using format::kPage;

constexpr std::uint64_t kLargestCapacity = std::uint64_t{1} << 46;

constexpr std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

std::uint32_t checksum(const Header& header) {
  return os::checksum(&header, offsetof(Header, checksum));
}

// Where everything is, by the sizes of the tables.
void lay_out(Header& header) {
  header.opens_at = whole_pages(Tables::process_at(header.max_processes));
  header.objects_at = header.opens_at + whole_pages(header.max_objects *
                                                    Tables::open_set_bytes(header.max_processes));
  header.threads_at =
      header.objects_at + whole_pages(header.max_objects * sizeof(format::ObjectRecord));
  header.heap_at =
      header.threads_at + whole_pages(header.max_threads * sizeof(format::ThreadRecord));
}

void check_options(const SegmentOptions& options) {
  const auto check = [](std::size_t value, std::size_t most, const char* what) {
    if (value == 0 || value > most)
      throw std::invalid_argument("shoal: SegmentOptions: " + std::string(what) + " is " +
                                  std::to_string(value) + ", not in 1 to " + std::to_string(most));
  };
  check(options.capacity, kLargestCapacity, "capacity");
  check(options.max_objects, format::kMaxRecords, "max_objects");
  check(options.max_processes, format::kMaxRecords, "max_processes");
  check(options.max_threads, format::kMaxRecords, "max_threads");
  if (options.mode > 0777) throw std::invalid_argument("shoal: SegmentOptions: mode is above 0777");
}

Header new_header(const SegmentOptions& options) {
  Header header{};
  std::memcpy(header.magic, format::kMagic, sizeof header.magic);
  header.version = format::kVersion;
  header.byte_order = format::kByteOrder;
  header.pointer_size = sizeof(void*);
  header.max_objects = static_cast<std::uint32_t>(options.max_objects);
  header.max_processes = static_cast<std::uint32_t>(options.max_processes);
  header.max_threads = static_cast<std::uint32_t>(options.max_threads);
  header.capacity = whole_pages(options.capacity);
  lay_out(header);
  header.instance = os::random_number();
  header.created = os::unix_time();
  header.creator = os::process_id();
  header.checksum = checksum(header);
  return header;
}

[[noreturn]] void throw_no_space(const std::string& name, const std::string& what) {
  throw NoSpace(in_segment(name) + ": " + what +
                ": /dev/shm is full; remove segments that nobody needs, or make it larger");
}

[[noreturn]] void throw_failed(const std::string& name, const char* what, std::error_code error) {
  if (error == std::errc::no_space_on_device || error == std::errc::not_enough_memory)
    throw_no_space(name, what);
  throw Error(error, in_segment(name) + ": " + what + ": " + error.message());
}

// Gives a file without a name its size and its header.
Header fill(const std::string& name, const os::File& file, const SegmentOptions& options) {
  const Header header = new_header(options);
  if (const std::error_code error = file.resize(header.heap_at + header.capacity))
    throw_failed(name, "cannot give its file its size", error);
  if (const std::error_code error = file.allocate(0, format::kProcessesAt))
    throw_failed(name, "cannot be created", error);
  if (const std::error_code error = file.write(&header, sizeof header))
    throw_failed(name, "cannot write its header", error);
  return header;
}

void map(const std::string& name, SegmentFile& segment) {
  try {
    segment.region = std::make_unique<os::Region>(segment.file, segment.size());
  } catch (const std::system_error& error) {
    throw NoSpace(in_segment(name) + ": cannot be mapped: " + error.code().message() +
                  ": this process has no room for " + std::to_string(segment.size()) + " bytes");
  }
}

[[noreturn]] void throw_corrupted(const std::string& name, const std::string& what) {
  throw Corrupted(in_segment(name) + ": " + os::path_of(name) + " is not a sound segment: " + what +
                  "; if nobody needs it, Segment::remove(\"" + name + "\") takes it away");
}

// Before anything is read: is this file one that this user should trust at all?
void check_status(const std::string& name, const os::FileStatus& status,
                  const SegmentOptions& options) {
  if (!status.regular) throw_corrupted(name, "not a regular file");
  if (status.user != os::user_id() && !os::is_root() && (options.mode & 077) == 0)
    throw PermissionDenied(in_segment(name) + ": belongs to user " + std::to_string(status.user) +
                           ", not to you (" + std::to_string(os::user_id()) +
                           "); to share it, give SegmentOptions::mode group or other bits");
}

// Opens what is there. False where there is none (any more).
bool open_existing(const std::string& name, const SegmentOptions& options, SegmentFile& segment) {
  const std::error_code error = os::File::open(name, segment.file);
  if (error == std::errc::no_such_file_or_directory) return false;
  if (error == std::errc::permission_denied || error == std::errc::operation_not_permitted)
    throw PermissionDenied(in_segment(name) + ": you may not open " + os::path_of(name) +
                           "; its owner can make it with a wider SegmentOptions::mode");
  if (error == std::errc::too_many_symbolic_link_levels) throw_corrupted(name, "a symbolic link");
  if (error == std::errc::is_a_directory || error == std::errc::no_such_device_or_address)
    throw_corrupted(name, "not a regular file");
  if (error) throw_failed(name, "cannot be opened", error);

  os::FileStatus& status = segment.status;
  if (const std::error_code failed = segment.file.status(status))
    throw_failed(name, "cannot be examined", failed);
  if (!status.linked) return false;  // removed since
  check_status(name, status, options);
  if (segment.file.read(&segment.header, sizeof segment.header))
    throw_corrupted(name, "shorter than a header");
  check_header(name, segment.header, status.size);
  return true;
}

// Makes it, complete, and gives it its name. False where somebody else was quicker.
bool create(const std::string& name, const SegmentOptions& options, SegmentFile& segment) {
  if (const std::error_code error = os::File::create(options.mode, segment.file))
    throw_failed(name, "cannot be created in /dev/shm", error);
  segment.header = fill(name, segment.file, options);
  if (const std::error_code error = segment.file.status(segment.status))
    throw_failed(name, "cannot be examined", error);
  map(name, segment);  // before it has a name: what fails leaves no file
  const std::error_code error = segment.file.publish(name);
  if (error && error != std::errc::file_exists)
    throw_failed(name, "cannot be given its name", error);
  if (error) segment.region.reset();
  return !error;
}

}  // namespace

void check_header(const std::string& name, const Header& header, std::uint64_t size) {
  if (std::memcmp(header.magic, format::kMagic, sizeof header.magic) != 0)
    throw_corrupted(name, "it does not begin as one");
  if (header.version != format::kVersion && header.byte_order == format::kByteOrder)
    throw VersionMismatch(in_segment(name) + ": has format " + std::to_string(header.version) +
                          ", this library reads format " + std::to_string(format::kVersion) +
                          "; run its users with one version of the library, or remove it");
  if (header.byte_order != format::kByteOrder || header.pointer_size != sizeof(void*))
    throw VersionMismatch(in_segment(name) + ": was made on another kind of machine (pointers of " +
                          std::to_string(header.pointer_size) + " bytes, here " +
                          std::to_string(sizeof(void*)) + "); remove it");
  if (header.checksum != checksum(header))
    throw_corrupted(name, "its header has been written over");
  const auto in_range = [](std::uint64_t value, std::uint64_t most) {
    return value >= 1 && value <= most;
  };
  Header expected = header;
  lay_out(expected);
  if (!in_range(header.max_objects, format::kMaxRecords) ||
      !in_range(header.max_processes, format::kMaxRecords) ||
      !in_range(header.max_threads, format::kMaxRecords) ||
      !in_range(header.capacity, kLargestCapacity) ||
      std::memcmp(&header, &expected, sizeof header) != 0)
    throw_corrupted(name, "its tables cannot be where it says");
  if (size != header.heap_at + header.capacity)
    throw_corrupted(name, "its file has " + std::to_string(size) + " bytes, not " +
                              std::to_string(header.heap_at + header.capacity));
}

void map_segment_file(const std::string& name, SegmentFile& segment) {
  if (!segment.region) map(name, segment);
}

SegmentFile open_segment_file(const std::string& name, const SegmentOptions& options) {
  check_options(options);
  SegmentFile segment;
  if (options.open == Open::create) {
    if (create(name, options, segment)) return segment;
    throw AlreadyExists(in_segment(name) +
                        ": already exists; open it with Open::existing or Open::or_create");
  }
  // Each round that fails, somebody else has created or removed it meanwhile.
  for (;;) {
    if (open_existing(name, options, segment)) return segment;
    if (options.open == Open::existing)
      throw NotFound(in_segment(name) + ": there is none; create it first, or use Open::or_create");
    if (create(name, options, segment)) return segment;
  }
}

SegmentFile create_anonymous_segment_file(const SegmentOptions& options) {
  check_options(options);
  SegmentFile segment;
  if (const std::error_code error = os::File::create_anonymous(segment.file))
    throw_failed("", "cannot be created", error);
  segment.header = fill("", segment.file, options);
  if (const std::error_code error = segment.file.status(segment.status))
    throw_failed("", "cannot be examined", error);
  return segment;
}

}  // namespace shoal::detail
