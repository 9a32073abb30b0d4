// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "format.hpp"
#include "os/file.hpp"
#include "os/region.hpp"
#include "shoal/segment.hpp"

namespace shoal::detail {

// A segment's file, open and checked, and the private copy of its header.
struct SegmentFile {
  os::File file;
  format::Header header{};
  os::FileStatus status;
  std::unique_ptr<os::Region> region;  // of a new one; see map_segment_file()
  [[nodiscard]] std::uint64_t size() const { return header.heap_at + header.capacity; }
};

// Opens the file, or makes it, as the options say. A file gets its name when it is complete, so
// that whoever finds the name finds a sound segment, and a creator that is killed leaves nothing.
// Throws as the constructor of Segment.
SegmentFile open_segment_file(const std::string& name, const SegmentOptions& options);
SegmentFile create_anonymous_segment_file(const SegmentOptions& options);

// Throws Corrupted or VersionMismatch where a file of that size cannot begin with this header.
void check_header(const std::string& name, const format::Header& header, std::uint64_t size);

// Maps it, unless it is. Throws NoSpace.
void map_segment_file(const std::string& name, SegmentFile& segment);

}  // namespace shoal::detail
