// SPDX-License-Identifier: MIT
#pragma once

// What goes through a pipe; its words are in shoal/detail/pipe_word.hpp, who is at its ends in
// core/pipe_ends.hpp, the two sides in core/pipe_sender.hpp and core/pipe_receiver.hpp.
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
// Memory-order pairs.
//   T1 -> T2   publish() stores tail (release); the receiver loads it (acquire): the frame is there.
//   H1 -> H2   the receiver stores head (release) after it has copied; the sender loads it (acquire)
//              before it writes over that.
//   L1 -> L2   who has the turn stores tail and dropped_at, then gives it up (release); who finds
//              it given up (acquire), and looks at tail again, sees both.
//   S1 -> S2   of a small frame, small_at is stored first, and the rest (release) before tail; who
//              finds tail behind the frame (T2), and small_at at its begin before and after it has
//              read the rest (acquire), has read that frame: of a later one it would have seen
//              small_at.
//   M1 -> M2   tail, or head, is stored, then sleepers loaded; who goes to sleep stores sleepers,
//              then loads tail, or head. No fence: see lib/core/wait.hpp.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "core/pipe_ends.hpp"
#include "core/wait.hpp"
#include "core/world.hpp"
#include "shoal/detail/pipe_word.hpp"

namespace shoal::core {

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

// When a call that goes on for many frames gives up. While the other side keeps up with it nobody
// sleeps, and so nobody looks whether the time is over. To be asked after a frame, before each look
// for more than was seen last: of a small message never, and the clock costs little beside the look.
// One look is had after the time is over, so what needs no waiting is done.
class Patience {
 public:
  template <class World>
  bool ends(World& world, Deadline deadline) {
    if (deadline == detail::kForever) return false;
    return std::exchange(is_late_, is_late_ || world.now() >= deadline);
  }

 private:
  bool is_late_ = false;
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
  static constexpr std::uint64_t kLargestFrame = 128 << 10;
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

}  // namespace shoal::core
