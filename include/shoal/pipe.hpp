// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "shoal/codec.hpp"
#include "shoal/detail/deadline.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/open.hpp"
#include "shoal/segment.hpp"

namespace shoal {

namespace detail {
class PipeEnd;
}  // namespace detail

// One end of a Pipe: what is sent here is received there, message by message, and the other way
// round. A message may be empty, and larger than the pipe: then it passes through bit by bit.
//
// An end belongs to the processes that share it: the one that took it, and its forked children.
// Its copies in a process are one share, which is given up by close(), or when the last of them
// goes. One thread sends and one receives at a time, of all that share the end; others wait their
// turn.
//
// Death: when all who share an end have closed it or died, the other end still receives the
// messages that were sent whole, then EndOfFile, and sends no more: BrokenPipe. A message whose
// sender died in the middle of it is Truncated, once, whoever goes on sending; who dies receiving
// takes at most that one message with it. An end that is dead can be taken again, as it is: what is
// on its way to it will arrive. If both ends are, taking one is a new beginning: the other is
// waited for, not missed.
//
// Memory ordering: what was done before a message was sent is visible to who has received it.
class Connection {
 public:
  // Blocks while there is no room. Throws BrokenPipe. A send that has thrown, or timed out, has
  // sent nothing: what was on its way of it is thrown away.
  void send_bytes(std::span<const std::byte> message) const {
    static_cast<void>(send_until(message, detail::kForever));
  }
  // False where there was no room in time. Zero, negative and NaN: do not wait.
  template <class Rep, class Period>
  [[nodiscard]] bool send_bytes_for(std::span<const std::byte> message,
                                    std::chrono::duration<Rep, Period> wait) const {
    return send_until(message, detail::deadline_after(wait));
  }

  // Blocks until there is a message. Throws EndOfFile, Truncated.
  [[nodiscard]] std::vector<std::byte> recv_bytes() const { return *recv_until(detail::kForever); }
  // Returns the message's size. A message that is larger than `room` throws std::length_error, and
  // can be received still.
  std::size_t recv_bytes_into(std::span<std::byte> room) const;
  // Nothing where none came in time. What has come of one by then is kept for the next call.
  template <class Rep, class Period>
  [[nodiscard]] std::optional<std::vector<std::byte>> recv_bytes_for(
      std::chrono::duration<Rep, Period> wait) const {
    return recv_until(detail::deadline_after(wait));
  }

  // The same with a T, by its Codec. Bytes that are no T throw Corrupted; the message is gone then.
  template <Transferable T>
  void send(const T& value) const {
    if constexpr (detail::WrittenAsBytes<T>)
      send_bytes(std::as_bytes(std::span(&value, 1)));
    else
      send_bytes(detail::encoded(value));
  }
  template <Transferable T, class Rep, class Period>
  [[nodiscard]] bool send_for(const T& value, std::chrono::duration<Rep, Period> wait) const {
    return send_bytes_for(detail::encoded(value), wait);
  }
  template <Transferable T>
  [[nodiscard]] T recv() const {
    return *recv_value<T>(detail::kForever);
  }
  template <Transferable T, class Rep, class Period>
  [[nodiscard]] std::optional<T> recv_for(std::chrono::duration<Rep, Period> wait) const {
    return recv_value<T>(detail::deadline_after(wait));
  }

  // Whether there is something to receive, be it the end of the stream.
  [[nodiscard]] bool poll() const { return poll_until(detail::kDoNotWait); }
  template <class Rep, class Period>
  [[nodiscard]] bool poll_for(std::chrono::duration<Rep, Period> wait) const {
    return poll_until(detail::deadline_after(wait));
  }

  // Gives up this process's share of the end. Its calls that wait here, and all later ones but
  // close() and closed(), throw Closed.
  void close() const noexcept;
  [[nodiscard]] bool closed() const noexcept;

 private:
  friend class Pipe;
  friend class Waitable;
  explicit Connection(std::shared_ptr<detail::PipeEnd> end) : end_(std::move(end)) {}

  enum class Received { value, nothing, another_size };
  bool send_until(std::span<const std::byte> message, detail::Deadline deadline) const;
  std::optional<std::vector<std::byte>> recv_until(detail::Deadline deadline) const;
  Received recv_exactly(std::span<std::byte> room, detail::Deadline deadline) const;
  bool poll_until(detail::Deadline deadline) const;

  template <class T>
  std::optional<T> recv_value(detail::Deadline deadline) const {
    if constexpr (detail::WrittenAsBytes<T> && sizeof(T) <= kOnTheStack) {
      std::array<std::byte, sizeof(T)> room;
      const Received received = recv_exactly(room, deadline);
      if (received == Received::value) return std::bit_cast<T>(room);
      if (received == Received::nothing) return std::nullopt;
    }
    const auto bytes = recv_until(deadline);
    if (!bytes) return std::nullopt;
    return detail::decoded<T>(*bytes);
  }
  static constexpr std::size_t kOnTheStack = 4096;

  std::shared_ptr<detail::PipeEnd> end_;
};

struct PipeOptions {
  std::size_t capacity = 0;  // bytes each way; 0: 64 KiB when creating, whatever there is when
                             // opening
  bool duplex = true;        // false: first() only receives, second() only sends; the other way
                             // throws std::logic_error
};

// A Pipe has two ends, which two processes take, each one:
//
//   shoal::Pipe pipe(segment, "orders");
//   shoal::Connection waiter = pipe.first();       // elsewhere: cook = pipe.second()
//   waiter.send(std::string("soup"));              // cook.recv<std::string>()
//
// Death: see Connection.
class Pipe {
 public:
  // An opener's capacity must be the creator's or 0; where the creator's pipe goes both ways, so
  // must the opener's. Throws TypeMismatch, and as the constructor of Lock.
  Pipe(const Segment& segment, std::string_view name, PipeOptions options = {},
       Open open = Open::or_create);
  Pipe(const Segment& segment, std::string_view name, Open open)
      : Pipe(segment, name, PipeOptions{}, open) {}

  // Takes an end. Throws Busy where a live process holds it, this one included.
  [[nodiscard]] Connection first() const { return take(0); }
  [[nodiscard]] Connection second() const { return take(1); }

  [[nodiscard]] std::size_t capacity() const;
  [[nodiscard]] bool duplex() const;

 private:
  Connection take(int end) const;

  detail::OpenedObject opened_;
};

}  // namespace shoal
