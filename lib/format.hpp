// SPDX-License-Identifier: MIT
#pragma once

// The segment file, byte by byte; docs/format.md shows one.
//
//   offset          what                       backed with memory
//   0               Header, Marks              when the segment is created
//   512             CpuNotes[]                 when the segment is created
//   4608            ProcessRecord[]            up to Marks::processes
//   opens_at        open sets, one an object   up to Marks::objects
//   objects_at      ObjectRecord[]             up to Marks::objects
//   threads_at      ThreadRecord[]             up to Marks::threads
//   heap_at         the objects                where an object record says so
//
// The header never changes once the file has its name: it is copied out, checked, and not read
// again. What else is read here may have been scribbled over: every index and offset is checked
// against that copy before it is used.
//
// Who may write: the directory lock (mapping.hpp) guards all but what is marked otherwise.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/cpu_notes.hpp"
#include "core/waiter.hpp"
#include "shoal/detail/machine.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/detail/owner_value.hpp"

namespace shoal::format {

inline constexpr char kMagic[8] = {'s', 'h', 'o', 'a', 'l', '\r', '\n', '\x1a'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint32_t kByteOrder = 0x01020304;
inline constexpr std::uint32_t kPage = 4096;
inline constexpr std::uint32_t kMaxRecords = 65535;
inline constexpr std::size_t kNameRoom = 64;
inline constexpr std::size_t kTypeRoom = 128;

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t byte_order;
  std::uint32_t pointer_size;
  std::uint32_t max_objects;
  std::uint32_t max_processes;
  std::uint32_t max_threads;
  std::uint64_t capacity;  // bytes from heap_at to the end of the file
  std::uint64_t opens_at;
  std::uint64_t objects_at;
  std::uint64_t threads_at;
  std::uint64_t heap_at;
  std::uint64_t instance;  // random: another segment of the same name is another one
  std::int64_t created;    // unix time in nanoseconds, for people to read
  std::uint32_t creator;   // pid, for people to read
  std::uint32_t checksum;  // CRC-32 of all before
};
static_assert(sizeof(Header) == 96 && std::is_trivially_copyable_v<Header>);

// How far each table has been used. They only grow; below them every page is backed.
struct Marks {
  std::atomic<std::uint32_t> processes;
  std::atomic<std::uint32_t> objects;
  std::atomic<std::uint32_t> threads;  // grows by CAS, without the directory lock
  std::uint32_t reserved;
  std::atomic<std::uint64_t> heap;  // bytes of the heap from here on were never written
};
inline constexpr std::uint64_t kMarksAt = 256;

// Who waits, by the CPU that runs it, and lacks that; told in core/cpu_notes.hpp. CPUs beyond those
// share them.
using CpuNotes = core::BasicCpuNotes<detail::MachineAtomics>;
static_assert(sizeof(CpuNotes) == 64 && std::is_standard_layout_v<CpuNotes>);
static_assert(offsetof(CpuNotes, compared) == 56, "docs/format.md");
inline constexpr unsigned kCpus = 64;
inline constexpr std::uint64_t kCpuNotesAt = 512;

inline constexpr std::uint64_t kProcessesAt = kCpuNotesAt + kCpus * sizeof(CpuNotes);

// Who is alive.
//
//   life                 meaning                          byte lock
//   generation | free    nobody's                         none
//   generation | taken   a process's, alive or dead       held while that process lives
//   generation | dying   being buried; what still names   none
//                        (record, generation - 1) is dead
//
// free -> taken by who attaches, its byte lock taken before; taken -> free by itself as it detaches,
// after its own sweep, generation + 1 in the same store. These two need no lock but that byte.
// taken -> dying by who buries it, generation + 1 in the same store; dying -> free after the sweep,
// both under the directory lock. A record found dying is swept again: its burier was killed.
//
// The generation is what makes a dead process dead for good: once it has moved on, who takes the
// byte lock next cannot make it look alive.
enum class Life : std::uint64_t { free = 0, taken = 1, dying = 2 };
inline constexpr int kLifeBits = 2;
constexpr std::uint64_t life_word(std::uint64_t generation, Life life) {
  return generation << kLifeBits | static_cast<std::uint64_t>(life);
}
constexpr std::uint64_t generation_of(std::uint64_t life) { return life >> kLifeBits; }
constexpr Life life_of(std::uint64_t life) {
  return static_cast<Life>(life & ((1U << kLifeBits) - 1));
}

struct ProcessRecord {
  std::atomic<std::uint64_t> life;
  std::atomic<std::int64_t> attached;  // unix time in ns; this and below for people to read
  std::atomic<std::uint32_t> pid;
  std::atomic<std::uint32_t> name[4];  // 16 bytes, zero-padded
  std::uint32_t reserved[7];
};
static_assert(sizeof(ProcessRecord) == 64 && std::is_standard_layout_v<ProcessRecord>);

// A thread that waits; its fields and who may change them are told in core/waiter.hpp.
using ThreadRecord = core::BasicWaiter<detail::MachineAtomics>;
static_assert(sizeof(ThreadRecord) == 64 && std::is_standard_layout_v<ThreadRecord>);

// A named object.
//
//   state                  meaning                              what it covers
//   generation | free      nothing                              no memory
//   generation | building  being built; nobody else sees it     its range, while its builder has
//                                                               the directory lock, so: not if
//                                                               anyone else sees this
//   generation | live      found by its name                    its range
//   generation | erased    without a name                       its range, while a process that is
//                                                               in its open set lives
//
// The table is the only truth about memory: what no record covers is free.
enum class State : std::uint32_t { free = 0, building = 1, live = 2, erased = 3 };

struct ObjectRecord {
  std::atomic<std::uint32_t> state;  // State
  std::atomic<detail::Kind> kind;
  std::atomic<std::uint64_t> generation;  // + 1 each time it is built
  std::atomic<std::uint64_t> offset;      // from heap_at
  std::atomic<std::uint64_t> bytes;
  std::uint64_t size;       // of T
  std::uint32_t alignment;  // of T
  std::uint32_t type_hash;  // of the whole of a type's name
  char name[kNameRoom];     // zero-padded
  char type[kTypeRoom];     // zero-padded; cut off where it is longer
  std::uint32_t reserved[4];
};
static_assert(sizeof(ObjectRecord) == 256 && std::is_standard_layout_v<ObjectRecord>);

// The open set of an object: a bit for each process record. A process sets its own under the
// directory lock, and clears it without.
using OpenSetWord = std::atomic<std::uint64_t>;

// Where the byte locks are: far behind any file's end.
inline constexpr std::uint64_t kDirectoryByte = std::uint64_t{1} << 60;
constexpr std::uint64_t life_byte(std::uint32_t record) { return kDirectoryByte + 1 + record; }

}  // namespace shoal::format
