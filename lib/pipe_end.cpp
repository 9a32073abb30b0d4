// SPDX-License-Identifier: MIT
#include "pipe_end.hpp"

#include <memory>

#include "core/lock.hpp"
#include "core/pipe_turn.hpp"

namespace shoal::detail {

using core::Reception;

bool PipeEnd::take() {
  Machine machine(handle_.object->mapping(), handle_.object->index());
  handle_.object->mapping().add_share({handle_.word, end_, &closed_});
  const bool taken = ends(machine).take(end_, handle_.object->mapping().self());
  closed_.store(!taken, std::memory_order_relaxed);
  return taken;
}

// To be the one sender, or receiver; or, without a deadline, only as the favourite.
class PipeEnd::Turn {
 public:
  Turn(Machine& machine, const PipeEnd& end, PipeTurn& turn, LockWord& lock)
      : turn_(machine, turn, lock, end.handle_.object->mapping().self(), this_tid),
        has_come_(turn_.enter_at_once()) {}
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

// What stands in nobody's way is a function of its own, as it was measured: all that it needs then
// is in registers.
bool PipeEnd::send_at_once(std::span<const std::byte> message) {
  if (!is_introduced()) return false;
  Machine machine(handle_.object->mapping(), handle_.object->index());
  const Turn turn(machine, *this, lane_out_.send_turn, lane_out_.send_lock);
  if (!turn.has_come()) return false;
  core::PipeSender<Machine, core::ByteRing> sender(machine, lane_out_, ends(machine), 1 - end_,
                                                   out_, closed_);
  const std::uint64_t now = os::ticks();
  if (!sender.send_at_once(message, last_send(true, now))) return false;
  sent_at_.store(now, std::memory_order_relaxed);
  return true;
}

Passage PipeEnd::send_by_turn(std::span<const std::byte> message, Deadline deadline) {
  introduce();
  Machine machine(handle_.object->mapping(), handle_.object->index());
  const Turn turn(machine, *this, lane_out_.send_turn, lane_out_.send_lock, deadline);
  if (!turn.has_come()) return closed() ? Passage::closed : Passage::timed_out;
  core::PipeSender<Machine, core::ByteRing> sender(machine, lane_out_, ends(machine), 1 - end_,
                                                   out_, closed_);
  const std::uint64_t now = os::ticks();
  const core::LastSend last = last_send(turn.is_favourite(), now);
  if (last.long_ago) asked_at_.store(now, std::memory_order_relaxed);
  sent_at_.store(now, std::memory_order_relaxed);
  return sender.send(message, last, deadline);
}

[[gnu::flatten]] Passage PipeEnd::send(std::span<const std::byte> message, Deadline deadline) {
  return send_at_once(message) ? Passage::done : send_by_turn(message, deadline);
}

template <class Sink>
bool PipeEnd::receive_at_once(Sink& sink) {
  if (!is_introduced()) return false;
  Machine machine(handle_.object->mapping(), handle_.object->index());
  const Turn turn(machine, *this, lane_in_.recv_turn, lane_in_.recv_lock);
  return turn.has_come() && kept_.load(std::memory_order_relaxed) == nullptr &&
         receiver(machine).receive_at_once(sink);
}

template <class Sink>
Passage PipeEnd::receive_by_turn(Sink& sink, Deadline deadline) {
  introduce();
  Machine machine(handle_.object->mapping(), handle_.object->index());
  const Turn turn(machine, *this, lane_in_.recv_turn, lane_in_.recv_lock, deadline);
  if (!turn.has_come()) return closed() ? Passage::closed : Passage::timed_out;
  Reception reception;
  if (kept_.load(std::memory_order_relaxed) && !resume(sink, reception)) return Passage::no_room;
  const Passage passage = receiver(machine).receive(reception, sink, deadline);
  if (passage == Passage::timed_out) keep(reception, sink);
  return passage;
}

template <class Sink>
[[gnu::flatten]] Passage PipeEnd::receive(Sink& sink, Deadline deadline) {
  return receive_at_once(sink) ? Passage::done : receive_by_turn(sink, deadline);
}

template Passage PipeEnd::receive(GrowingSink& sink, Deadline deadline);
template Passage PipeEnd::receive(RoomSink& sink, Deadline deadline);

// False where there is not room enough.
template <class Sink>
bool PipeEnd::resume(Sink& sink, Reception& reception) {
  std::unique_ptr<Kept> kept(kept_.exchange(nullptr));
  if (kept->reception.at != lane_in_.head.load(std::memory_order_relaxed)) return true;
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
  const Turn turn(machine, *this, lane_in_.recv_turn, lane_in_.recv_lock, deadline);
  if (!turn.has_come()) return closed() ? Passage::closed : Passage::timed_out;
  GrowingSink kept;
  Reception reception;
  if (kept_.load(std::memory_order_relaxed)) resume(kept, reception);
  const bool was_within = reception.within;
  const Passage passage = receiver(machine).await_message(reception, deadline);
  if (was_within) {
    reception.within = true;  // what was found is for the next to receive, and so found again
    keep(reception, kept);
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

}  // namespace shoal::detail
