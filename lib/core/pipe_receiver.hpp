// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/byte_ring.hpp"
#include "core/pipe.hpp"
#include "core/pipe_turn.hpp"
#include "core/wait.hpp"
#include "shoal/detail/pipe_word.hpp"

namespace shoal::core {

// How far a receiver has got with a message; its process's own. `at`: where head was then.
struct Reception {
  bool within = false;
  std::uint64_t left = 0;
  std::uint64_t at = 0;
};

template <class World, class Ring>
class PipeReceiver : PipeSide<World, Ring> {
 public:
  using PipeSide<World, Ring>::PipeSide;

  // A Sink has
  //   begin(size)           of a new message. False: that is more than there is room for
  //   take(ring, at, size)  the next bytes of it

  // Receives the next message, where it has been seen and is in one frame: else nothing has
  // happened. Not within a message.
  template <class Sink>
  bool receive_at_once(Sink& sink) {
    if (this->is_closed() || !has_seen_frame()) return false;
    const std::uint64_t header = this->ring_.header(head_);
    return detail::frame_kind(header) == detail::Frame::whole &&
           take_whole(detail::frame_size(header), sink) == Passage::done;
  }

  // Receives the next message, or the rest of the one that `reception` is within.
  template <class Sink>
  Passage receive(Reception& reception, Sink& sink, Deadline deadline) {
    for (Patience patience;;) {
      const Passage found = await_frame(reception, deadline);
      if (found != Passage::done) return found;
      const std::uint64_t header = has_small_ ? small_header_ : this->ring_.header(head_);
      const std::uint64_t size = detail::frame_size(header);
      switch (detail::frame_kind(header)) {
        case detail::Frame::whole:
          if (is_cut_by(header, reception)) return Passage::truncated;
          return take_whole(size, sink);
        case detail::Frame::begin:
          if (is_cut_by(header, reception)) return Passage::truncated;
          if (size == 0 || size > detail::kLargestMessage) return Passage::corrupted;
          if (is_given_up(size)) {
            advance(0);
            break;
          }
          if (!sink.begin(size)) return Passage::no_room;
          advance(0);
          reception = {true, size, head_};
          break;
        case detail::Frame::part:
          if (!is_there(size)) return Passage::corrupted;
          if (reception.within) {
            if (size == 0 || size > reception.left) return Passage::corrupted;
            reception.within = false;  // where taking throws, the rest is skipped
            sink.take(this->ring_, head_ + detail::kFrameHeader, size);
            advance(size);
            reception = {reception.left > size, reception.left - size, head_};
            if (!reception.within) return Passage::done;
          } else {
            advance(size);
          }
          break;
        case detail::Frame::none:
          return Passage::corrupted;
      }
      if (!has_seen_frame() && patience.ends(this->world_, deadline)) return Passage::timed_out;
    }
  }

  // Waits for something to receive: done; or what receive() would say instead.
  Passage await_message(Reception& reception, Deadline deadline) {
    for (Patience patience;;) {
      const Passage found = await_frame(reception, deadline);
      if (found != Passage::done || reception.within) return found;
      const std::uint64_t header = this->ring_.header(head_);
      const std::uint64_t size = detail::frame_size(header);
      if (detail::frame_kind(header) == detail::Frame::part) {
        if (!is_there(size)) return Passage::corrupted;
        advance(size);
      } else if (detail::frame_kind(header) == detail::Frame::begin && is_given_up(size)) {
        advance(0);
      } else {
        return Passage::done;
      }
      if (!has_seen_frame() && patience.ends(this->world_, deadline)) return Passage::timed_out;
    }
  }

 private:
  template <class Sink>
  Passage take_whole(std::uint64_t size, Sink& sink) {
    if (!is_there(size)) return Passage::corrupted;
    if (!sink.begin(size)) return Passage::no_room;
    if (has_small_)
      sink.take(ByteRing(small_payload_, sizeof small_payload_), 0, size);
    else
      sink.take(this->ring_, head_ + detail::kFrameHeader, size);
    advance(size);
    return Passage::done;
  }
  // Whether a frame of that payload stands at head.
  bool is_there(std::uint64_t size) const {
    return size <= this->ring_.size() && detail::frame_bytes(size) <= tail_ - head_;
  }
  // Whether that first frame of a message finds another one incomplete, and not given up.
  static bool is_cut_by(std::uint64_t header, Reception& reception) {
    const bool cut = reception.within && (header & detail::kFrameDropsLast) == 0;
    reception.within = false;
    return cut;
  }
  // Whether the message of that size that begins at head was given up: then it was never sent, and
  // its parts are skipped. As far as can be seen: of one that is being sent, no. Relaxed, for nothing
  // else is read by it (L1): who comes too early takes it for one that is being sent.
  bool is_given_up(std::uint64_t size) const {
    std::uint64_t at = head_ + detail::kFrameHeader;
    while (at != tail_) {
      const std::uint64_t header = this->ring_.header(at);
      if (detail::frame_kind(header) != detail::Frame::part)
        return (header & detail::kFrameDropsLast) != 0;
      const std::uint64_t part = detail::frame_size(header);
      if (part >= size || detail::frame_bytes(part) > tail_ - at) return false;
      size -= part;
      at += detail::frame_bytes(part);
    }
    return this->lane_.dropped_at.load(std::memory_order_relaxed) == tail_;
  }
  void advance(std::uint64_t size) {
    head_ += detail::frame_bytes(size);
    this->lane_.head.store(head_, std::memory_order_release);  // H1, M1
    this->lane_.burst.store(this->lane_.burst.load(std::memory_order_relaxed) + 1,
                            std::memory_order_relaxed);
    // The sender is woken once for many frames: where a quarter of the ring is free, and any frame
    // finds room.
    if (tail_ - head_ <= this->ring_.size() - this->ring_.size() / 4)
      this->wake_sleepers(this->lane_.space_sleepers);
  }

  Passage await_frame(Reception& reception, Deadline deadline) {
    if (this->is_closed()) return Passage::closed;
    has_small_ = false;
    const bool has_seen = has_seen_frame();
    if (head_ % detail::kFrameHeader != 0) return Passage::corrupted;
    if (reception.at != head_) reception.within = false;  // another process received the rest
    if (has_seen) return Passage::done;
    if (deadline != detail::kDoNotWait)
      let_burst_grow(this->world_, this->lane_.burst.load(std::memory_order_relaxed),
                     [] { return false; });
    this->lane_.burst.store(0, std::memory_order_relaxed);
    Passage found = Passage::timed_out;
    core::wait(this->world_, this->lane_.data_sleepers, deadline, [&](Glance glance) {
      found = look_for_frame(reception, glance);
      return found == Passage::timed_out ? Look::wait : Look::done;
    });
    return found;
  }
  bool has_seen_frame() {
    head_ = this->lane_.head.load(std::memory_order_relaxed);  // ours
    tail_ = this->lane_.tail_seen.load(std::memory_order_relaxed);
    return head_ % detail::kFrameHeader == 0 && tail_ != head_ &&
           tail_ - head_ <= this->ring_.size();
  }
  // timed_out: not yet.
  Passage look_for_frame(Reception& reception, Glance glance) {
    if (this->is_closed()) return Passage::closed;
    if (const Passage data = look_at_tail(); data != Passage::timed_out) return data;
    if (reception.within) {
      if (glance == Glance::quick || is_being_sent()) return Passage::timed_out;
      if (const Passage data = look_at_tail(); data != Passage::timed_out) return data;  // L2
      reception.within = false;
      if (this->lane_.dropped_at.load(std::memory_order_relaxed) != head_)
        return Passage::truncated;
    }
    if (!this->peer_is_gone(glance)) return Passage::timed_out;
    const Passage data = look_at_tail();  // E2
    return data == Passage::timed_out ? Passage::gone : data;
  }
  Passage look_at_tail() {
    tail_ = this->lane_.tail.load(std::memory_order_acquire);  // T2, M2
    if (tail_ == head_) return Passage::timed_out;
    if (tail_ - head_ > this->ring_.size() || tail_ % detail::kFrameHeader != 0)
      return Passage::corrupted;
    this->lane_.tail_seen.store(tail_, std::memory_order_relaxed);
    if (tail_ - head_ == detail::kSmallFrame) look_for_small_frame();
    return Passage::done;
  }
  void look_for_small_frame() {
    const auto is_here = [this] {
      return this->lane_.small_at.load(std::memory_order_relaxed) == head_;
    };
    if (!is_here()) return;
    small_header_ = this->lane_.small_header.load(std::memory_order_acquire);               // S2
    const std::uint64_t bytes = this->lane_.small_payload.load(std::memory_order_acquire);  // S2
    std::memcpy(small_payload_, &bytes, sizeof bytes);
    has_small_ = is_here() && detail::frame_kind(small_header_) == detail::Frame::whole;
  }
  // Whether the message that this one is within has a sender.
  bool is_being_sent() {
    return has_turn(this->world_, this->lane_.send_turn, this->lane_.send_lock);  // L2
  }

  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  bool has_small_ = false;  // the frame at head is in the next two
  std::uint64_t small_header_ = 0;
  std::byte small_payload_[8] = {};
};

}  // namespace shoal::core
