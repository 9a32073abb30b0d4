// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "format.hpp"
#include "mutant.hpp"

namespace shoal::detail {

// What an object record says of its memory: read once, and checked.
struct Extent {
  Kind kind;
  std::uint64_t offset;  // from heap_at; a multiple of 64
  std::uint64_t bytes;
};

class Tables;

// What core/waiter.hpp says of WaitersIn. Lives no longer than its tables.
class ThreadRecords {
 public:
  explicit ThreadRecords(const Tables& tables) : tables_(&tables) {}
  [[nodiscard]] format::ThreadRecord* data() const;
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] format::ThreadRecord* begin() const { return data(); }
  [[nodiscard]] format::ThreadRecord* end() const { return data() + size(); }
  [[nodiscard]] format::ThreadRecord& operator[](std::size_t index) const { return data()[index]; }

 private:
  const Tables* tables_;
};

// The tables of a mapped segment, by the private copy of its header: nothing that stands in shared
// memory can lead outside of them.
class Tables {
 public:
  Tables(const format::Header& header, std::byte* base) : header_(header), base_(base) {}

  [[nodiscard]] const format::Header& header() const { return header_; }
  [[nodiscard]] format::Marks& marks() const {
    return *reinterpret_cast<format::Marks*>(base_ + format::kMarksAt);
  }

  [[nodiscard]] std::span<format::CpuNotes> cpu_notes() const {
    return {reinterpret_cast<format::CpuNotes*>(base_ + format::kCpuNotesAt), format::kCpus};
  }

  // How many records of each table may be looked at.
  [[nodiscard]] std::uint32_t processes() const {
    return std::min(marks().processes.load(std::memory_order_acquire), header_.max_processes);
  }
  [[nodiscard]] std::uint32_t objects() const {
    const std::uint32_t objects = marks().objects.load(std::memory_order_acquire);
    if constexpr (kSeeded == Seeded::index_unchecked) return objects;
    return std::min(objects, header_.max_objects);
  }
  [[nodiscard]] std::uint32_t threads() const {
    return std::min(marks().threads.load(std::memory_order_acquire), header_.max_threads);
  }

  [[nodiscard]] format::ProcessRecord& process(std::uint32_t index) const {
    return reinterpret_cast<format::ProcessRecord*>(base_ + format::kProcessesAt)[index];
  }
  [[nodiscard]] format::ObjectRecord& object(std::uint32_t index) const {
    return reinterpret_cast<format::ObjectRecord*>(base_ + header_.objects_at)[index];
  }
  [[nodiscard]] format::ThreadRecord& thread(std::uint32_t index) const {
    return reinterpret_cast<format::ThreadRecord*>(base_ + header_.threads_at)[index];
  }

  // All thread records that have ever been used, whenever that is asked.
  [[nodiscard]] ThreadRecords waiters() const;

  // Offsets in the file, for backing a record with memory.
  [[nodiscard]] static std::uint64_t process_at(std::uint32_t index) {
    return format::kProcessesAt + index * sizeof(format::ProcessRecord);
  }
  [[nodiscard]] std::uint64_t object_at(std::uint32_t index) const {
    return header_.objects_at + index * sizeof(format::ObjectRecord);
  }
  [[nodiscard]] std::uint64_t thread_at(std::uint32_t index) const {
    return header_.threads_at + index * sizeof(format::ThreadRecord);
  }
  [[nodiscard]] std::uint64_t open_set_at(std::uint32_t index) const {
    return header_.opens_at + index * open_set_bytes(header_.max_processes);
  }

  // The open set of an object: a bit a process record.
  [[nodiscard]] static constexpr std::uint64_t open_set_bytes(std::uint32_t max_processes) {
    return (max_processes + 63) / 64 * sizeof(format::OpenSetWord);
  }
  [[nodiscard]] bool is_open_by(std::uint32_t object, std::uint32_t process) const {
    return (open_word(object, process).load(std::memory_order_acquire) & bit(process)) != 0;
  }
  void set_open(std::uint32_t object, std::uint32_t process) const {
    open_word(object, process).fetch_or(bit(process), std::memory_order_acq_rel);
  }
  void clear_open(std::uint32_t object, std::uint32_t process) const {
    open_word(object, process).fetch_and(~bit(process), std::memory_order_acq_rel);
  }
  [[nodiscard]] bool is_open_by_nobody(std::uint32_t object) const {
    for (std::uint32_t i = 0; i < header_.max_processes; i += 64)
      if (open_word(object, i).load(std::memory_order_acquire) != 0) return false;
    return true;
  }

  [[nodiscard]] std::byte* heap() const { return base_ + header_.heap_at; }
  [[nodiscard]] bool in_heap(std::uint64_t offset, std::uint64_t bytes) const {
    return offset <= header_.capacity && bytes <= header_.capacity - offset;
  }
  // Nothing where the record has been scribbled over.
  [[nodiscard]] std::optional<Extent> extent(std::uint32_t index) const {
    const format::ObjectRecord& record = object(index);
    const Extent extent{record.kind.load(std::memory_order_relaxed),
                        record.offset.load(std::memory_order_relaxed),
                        record.bytes.load(std::memory_order_relaxed)};
    if constexpr (kSeeded == Seeded::offset_unchecked) return extent;
    if (!in_heap(extent.offset, extent.bytes) || extent.offset % 64 != 0) return std::nullopt;
    return extent;
  }

 private:
  [[nodiscard]] format::OpenSetWord& open_word(std::uint32_t object, std::uint32_t process) const {
    return reinterpret_cast<format::OpenSetWord*>(base_ + open_set_at(object))[process / 64];
  }
  static std::uint64_t bit(std::uint32_t process) { return std::uint64_t{1} << process % 64; }

  const format::Header header_;
  std::byte* const base_;
};

inline ThreadRecords Tables::waiters() const { return ThreadRecords(*this); }
inline format::ThreadRecord* ThreadRecords::data() const { return &tables_->thread(0); }
inline std::size_t ThreadRecords::size() const { return tables_->threads(); }

}  // namespace shoal::detail
