// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/byte_ring.hpp"
#include "core/pipe.hpp"
#include "core/pipe_receiver.hpp"
#include "core/pipe_sender.hpp"
#include "kinds.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "object.hpp"
#include "os/cpu.hpp"
#include "shoal/detail/pipe_word.hpp"
#include "shoal/error.hpp"

namespace shoal::detail {

using core::Passage;
using Bytes = std::vector<std::byte>;

// Where what is in the memory of a pipe.
struct PipeShape {
  std::size_t capacity;
  bool duplex;
  std::uint32_t max_processes;

  [[nodiscard]] std::size_t ring() const {
    return std::bit_ceil(std::max<std::size_t>(capacity, kLeastRing));
  }
  [[nodiscard]] std::size_t rings_at() const {
    return (sizeof(PipeWord) + std::size_t{2} * max_processes * sizeof(PipeHolder) + 127) / 128 *
           128;
  }
  [[nodiscard]] std::size_t bytes() const { return rings_at() + (duplex ? 2 : 1) * ring(); }
};

// What comes, as large as it is. What a size promises is not believed before it is there.
struct GrowingSink {
  static constexpr std::size_t kBelieved = 1 << 20;
  Bytes bytes;

  bool begin(std::uint64_t size) {
    bytes.clear();
    bytes.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(size, kBelieved)));
    return true;
  }
  void take(const core::ByteRing& ring, std::uint64_t at, std::uint64_t size) {
    const std::size_t before = bytes.size();
    bytes.resize(before + static_cast<std::size_t>(size));
    ring.get(at, bytes.data() + before, size);
  }
  bool resume(Bytes& kept, std::uint64_t) {
    bytes = std::move(kept);
    return true;
  }
  // To be resumed with. Not copied: it may be large, and the time is over.
  [[nodiscard]] Bytes taken() { return std::move(bytes); }
};

// What comes, into a room of the caller's.
struct RoomSink {
  std::span<std::byte> room;
  bool exactly;  // a message of any other size is left where it is
  std::size_t size = 0;

  bool begin(std::uint64_t message) {
    size = 0;
    return exactly ? message == room.size() : message <= room.size();
  }
  void take(const core::ByteRing& ring, std::uint64_t at, std::uint64_t bytes) {
    ring.get(at, room.data() + size, bytes);
    size += static_cast<std::size_t>(bytes);
  }
  bool resume(Bytes& kept, std::uint64_t left) {
    if (!begin(kept.size() + left)) return false;
    std::copy(kept.begin(), kept.end(), room.begin());
    size = kept.size();
    return true;
  }
  [[nodiscard]] Bytes taken() const { return Bytes(room.data(), room.data() + size); }
};

// This process's share of an end: all its Connections' of it. In a forked child it is the child's.
class PipeEnd {
 public:
  PipeEnd(const OpenedObject& opened, int end, const PipeShape& shape)
      : handle_(opened),
        end_(end),
        shape_(shape),
        lane_out_(handle_.word->lanes[end]),
        lane_in_(handle_.word->lanes[1 - end]),
        out_(static_cast<std::byte*>(opened.memory) + ring_at(end), shape.ring()),
        in_(static_cast<std::byte*>(opened.memory) + ring_at(1 - end), shape.ring()) {}
  PipeEnd(const PipeEnd&) = delete;
  PipeEnd& operator=(const PipeEnd&) = delete;
  ~PipeEnd() {
    close();
    handle_.object->mapping().remove_share(closed_);
    delete kept_.load(std::memory_order_relaxed);
  }

  // Requires the directory lock. False where a live process holds the end.
  bool take();
  Passage send(std::span<const std::byte> message, Deadline deadline);
  template <class Sink>
  Passage receive(Sink& sink, Deadline deadline);
  Passage poll(Deadline deadline);
  void close() noexcept;
  [[nodiscard]] bool closed() const { return closed_.load(std::memory_order_relaxed); }

  // For wait_any().
  std::atomic<std::uint32_t>& data_sleepers() const { return lane_in_.data_sleepers; }
  [[nodiscard]] bool looks_readable() const {
    return closed() || lane_in_.tail.load(std::memory_order_relaxed) !=
                           lane_in_.head.load(std::memory_order_relaxed);
  }

  void check_direction(bool sends) const {
    if (shape_.duplex || sends == (end_ == 1)) return;
    throw std::logic_error("shoal: " + describe() + (end_ == 0 ? " only receives" : " only sends") +
                           ": the pipe was made with duplex = false");
  }
  // Anything but done and timed_out; `gone` from whoever receives.
  [[noreturn]] void refuse(Passage passage) const;
  [[noreturn]] void refuse_to_send() const {
    throw BrokenPipe(describe() + ": nobody is at the other end any more");
  }

 private:
  // What had come of a message when the time was over.
  struct Kept {
    core::Reception reception;
    Bytes bytes;
  };
  class Turn;

  [[nodiscard]] std::size_t ring_at(int lane) const {
    return shape_.rings_at() + (shape_.duplex && lane == 1 ? shape_.ring() : 0);
  }
  [[nodiscard]] core::PipeEnds<Machine> ends(Machine& machine) const {
    return {machine, *handle_.word, pipe_holders(*handle_.word, shape_.max_processes)};
  }
  [[nodiscard]] core::PipeReceiver<Machine, core::ByteRing> receiver(Machine& machine) const {
    return {machine, lane_in_, ends(machine), 1 - end_, in_, closed_};
  }
  [[nodiscard]] std::string describe() const {
    return described(*handle_.object) + (end_ == 0 ? ": its first end" : ": its second end");
  }

  // A thread is known by its id; and the child of a fork that ran no handlers shares nothing.
  [[nodiscard]] bool is_introduced() const {
    const OwnerValue me = handle_.self();
    return me != kNobody && me == introduced_.load(std::memory_order_relaxed) && this_tid != 0;
  }
  void introduce() {
    if (is_introduced()) return;
    const OwnerValue me = join(*handle_.object);
    Machine machine(handle_.object->mapping(), handle_.object->index());
    if (!ends(machine).is_held_by(end_, me)) closed_.store(true, std::memory_order_relaxed);
    introduced_.store(me, std::memory_order_relaxed);
  }
  bool send_at_once(std::span<const std::byte> message);
  [[gnu::noinline]] Passage send_by_turn(std::span<const std::byte> message, Deadline deadline);
  template <class Sink>
  bool receive_at_once(Sink& sink);
  template <class Sink>
  [[gnu::noinline]] Passage receive_by_turn(Sink& sink, Deadline deadline);
  // Requires its turn.
  [[nodiscard]] core::LastSend last_send(bool was_mine, std::uint64_t now) const {
    constexpr std::uint64_t kBelieved = 1 << 18;  // about 100 us
    constexpr std::uint64_t kStream = 1 << 9;     // about 200 ns
    return {.was_mine = was_mine,
            .long_ago = now - asked_at_.load(std::memory_order_relaxed) > kBelieved,
            .just_now = now - sent_at_.load(std::memory_order_relaxed) < kStream};
  }
  // Requires its turn.
  template <class Sink>
  bool resume(Sink& sink, core::Reception& reception);
  template <class Sink>
  void keep(const core::Reception& reception, Sink& sink) {
    if (reception.within) delete kept_.exchange(new Kept{reception, sink.taken()});
  }

  const Handle<PipeWord> handle_;
  const int end_;
  const PipeShape shape_;
  PipeLane& lane_out_;
  PipeLane& lane_in_;
  const core::ByteRing out_;
  const core::ByteRing in_;
  std::atomic<bool> closed_{true};               // until taken
  std::atomic<OwnerValue> introduced_{kNobody};  // who has looked whether it shares the end
  std::atomic<std::uint64_t> asked_at_{0};       // in ticks
  std::atomic<std::uint64_t> sent_at_{0};
  std::atomic<Kept*> kept_{nullptr};  // who has the turn to receive; whole at any time, for fork
};

}  // namespace shoal::detail
