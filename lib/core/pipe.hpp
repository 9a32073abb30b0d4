// SPDX-License-Identifier: MIT
#pragma once

// A pipe; its words are in shoal/detail/pipe_word.hpp.
//
// Sent and received are whole frames: each is there or not, by one store of tail, and taken or not,
// by one store of head. What a message of several frames leaves behind when one of its two is
// killed follows from the frames and from send_turn alone:
//
//   sender: nothing published        no message
//           begin, some parts        half a message: it is nobody's turn who lives, or somebody
//                                    else's. The receiver is told, once: Passage::truncated; it
//                                    finds out by the next message's first frame, or, where there
//                                    is none, by the turn
//           all parts                a message
//   sender gives up (time, close)    the same half message, but dropped_at says so: the receiver
//                                    goes on as if it had never begun
//   receiver: anything               head stands at a frame. At a part: the rest of a message whose
//                                    receiver is gone. The next one skips parts, up to a message
//   newcomer at either end           does nothing but take the end: begins where tail and head are
//
//   take    holder                   a dead holder: as before
//           end = held               the same; who looks closely says: gone
//           other end = awaited      the same
//   leave   holder = 0               nobody alive: the same
//           end = gone               sleepers find out when their slices end
//
// Memory-order pairs.
//   T1 -> T2   publish() stores tail (release); the receiver loads it (acquire): the frame is there.
//   H1 -> H2   the receiver stores head (release) after it has copied; the sender loads it (acquire)
//              before it writes over that.
//   L1 -> L2   who has the turn stores tail and dropped_at, then gives it up (release); who finds
//              it given up (acquire), and looks at tail again, sees both.
//   E1 -> E2   who leaves an end has sent before it takes its name off (release); who misses that
//              (acquire), and looks at tail again, sees what it sent. Likewise the dead: the kernel
//              drops their lock after their last store.
//   M1 -> M2   tail, or head, is stored, then sleepers loaded; who goes to sleep stores sleepers,
//              then loads tail, or head. No fence: see lib/core/wait.hpp.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/pipe_turn.hpp"
#include "core/wait.hpp"
#include "core/world.hpp"
#include "shoal/detail/pipe_word.hpp"

namespace shoal::core {

template <class World>
using PipeWordOf = detail::BasicPipeWord<typename World::Atomics>;
template <class World>
using PipeLaneOf = detail::BasicPipeLane<typename World::Atomics>;

// What became of a call.
enum class Passage {
  done,
  timed_out,
  closed,     // by this process
  gone,       // nobody is at the other end
  truncated,  // the message's sender died in the middle of it
  no_room,    // the message is larger than the caller has room for; it is still there
  corrupted,
};

// Who is at the two ends.
template <class World>
class PipeEnds {
 public:
  using Holder = typename World::template Atomic<OwnerValue>;
  // `holders`: those of the first end, then those of the second.
  PipeEnds(World& world, PipeWordOf<World>& word, std::span<Holder> holders)
      : world_(world), word_(word), holders_(holders) {}

  // Requires the directory lock. False where a live process holds it, and be it this one.
  bool take(int end, OwnerValue me) {
    if (has_live_holder(end)) return false;
    const bool was_held = phase(end) != detail::EndPhase::awaited;
    holder(end, me).store(me, std::memory_order_release);
    turn(end, detail::EndPhase::held);
    // Both had gone: a new beginning, in which the other one is not missed but waited for.
    if (was_held && is_gone(1 - end)) turn(1 - end, detail::EndPhase::awaited);
    return true;
  }

  // Requires the directory lock. The child that is about to be made shares what its parent holds.
  void share(OwnerValue parent, OwnerValue child) {
    for (const int end : {0, 1}) {
      if (!is_held_by(end, parent)) continue;
      holder(end, child).store(child, std::memory_order_release);
      turn(end, detail::EndPhase::held);
    }
  }

  // Also what burial does.
  void leave(int end, OwnerValue who) {
    if (!is_held_by(end, who)) return;
    holder(end, who).store(detail::kNobody, std::memory_order_release);  // E1
    static_cast<void>(is_gone(end));
    wake_all();
  }

  bool is_held_by(int end, OwnerValue who) {
    return holder(end, who).load(std::memory_order_acquire) == who;
  }
  // As far as anybody has noticed.
  bool looks_gone(int end) const { return phase(end) == detail::EndPhase::gone; }
  // Asks the kernel.
  bool is_gone(int end) {
    for (;;) {
      std::uint64_t seen = word_.ends[end].load(std::memory_order_acquire);
      if (detail::phase_of(seen) != detail::EndPhase::held)
        return detail::phase_of(seen) == detail::EndPhase::gone;
      if (has_live_holder(end)) return false;
      if (word_.ends[end].compare_exchange_strong(
              seen, detail::next_end(seen, detail::EndPhase::gone), std::memory_order_seq_cst,
              std::memory_order_relaxed))
        return true;
    }
  }

  // Whether the flags say that somebody sleeps or not: this is no fast path.
  void wake_all() {
    world_.fence();  // M1
    for (auto& lane : word_.lanes) {
      core::wake(world_, lane.data_sleepers, kEverybody);
      core::wake(world_, lane.space_sleepers, kEverybody);
    }
  }

 private:
  detail::EndPhase phase(int end) const {
    return detail::phase_of(word_.ends[end].load(std::memory_order_acquire));
  }
  std::size_t processes() const { return holders_.size() / 2; }
  Holder& holder(int end, OwnerValue who) {
    return holders_[static_cast<std::size_t>(end) * processes() + detail::record_of(who)];
  }
  bool has_live_holder(int end) {
    for (Holder& holder :
         holders_.subspan(static_cast<std::size_t>(end) * processes(), processes()))
      if (const OwnerValue who = holder.load(std::memory_order_acquire);  // E2
          who != detail::kNobody && world_.alive(who))
        return true;
    return false;
  }
  void turn(int end, detail::EndPhase phase) {
    std::uint64_t seen = word_.ends[end].load(std::memory_order_relaxed);
    while (!word_.ends[end].compare_exchange_strong(seen, detail::next_end(seen, phase),
                                                    std::memory_order_seq_cst,
                                                    std::memory_order_relaxed)) {
    }
  }

  World& world_;
  PipeWordOf<World>& word_;
  const std::span<Holder> holders_;
};

// How far a receiver has got with a message; its process's own. `at`: where head was then.
struct Reception {
  bool within = false;
  std::uint64_t left = 0;
  std::uint64_t at = 0;
};

// One side of a lane, for one call; it is the caller's turn. A Ring has
//   size()                            a power of two
//   header(at), set_header(at, word)
//   put(at, bytes, n), get(at, bytes, n)
template <class World, class Ring>
class PipeSide {
 public:
  // `peer` is the end at the other side; `closed` this process's own word on its end.
  PipeSide(World& world, PipeLaneOf<World>& lane, PipeEnds<World> ends, int peer, const Ring& ring,
           const typename World::template Atomic<bool>& closed)
      : world_(world), lane_(lane), ends_(ends), peer_(peer), ring_(ring), closed_(closed) {}

 protected:
  // No frame is larger, so a quarter of the ring is always enough to go on.
  static constexpr std::uint64_t kLargestFrame = 32 << 10;
  std::uint64_t batch() const { return std::min(ring_.size() / 4, kLargestFrame); }

  bool is_closed() const { return closed_.load(std::memory_order_relaxed); }
  bool peer_is_gone(Glance glance) {
    return ends_.looks_gone(peer_) || (glance != Glance::quick && ends_.is_gone(peer_));
  }

  // After a position has been stored.
  void wake_sleepers(typename World::template Atomic<std::uint32_t>& sleepers) {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the compiler keeps M1's order too
    if (!world_.is_reached()) world_.fence();
    if ((sleepers.load(std::memory_order_relaxed) & detail::kSomebodySleeps) != 0)  // M1
      core::wake(world_, sleepers, kEverybody);
  }

  World& world_;
  PipeLaneOf<World>& lane_;
  PipeEnds<World> ends_;
  const int peer_;
  const Ring& ring_;
  const typename World::template Atomic<bool>& closed_;
};

template <class World, class Ring>
class PipeSender : PipeSide<World, Ring> {
 public:
  using PipeSide<World, Ring>::PipeSide;

  // `again`: the last to send was this thread. `doubts`: whether to ask the kernel for the peer,
  // though there be room for the message.
  Passage send(std::span<const std::byte> message, bool again, bool doubts, Deadline deadline) {
    if (this->is_closed()) return Passage::closed;
    if (this->peer_is_gone(doubts ? Glance::closely : Glance::quick)) return Passage::gone;
    tail_ = (again ? this->lane_.sent : this->lane_.tail).load(std::memory_order_relaxed);  // ours
    // Who was killed between the two left them different; and this one may find no room.
    if (!again) this->lane_.sent.store(tail_, std::memory_order_relaxed);
    if (tail_ % detail::kFrameHeader != 0) return Passage::corrupted;
    const std::uint64_t bytes = detail::frame_bytes(message.size());
    if (bytes > this->batch()) return send_in_parts(message, deadline);
    const Passage space = await_space(bytes, deadline);
    if (space != Passage::done) return space;
    write(first_header(detail::Frame::whole, message.size()), message);
    publish();
    return Passage::done;
  }

 private:
  Passage send_in_parts(std::span<const std::byte> message, Deadline deadline) {
    const std::uint64_t largest = this->batch() - 2 * detail::kFrameHeader;
    const std::uint64_t begin = first_header(detail::Frame::begin, message.size());
    bool begun = false;
    while (!message.empty()) {
      const auto part = message.first(std::min<std::uint64_t>(message.size(), largest));
      const std::uint64_t bytes = detail::frame_bytes(part.size());
      const Passage space = await_space(begun ? bytes : detail::kFrameHeader + bytes, deadline);
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
  Passage await_space(std::uint64_t bytes, Deadline deadline) {
    if (has_space(this->lane_.head_seen.load(std::memory_order_relaxed), bytes))
      return Passage::done;
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

template <class World, class Ring>
class PipeReceiver : PipeSide<World, Ring> {
 public:
  using PipeSide<World, Ring>::PipeSide;

  // Receives the next message, or the rest of the one that `reception` is within. A Sink has
  //   begin(size)           of a new message. False: that is more than there is room for
  //   take(ring, at, size)  the next bytes of it
  template <class Sink>
  Passage receive(Reception& reception, Sink& sink, Deadline deadline) {
    for (;;) {
      const Passage found = await_frame(reception, deadline);
      if (found != Passage::done) return found;
      const std::uint64_t header = this->ring_.header(head_);
      const std::uint64_t size = detail::frame_size(header);
      switch (detail::frame_kind(header)) {
        case detail::Frame::whole:
          if (is_cut_by(header, reception)) return Passage::truncated;
          if (!is_there(size)) return Passage::corrupted;
          if (!sink.begin(size)) return Passage::no_room;
          sink.take(this->ring_, head_ + detail::kFrameHeader, size);
          advance(size);
          return Passage::done;
        case detail::Frame::begin:
          if (is_cut_by(header, reception)) return Passage::truncated;
          if (size == 0 || size > detail::kLargestMessage) return Passage::corrupted;
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
    }
  }

  // Waits for something to receive: done; or what receive() would say instead.
  Passage await_message(Reception& reception, Deadline deadline) {
    for (;;) {
      const Passage found = await_frame(reception, deadline);
      if (found != Passage::done || reception.within) return found;
      const std::uint64_t header = this->ring_.header(head_);
      if (detail::frame_kind(header) != detail::Frame::part) return Passage::done;
      if (!is_there(detail::frame_size(header))) return Passage::corrupted;
      advance(detail::frame_size(header));
    }
  }

 private:
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
    head_ = this->lane_.head.load(std::memory_order_relaxed);  // ours
    if (head_ % detail::kFrameHeader != 0) return Passage::corrupted;
    if (reception.at != head_) reception.within = false;  // another process received the rest
    tail_ = this->lane_.tail_seen.load(std::memory_order_relaxed);
    if (tail_ != head_ && tail_ - head_ <= this->ring_.size()) return Passage::done;
    let_burst_grow();
    Passage found = Passage::timed_out;
    core::wait(this->world_, this->lane_.data_sleepers, deadline, [&](Glance glance) {
      found = look_for_frame(reception, glance);
      return found == Passage::timed_out ? Look::wait : Look::done;
    });
    return found;
  }
  // Each look at tail takes its line from the sender, which waits for it to come back. Where frames
  // come in bursts, more of them are coming: better one look at many than a look at each. (22 M
  // messages of 8 bytes a second instead of 8; with three times as many pauses, 7.)
  void let_burst_grow() {
    constexpr std::uint64_t kBurst = 8;
    constexpr int kPauses = 100;
    const bool was_burst = this->lane_.burst.load(std::memory_order_relaxed) >= kBurst;
    this->lane_.burst.store(0, std::memory_order_relaxed);
    for (int i = 0; was_burst && i < kPauses; ++i) this->world_.pause();
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
    return Passage::done;
  }
  // Whether the message that this one is within has a sender.
  bool is_being_sent() {
    return has_turn(this->world_, this->lane_.send_turn, this->lane_.send_lock);  // L2
  }

  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
};

}  // namespace shoal::core
