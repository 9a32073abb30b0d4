// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/pipe.hpp"
#include "core/wait.hpp"
#include "shoal/detail/pipe_word.hpp"

namespace shoal::core {

// What the caller knows of the last send on this lane.
struct LastSend {
  bool was_mine;  // this thread's
  bool long_ago;  // since this process last asked the kernel for the peer: to be asked again
  bool just_now;  // this process's, so that another message is probably unread yet
};

template <class World, class Ring>
class PipeSender : PipeSide<World, Ring> {
 public:
  using PipeSide<World, Ring>::PipeSide;

  // Sends in one frame, where nothing stands in its way: else nothing has happened. The favourite.
  bool send_at_once(std::span<const std::byte> message, LastSend last) {
    tail_ = this->lane_.sent.load(std::memory_order_relaxed);  // ours
    const std::uint64_t bytes = detail::frame_bytes(message.size());
    if (this->is_closed() || last.long_ago || this->peer_is_gone(Glance::quick) ||
        tail_ % detail::kFrameHeader != 0 || bytes > this->batch() || !has_seen_space(bytes))
      return false;
    send_whole(message, last);
    return true;
  }

  Passage send(std::span<const std::byte> message, LastSend last, Deadline deadline) {
    const auto& tail = last.was_mine ? this->lane_.sent : this->lane_.tail;
    tail_ = tail.load(std::memory_order_relaxed);  // ours
    if (!last.was_mine) succeed();  // though it may send nothing: it counts as the last one
    if (this->is_closed()) return Passage::closed;
    if (this->peer_is_gone(last.long_ago ? Glance::closely : Glance::quick)) return Passage::gone;
    if (tail_ % detail::kFrameHeader != 0) return Passage::corrupted;
    const std::uint64_t bytes = detail::frame_bytes(message.size());
    if (bytes > this->batch()) return send_in_parts(message, deadline);
    const Passage space = await_space(bytes, deadline);
    if (space == Passage::done) send_whole(message, last);
    return space;
  }

 private:
  // After another thread, which may have been killed: between tail and its copy, and they are
  // different, and this one may find no room; or before tail, and a small frame stands there that
  // was never sent, where this one puts other frames.
  void succeed() {
    this->lane_.sent.store(tail_, std::memory_order_relaxed);
    if constexpr (World::kMutant != Mutant::small_frame_left)
      this->lane_.small_at.store(detail::kNoSmallFrame, std::memory_order_relaxed);
  }

  void send_whole(std::span<const std::byte> message, LastSend last) {
    const std::uint64_t header = first_header(detail::Frame::whole, message.size());
    const std::uint64_t at = tail_;
    write(header, message);
    // In a stream it would be for nothing: who receives finds several frames at once.
    if (tail_ - at == detail::kSmallFrame && !last.just_now) copy_small(at, header);
    publish();
  }
  Passage send_in_parts(std::span<const std::byte> message, Deadline deadline) {
    const std::uint64_t largest = this->batch() - 2 * detail::kFrameHeader;
    const std::uint64_t begin = first_header(detail::Frame::begin, message.size());
    bool begun = false;
    Patience patience;
    while (!message.empty()) {
      const auto part = message.first(std::min<std::uint64_t>(message.size(), largest));
      const std::uint64_t bytes = detail::frame_bytes(part.size());
      const std::uint64_t wanted = begun ? bytes : detail::kFrameHeader + bytes;
      const bool is_over =
          begun && !has_seen_space(wanted) && patience.ends(this->world_, deadline);
      const Passage space = is_over ? Passage::timed_out : await_space(wanted, deadline);
      if (space != Passage::done) {
        if (begun) this->lane_.dropped_at.store(tail_, std::memory_order_relaxed);  // L1
        return space;
      }
      if (!begun) write(begin, {});
      begun = true;
      write(detail::frame_header(detail::Frame::part, part.size()), part);
      publish();
      message = message.subspan(part.size());
    }
    return Passage::done;
  }

  std::uint64_t first_header(detail::Frame kind, std::uint64_t size) const {
    const bool drops = this->lane_.dropped_at.load(std::memory_order_relaxed) == tail_;  // ours
    return detail::frame_header(kind, size) | (drops ? detail::kFrameDropsLast : 0);
  }
  void copy_small(std::uint64_t at, std::uint64_t header) {
    constexpr bool late = World::kMutant == Mutant::small_frame_marked_late;
    if constexpr (!late) this->lane_.small_at.store(at, std::memory_order_relaxed);  // S1
    this->lane_.small_header.store(header, std::memory_order_release);               // S1
    this->lane_.small_payload.store(this->ring_.header(at + detail::kFrameHeader),
                                    std::memory_order_release);  // S1
    if constexpr (late) this->lane_.small_at.store(at, std::memory_order_release);
  }
  void write(std::uint64_t header, std::span<const std::byte> payload) {
    this->ring_.set_header(tail_, header);
    this->ring_.put(tail_ + detail::kFrameHeader, payload.data(), payload.size());
    tail_ += detail::frame_bytes(payload.size());
  }
  void publish() {
    constexpr auto release = World::kMutant == Mutant::release_relaxed ? std::memory_order_relaxed
                                                                       : std::memory_order_release;
    this->lane_.tail.store(tail_, release);  // T1, M1
    this->lane_.sent.store(tail_, std::memory_order_relaxed);
    this->wake_sleepers(this->lane_.data_sleepers);
  }

  bool has_space(std::uint64_t head, std::uint64_t bytes) const {
    return tail_ - head <= this->ring_.size() - bytes;
  }
  bool has_seen_space(std::uint64_t bytes) const {
    return has_space(this->lane_.head_seen.load(std::memory_order_relaxed), bytes);
  }
  Passage await_space(std::uint64_t bytes, Deadline deadline) {
    if (has_seen_space(bytes)) return Passage::done;
    Passage found = Passage::timed_out;
    core::wait(this->world_, this->lane_.space_sleepers, deadline, [&](Glance glance) {
      found = look_for_space(bytes, glance);
      return found == Passage::timed_out ? Look::wait : Look::done;
    });
    return found;
  }
  // timed_out: not yet.
  Passage look_for_space(std::uint64_t bytes, Glance glance) {
    if (this->is_closed()) return Passage::closed;
    const std::uint64_t head = this->lane_.head.load(std::memory_order_acquire);  // H2, M2
    if (tail_ - head > this->ring_.size()) return Passage::corrupted;
    this->lane_.head_seen.store(head, std::memory_order_relaxed);
    if (this->peer_is_gone(glance)) return Passage::gone;
    return has_space(head, bytes) ? Passage::done : Passage::timed_out;
  }

  std::uint64_t tail_ = 0;
};

}  // namespace shoal::core
