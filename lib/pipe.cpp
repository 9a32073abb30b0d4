// SPDX-License-Identifier: MIT
#include "shoal/pipe.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/byte_ring.hpp"
#include "core/lock.hpp"
#include "core/pipe.hpp"
#include "kinds.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "object.hpp"
#include "os/cpu.hpp"
#include "shoal/error.hpp"
#include "shoal/wait.hpp"

namespace shoal {
namespace detail {
namespace {

using core::Passage;
using core::Reception;
using Bytes = std::vector<std::byte>;

constexpr std::size_t kUsualCapacity = 64 << 10;
constexpr std::size_t kLargestCapacity = std::size_t{1} << 40;

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

// As the pipe says; to be compared with how much memory it has.
PipeShape shape_of(const PipeWord& word, std::uint32_t max_processes) {
  const std::size_t capacity = word.capacity.load(std::memory_order_relaxed);
  return {std::min(capacity, kLargestCapacity), word.simplex.load(std::memory_order_relaxed) == 0,
          max_processes};
}

void init_pipe(void* memory, const void* argument) {
  const auto& shape = *static_cast<const PipeShape*>(argument);
  auto& word = *static_cast<PipeWord*>(memory);
  word.capacity.store(shape.capacity, std::memory_order_relaxed);
  word.simplex.store(shape.duplex ? 0 : 1, std::memory_order_relaxed);
  for (PipeLane& lane : word.lanes) {
    lane.send_lock.inherits.store(1, std::memory_order_relaxed);
    lane.recv_lock.inherits.store(1, std::memory_order_relaxed);
  }
}

void check_options(const Object& object, const PipeShape& there, const PipeOptions& asked) {
  if (asked.capacity != 0 && asked.capacity != there.capacity)
    throw TypeMismatch(described(object) + ": takes " + std::to_string(there.capacity) +
                       " bytes each way, and was opened as one of " +
                       std::to_string(asked.capacity));
  if (!asked.duplex && there.duplex)
    throw TypeMismatch(described(object) + ": goes both ways, and was opened as one that does not");
}

OpenedObject open_pipe(const Segment& segment, std::string_view name, const PipeOptions& options,
                       Open open) {
  if (options.capacity > kLargestCapacity)
    throw std::invalid_argument("shoal: Pipe: " + std::to_string(options.capacity) +
                                " bytes: it takes at most 1 TiB");
  const PipeShape shape{options.capacity != 0 ? options.capacity : kUsualCapacity, options.duplex,
                        max_processes(segment)};
  Blueprint blueprint;
  blueprint.kind = Kind::pipe;
  blueprint.alignment = alignof(PipeWord);
  blueprint.bytes = shape.bytes();
  blueprint.of_any_size = true;
  blueprint.least_bytes = least_bytes(Kind::pipe, shape.max_processes);
  blueprint.init = init_pipe;
  blueprint.argument = &shape;
  OpenedObject opened = open_object(segment, name, blueprint, open);
  const PipeShape there = shape_of(*static_cast<PipeWord*>(opened.memory), shape.max_processes);
  if (there.bytes() != opened.bytes)
    throw Corrupted(described(*opened.object) +
                    ": its capacity has been written over; erase it, or remove the segment");
  check_options(*opened.object, there, options);
  return opened;
}

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
  bool resume(const Bytes& kept, std::uint64_t) {
    bytes = kept;
    return true;
  }
  [[nodiscard]] std::span<const std::byte> taken() const { return bytes; }
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
  bool resume(const Bytes& kept, std::uint64_t left) {
    if (!begin(kept.size() + left)) return false;
    std::copy(kept.begin(), kept.end(), room.begin());
    size = kept.size();
    return true;
  }
  [[nodiscard]] std::span<const std::byte> taken() const { return room.first(size); }
};

}  // namespace

// This process's share of an end: all its Connections' of it. In a forked child it is the child's.
class PipeEnd {
 public:
  PipeEnd(const OpenedObject& opened, int end, const PipeShape& shape)
      : handle_(opened),
        end_(end),
        shape_(shape),
        out_(static_cast<std::byte*>(opened.memory) + ring_at(end), shape.ring()),
        in_(static_cast<std::byte*>(opened.memory) + ring_at(1 - end), shape.ring()) {}
  PipeEnd(const PipeEnd&) = delete;
  PipeEnd& operator=(const PipeEnd&) = delete;
  ~PipeEnd() {
    close();
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
  std::atomic<std::uint32_t>& data_sleepers() const { return lane_in().data_sleepers; }
  [[nodiscard]] bool looks_readable() const {
    return closed() || lane_in().tail.load(std::memory_order_relaxed) !=
                           lane_in().head.load(std::memory_order_relaxed);
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
    Reception reception;
    Bytes bytes;
  };
  class Turn;

  [[nodiscard]] std::size_t ring_at(int lane) const {
    return shape_.rings_at() + (shape_.duplex && lane == 1 ? shape_.ring() : 0);
  }
  [[nodiscard]] PipeLane& lane_out() const { return handle_.word->lanes[end_]; }
  [[nodiscard]] PipeLane& lane_in() const { return handle_.word->lanes[1 - end_]; }
  [[nodiscard]] core::PipeEnds<Machine> ends(Machine& machine) const {
    return {machine, *handle_.word, pipe_holders(*handle_.word, shape_.max_processes)};
  }
  [[nodiscard]] core::PipeReceiver<Machine, core::ByteRing> receiver(Machine& machine) const {
    return {machine, lane_in(), ends(machine), 1 - end_, in_, closed_};
  }
  [[nodiscard]] std::string describe() const {
    return described(*handle_.object) + (end_ == 0 ? ": its first end" : ": its second end");
  }

  // A thread is known by its id; and the child of a fork that ran no handlers shares nothing.
  void introduce() {
    if (handle_.self() != kNobody && this_tid != 0) return;
    const OwnerValue me = join(*handle_.object);
    Machine machine(handle_.object->mapping(), handle_.object->index());
    if (!ends(machine).is_held_by(end_, me)) closed_.store(true, std::memory_order_relaxed);
  }
  // Whether it is so long ago that the kernel was asked for the peer that a send should ask again.
  bool doubts() {
    constexpr std::uint64_t kBelieved = 1 << 18;  // about 100 us
    const std::uint64_t now = os::ticks();
    if (now - asked_at_.load(std::memory_order_relaxed) < kBelieved) return false;
    asked_at_.store(now, std::memory_order_relaxed);
    return true;
  }
  // Requires its turn.
  template <class Sink>
  bool resume(Sink& sink, Reception& reception);
  void keep(const Reception& reception, std::span<const std::byte> taken) {
    if (reception.within)
      delete kept_.exchange(new Kept{reception, Bytes(taken.begin(), taken.end())});
  }

  const Handle<PipeWord> handle_;
  const int end_;
  const PipeShape shape_;
  const core::ByteRing out_;
  const core::ByteRing in_;
  std::atomic<bool> closed_{true};  // until taken
  std::atomic<std::uint64_t> asked_at_{0};
  std::atomic<Kept*> kept_{nullptr};  // who has the turn to receive; whole at any time, for fork
};

bool PipeEnd::take() {
  Machine machine(handle_.object->mapping(), handle_.object->index());
  const bool taken = ends(machine).take(end_, handle_.object->mapping().self());
  closed_.store(!taken, std::memory_order_relaxed);
  return taken;
}

// To be the one sender, or receiver.
class PipeEnd::Turn {
 public:
  Turn(Machine& machine, const PipeEnd& end, PipeTurn& turn, LockWord& lock, Deadline deadline)
      : turn_(machine, turn, lock, end.handle_.object->mapping().self(), this_tid),
        has_come_(turn_.enter(deadline)) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (has_come_) turn_.leave();
  }
  [[nodiscard]] bool has_come() const { return has_come_; }
  [[nodiscard]] bool is_favourite() const { return turn_.is_favourite(); }

 private:
  core::PipeTurn<Machine> turn_;
  const bool has_come_;
};

Passage PipeEnd::send(std::span<const std::byte> message, Deadline deadline) {
  introduce();
  Machine machine(handle_.object->mapping(), handle_.object->index());
  const Turn turn(machine, *this, lane_out().send_turn, lane_out().send_lock, deadline);
  if (!turn.has_come()) return closed() ? Passage::closed : Passage::timed_out;
  core::PipeSender<Machine, core::ByteRing> sender(machine, lane_out(), ends(machine), 1 - end_,
                                                   out_, closed_);
  return sender.send(message, turn.is_favourite(), doubts(), deadline);
}

template <class Sink>
Passage PipeEnd::receive(Sink& sink, Deadline deadline) {
  introduce();
  Machine machine(handle_.object->mapping(), handle_.object->index());
  const Turn turn(machine, *this, lane_in().recv_turn, lane_in().recv_lock, deadline);
  if (!turn.has_come()) return closed() ? Passage::closed : Passage::timed_out;
  Reception reception;
  if (kept_.load(std::memory_order_relaxed) && !resume(sink, reception)) return Passage::no_room;
  const Passage passage = receiver(machine).receive(reception, sink, deadline);
  if (passage == Passage::timed_out) keep(reception, sink.taken());
  return passage;
}

// False where there is not room enough.
template <class Sink>
bool PipeEnd::resume(Sink& sink, Reception& reception) {
  std::unique_ptr<Kept> kept(kept_.exchange(nullptr));
  if (kept->reception.at != lane_in().head.load(std::memory_order_relaxed)) return true;
  if (!sink.resume(kept->bytes, kept->reception.left)) {
    kept_.store(kept.release());
    return false;
  }
  reception = kept->reception;
  return true;
}

Passage PipeEnd::poll(Deadline deadline) {
  introduce();
  Machine machine(handle_.object->mapping(), handle_.object->index());
  const Turn turn(machine, *this, lane_in().recv_turn, lane_in().recv_lock, deadline);
  if (!turn.has_come()) return closed() ? Passage::closed : Passage::timed_out;
  GrowingSink kept;
  Reception reception;
  if (kept_.load(std::memory_order_relaxed)) resume(kept, reception);
  const bool was_within = reception.within;
  const Passage passage = receiver(machine).await_message(reception, deadline);
  if (was_within) {
    reception.within = true;  // what was found is for the next to receive, and so found again
    keep(reception, kept.taken());
  }
  return passage;
}

void PipeEnd::close() noexcept {
  if (closed_.exchange(true, std::memory_order_seq_cst)) return;
  Machine machine(handle_.object->mapping(), handle_.object->index());
  const OwnerValue me = handle_.object->mapping().self();
  if (me == kNobody) return;
  ends(machine).leave(end_, me);
  ends(machine).wake_all();
}

void PipeEnd::refuse(Passage passage) const {
  switch (passage) {
    case Passage::closed:
      throw Closed(describe() + " was closed by this process; take it again");
    case Passage::gone:
      throw EndOfFile(describe() + ": all has been received, and nobody is at the other end");
    case Passage::truncated:
      throw Truncated(describe() + ": whoever sent the message died in the middle of it");
    case Passage::no_room:
      throw std::length_error("shoal: " + describe() + ": a message larger than the room for it");
    default:
      throw Corrupted(describe() +
                      ": what is in it has been written over; erase it, or remove the segment");
  }
}

namespace {

class ConnectionWatch : public Watch {
 public:
  explicit ConnectionWatch(std::shared_ptr<PipeEnd> end) : end_(std::move(end)) {}
  std::atomic<std::uint32_t>* sleepers() override { return &end_->data_sleepers(); }
  // What has come may be the rest of a message that nobody is told of: poll() knows.
  bool is_ready(bool closely) override {
    return (closely || end_->looks_readable()) && end_->poll(kDoNotWait) != Passage::timed_out;
  }

 private:
  const std::shared_ptr<PipeEnd> end_;
};

}  // namespace
}  // namespace detail

using core::Passage;

Waitable::Waitable(const Connection& connection)
    : watch_(std::make_shared<detail::ConnectionWatch>(connection.end_)) {
  connection.end_->check_direction(false);
}

Pipe::Pipe(const Segment& segment, std::string_view name, PipeOptions options, Open open)
    : opened_(detail::open_pipe(segment, name, options, open)) {}

namespace {

detail::PipeShape shape_of(const detail::OpenedObject& opened) {
  return detail::shape_of(*static_cast<detail::PipeWord*>(opened.memory),
                          opened.object->mapping().tables().header().max_processes);
}

}  // namespace

std::size_t Pipe::capacity() const { return shape_of(opened_).capacity; }
bool Pipe::duplex() const { return shape_of(opened_).duplex; }

Connection Pipe::take(int end) const {
  const detail::PipeShape shape = shape_of(opened_);
  if (shape.bytes() != opened_.bytes)
    throw Corrupted(described(*opened_.object) +
                    ": its capacity has been written over; erase it, or remove the segment");
  auto taken = std::make_shared<detail::PipeEnd>(opened_, end, shape);
  const detail::Mapping::Directory held(opened_.object->mapping());
  if (!taken->take())
    throw Busy(described(*opened_.object) + ": its " + (end == 0 ? "first" : "second") +
               " end is held by a process that lives; it must close it, or end");
  return Connection(std::move(taken));
}

bool Connection::send_until(std::span<const std::byte> message, detail::Deadline deadline) const {
  end_->check_direction(true);
  const Passage passage = end_->send(message, deadline);
  if (passage == Passage::done) return true;
  if (passage == Passage::timed_out) return false;
  if (passage == Passage::gone) end_->refuse_to_send();
  end_->refuse(passage);
}

std::optional<std::vector<std::byte>> Connection::recv_until(detail::Deadline deadline) const {
  end_->check_direction(false);
  detail::GrowingSink sink;
  const Passage passage = end_->receive(sink, deadline);
  if (passage == Passage::done) return std::move(sink.bytes);
  if (passage == Passage::timed_out) return std::nullopt;
  end_->refuse(passage);
}

std::size_t Connection::recv_bytes_into(std::span<std::byte> room) const {
  end_->check_direction(false);
  detail::RoomSink sink{room, false};
  const Passage passage = end_->receive(sink, detail::kForever);
  if (passage != Passage::done) end_->refuse(passage);
  return sink.size;
}

Connection::Received Connection::recv_exactly(std::span<std::byte> room,
                                              detail::Deadline deadline) const {
  end_->check_direction(false);
  detail::RoomSink sink{room, true};
  const Passage passage = end_->receive(sink, deadline);
  if (passage == Passage::done) return Received::value;
  if (passage == Passage::timed_out) return Received::nothing;
  if (passage == Passage::no_room) return Received::another_size;
  end_->refuse(passage);
}

bool Connection::poll_until(detail::Deadline deadline) const {
  end_->check_direction(false);
  const Passage passage = end_->poll(deadline);
  if (passage == Passage::closed) end_->refuse(passage);
  return passage != Passage::timed_out;
}

void Connection::close() const noexcept { end_->close(); }
bool Connection::closed() const noexcept { return end_->closed(); }

}  // namespace shoal
