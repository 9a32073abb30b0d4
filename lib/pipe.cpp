// SPDX-License-Identifier: MIT
#include "shoal/pipe.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <utility>

#include "kinds.hpp"
#include "mapping.hpp"
#include "object.hpp"
#include "pipe_end.hpp"
#include "shoal/error.hpp"
#include "shoal/wait.hpp"

namespace shoal {
namespace detail {
namespace {

constexpr std::size_t kUsualCapacity = 64 << 10;
constexpr std::size_t kLargestCapacity = std::size_t{1} << 40;

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
