// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "shoal/detail/lock_word.hpp"
#include "shoal/detail/machine.hpp"
#include "shoal/detail/owner_value.hpp"

namespace shoal::detail {

// A pipe in shared memory; the algorithm is in lib/core/pipe.hpp. Two ends, and a lane from each to
// the other: a ring of bytes with one sender and one receiver at a time.

// In so many periods a side of a lane has a favourite, below; in the one after these it has none.
inline constexpr std::uint32_t kPeriods = 8;
inline constexpr int kPeriodBits = 4;
inline constexpr int kPeriodShift = 64 - kPeriodBits;

// Whose turn it is to send, or to receive: of the thread that has the lock; or, without it, of the
// one thread that the lock's last holder left it to. That one pays no atomic read-modify-write,
// which would make it wait for all its stores: see lib/core/pipe_turn.hpp.
//
//   favourite  bits 0-59: the note of that thread (holder_note in lock_word.hpp; ids of threads have
//              22 bits), or 0: nobody is the favourite. Bits 60-63: the period, which is how often
//              a live one has lost the favour. Who has the lock
//   owner      the process of the last favourite, or of who was about to be one. Who has the lock
//   busy       for each period: 1 while its favourite is inside, which may be dead; else 0. Its
//              favourite; and who has the lock, to 0, where that process is dead. Of periods before
//              the last one nobody looks at it: there a 1 means nothing
//   sleepers   who waits for the favourite to leave: lib/core/wait.hpp
template <class World>
struct BasicPipeTurn {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  Atomic<std::uint64_t> favourite;
  Atomic<OwnerValue> owner;
  Atomic<std::uint8_t> busy[kPeriods];
  Atomic<std::uint32_t> sleepers;
};

constexpr std::uint64_t favourite_value(std::uint64_t note, std::uint64_t period) {
  return note | period << kPeriodShift;
}
constexpr bool has_favourite(std::uint64_t favourite) { return favourite << kPeriodBits != 0; }
constexpr std::uint64_t period_of(std::uint64_t favourite) { return favourite >> kPeriodShift; }
// The period in which the thread of that note is the favourite; kPeriods or more: in none.
constexpr std::uint64_t period_of(std::uint64_t favourite, std::uint64_t note) {
  return std::rotl(favourite ^ note, kPeriodBits);
}
// The period of whoever is the favourite, or was it last; before the first one, of none yet.
constexpr std::uint64_t last_period(std::uint64_t favourite) {
  return (period_of(favourite) - (has_favourite(favourite) ? 0 : 1)) % kPeriods;
}

// A lane. Positions count bytes since the pipe was made, and are multiples of 8; position % size of
// the ring is where in the ring.
//
//   tail            end of what has been sent: whole frames only. Who sends
//   small_at        where the frame of small_header and small_payload begins: one of 16 bytes, which
//                   is in the ring, too. Who receives single ones finds them where it finds tail,
//                   and is spared the way of one more line. kNoSmallFrame, or whatever it was: no
//                   such frame. Who sends
//   sent            a copy of tail, of the favourite's alone. To read tail itself would be to wait
//                   for the line that the receiver looks at
//   head_seen       what the sender last saw of head: no more than head is. Who sends
//   dropped_at      tail, where a send gave up in the middle of its message: nobody is to miss it.
//                   Who sends
//   head            begin of what is to be received: of a frame. Who receives
//   tail_seen       what the receiver last saw of tail: no more than tail is. Who receives
//   burst           how many frames were received since the receiver last looked at tail. Who
//                   receives
//   data_sleepers   who waits for something to receive: lib/core/wait.hpp
//   space_sleepers  who waits for room to send: lib/core/wait.hpp
//   send_turn       who sends: one thread, from before the first frame of its message until after
//                   the last. A message that is incomplete, and has no such thread, is cut off
//   recv_turn       who receives
//
// What one side writes and what both read stand on lines of their own: in pairs of lines, for
// processors fetch the neighbour too.
template <class World>
struct alignas(128) BasicPipeLane {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  BasicPipeTurn<World> send_turn;
  Atomic<std::uint64_t> sent;
  Atomic<std::uint64_t> head_seen;
  Atomic<std::uint64_t> dropped_at;
  alignas(128) Atomic<std::uint64_t> tail;
  Atomic<std::uint64_t> small_at;
  Atomic<std::uint64_t> small_header;
  Atomic<std::uint64_t> small_payload;
  alignas(128) BasicPipeTurn<World> recv_turn;
  Atomic<std::uint64_t> tail_seen;
  Atomic<std::uint64_t> burst;
  alignas(128) Atomic<std::uint64_t> head;
  alignas(128) Atomic<std::uint32_t> data_sleepers;
  Atomic<std::uint32_t> space_sleepers;
  alignas(128) BasicLockWord<World> send_lock;
  BasicLockWord<World> recv_lock;
};

//   ends       of each end: bits 0-1 its phase, below; bits 2-63 count the changes of that. Anyone,
//              by CAS; but only who has the directory lock makes it held
//   capacity   the creator's: bytes each way, as asked for
//   simplex    the creator's. 1: there is no lane from the first end
//   lanes      [0] from the first end to the second, [1] back
//
// Behind it, for each end and each process record, the value of the process that holds the end, or
// 0: that process's alone, but for who makes a place for its forked child, and who buries it. One
// that names the dead counts for nothing. Then the ring of each lane that there is.
template <class World>
struct alignas(128) BasicPipeWord {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  Atomic<std::uint64_t> ends[2];
  Atomic<std::uint64_t> capacity;
  Atomic<std::uint32_t> simplex;
  BasicPipeLane<World> lanes[2];
};

//   phase     meaning                                     becomes
//   awaited   nobody holds the end, and its peer counts   held, by who takes it
//             on somebody to come
//   held      a process holds it; or did, and is dead     gone, by whoever finds nobody alive there
//   gone      those who held it have closed it, or died   held, by who takes it; awaited, where the
//                                                         other end is gone too, and taken again
enum class EndPhase : std::uint64_t { awaited = 0, held = 1, gone = 2 };
inline constexpr int kEndPhaseBits = 2;
constexpr EndPhase phase_of(std::uint64_t end) {
  return static_cast<EndPhase>(end & ((1U << kEndPhaseBits) - 1));
}
constexpr std::uint64_t next_end(std::uint64_t end, EndPhase phase) {
  return ((end >> kEndPhaseBits) + 1) << kEndPhaseBits | static_cast<std::uint64_t>(phase);
}

// A frame: a header, and its payload, filled up to a multiple of 8.
//
//   kind    payload     meaning
//   whole   a message   a message
//   begin   none        a message of so many bytes follows, in parts
//   part    some of it  the parts of a message make up its size
//
// Header: bits 0-1 kind; bit 2, of whole and begin, that the message before, if it is incomplete, is
// nobody's loss: its send gave up, and said so; bits 3-63 size.
enum class Frame : std::uint64_t { none = 0, whole = 1, begin = 2, part = 3 };
inline constexpr std::uint64_t kFrameHeader = 8;
inline constexpr std::uint64_t kFrameDropsLast = 4;
inline constexpr int kFrameSizeShift = 3;
inline constexpr std::uint64_t kLargestMessage = std::uint64_t{1} << 48;
constexpr std::uint64_t frame_header(Frame kind, std::uint64_t size) {
  return size << kFrameSizeShift | static_cast<std::uint64_t>(kind);
}
constexpr Frame frame_kind(std::uint64_t header) { return static_cast<Frame>(header & 3); }
constexpr std::uint64_t frame_size(std::uint64_t header) { return header >> kFrameSizeShift; }
constexpr std::uint64_t frame_bytes(std::uint64_t size) {
  return kFrameHeader + (size + 7) / 8 * 8;
}
inline constexpr std::uint64_t kSmallFrame = frame_bytes(8);
inline constexpr std::uint64_t kNoSmallFrame = 1;  // no position

inline constexpr std::uint64_t kLeastRing = 128;

using PipeTurn = BasicPipeTurn<MachineAtomics>;
using PipeLane = BasicPipeLane<MachineAtomics>;
using PipeWord = BasicPipeWord<MachineAtomics>;
using PipeHolder = std::atomic<OwnerValue>;
static_assert(std::is_standard_layout_v<PipeWord>);
static_assert(sizeof(PipeLane) == 896 && sizeof(PipeWord) == 1920, "docs/format.md");
static_assert(sizeof(PipeTurn) == 32 && offsetof(PipeTurn, busy) == 16);
static_assert(offsetof(PipeTurn, sleepers) == 24, "what a favourite touches is on one line");
static_assert(offsetof(PipeLane, tail) == 128 && offsetof(PipeLane, head) == 384);
static_assert(offsetof(PipeLane, data_sleepers) == 512 && offsetof(PipeLane, send_lock) == 640);

}  // namespace shoal::detail
