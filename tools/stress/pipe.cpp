// SPDX-License-Identifier: MIT

// Pipes under stress: participants stand in a circle, and have a pipe with each neighbour. A step
// sends a message or many, and receives one or all there are.
//
// Oracle: a message has its number, the number of the one before it that surely was sent whole, and
// bytes that follow from the number. Where the one before it was, every second is but so many low
// bytes of its number as it is long, for small ones take another path through a pipe; and every 32nd
// is empty. So whoever receives it knows whether it is intact, comes twice or too late, or whether
// one is missing. Only two may be missing: the one that a killed sender was at, which no number
// promises; and one for each receiver who was killed. The stream ends for those only whose neighbour
// is dead, and not before they have all that he sent.

#include "shoal/pipe.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <optional>

#include "catalogue.hpp"
#include "names.hpp"
#include "os/cpu.hpp"
#include "random.hpp"
#include "shoal/error.hpp"
#include "shoal/segment.hpp"
#include "shoal/wait.hpp"
#include "subject.hpp"

namespace shoal::stress {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::byte>;

struct Header {
  std::uint64_t number;
  std::uint64_t before;  // the last one before it that was sent whole
};
constexpr std::uint64_t kEmptyEvery = 32;
constexpr std::size_t kCapacity = 4096;
constexpr std::size_t kSmall = 8;
constexpr std::size_t kMedium = 256;
constexpr std::size_t kLarge = 3 * kCapacity;

std::size_t size_of_message(const Header& header) {
  Random random(header.number);
  if (header.before + 1 == header.number) {
    if (header.number % kEmptyEvery == 0) return 0;
    if (random.below(2) == 0) return 1 + random.below(kSmall);
  }
  return sizeof header + random.below(random.below(64) == 0 ? kLarge : kMedium);
}
Bytes message_of(const Header& header) {
  Bytes message(size_of_message(header));
  if (message.size() <= kSmall) {
    for (std::size_t i = 0; i < message.size(); ++i)
      message[i] = static_cast<std::byte>(header.number >> 8 * i);
    return message;
  }
  std::memcpy(message.data(), &header, sizeof header);
  Random random(~header.number);
  std::generate(message.begin() + sizeof header, message.end(),
                [&] { return static_cast<std::byte>(random()); });
  return message;
}
// The next number after the last one that has a small message's low bytes.
std::uint64_t number_after(std::uint64_t last, const Bytes& small) {
  if (small.empty()) return (last / kEmptyEvery + 1) * kEmptyEvery;
  const std::uint64_t all = ~std::uint64_t{0} >> 8 * (kSmall - small.size());
  std::uint64_t low = 0;
  for (std::size_t i = 0; i < small.size(); ++i)
    low |= static_cast<std::uint64_t>(small[i]) << 8 * i;
  const std::uint64_t number = (last & ~all) | low;
  return number > last ? number : number + all + 1;
}

class SegmentPipes : public Subject {
  // One way of one pipe.
  struct alignas(64) Lane {
    std::atomic<std::uint64_t> begun;                 // sender: the last number
    std::atomic<std::uint64_t> sent;                  // sender: the last one sent whole
    std::atomic<std::uint32_t> life;                  // sender: of who has taken the end last
    alignas(64) std::atomic<std::uint64_t> received;  // receiver: the last number
    std::atomic<std::uint64_t> cut;                   // receiver: messages that were Truncated
    std::atomic<std::uint64_t> excused;  // engine: receivers killed since the last was received
    std::atomic<std::uint64_t> open;     // engine: the one that a killed sender was at
  };
  // Pipe i is between participant i, at its first end, and the one after it. Lane 0 goes out of the
  // first end.
  struct Memory {
    std::array<std::array<Lane, 2>, kMostProcesses> pipes;
  };

  [[nodiscard]] std::size_t memory_size() const override { return sizeof(Memory); }
  void set_up(void* memory, const Plan& plan) override {
    memory_ = ::new (memory) Memory();
    processes_ = plan.processes;
    const Segment segment = Segment::anonymous();
    for (unsigned i = 0; i < processes_; ++i)
      pipes_[i].emplace(segment, "pipe" + std::to_string(i), PipeOptions{.capacity = kCapacity});
  }
  void begin(Participant& me) override {
    ends_[0].emplace(pipes_[me.index()]->first());
    ends_[1].emplace(pipes_[before(me.index())]->second());
    for (unsigned side : {0, 1}) {
      Lane& out = lane_out(me.index(), side);
      out.life.store(me.life(), std::memory_order_release);
    }
  }
  void killed(unsigned index) override {
    for (unsigned side : {0, 1}) {
      lane_in(index, side).excused.fetch_add(1, std::memory_order_relaxed);
      Lane& out = lane_out(index, side);
      const std::uint64_t begun = out.begun.load(std::memory_order_relaxed);
      if (begun > out.sent.load(std::memory_order_relaxed))
        out.open.store(begun, std::memory_order_relaxed);
    }
  }

  // Who has received sends: so there is always something on its way, but for what found no room in
  // time, and what was lost with a dead one.
  void step(Participant& me) override {
    send_some(me);
    while (!me.stopping()) {
      const auto side = me.timed([&] { return wait_any({*ends_[0], *ends_[1]}, 50ms); });
      if (side && receive(me, static_cast<unsigned>(*side))) return;
      if (!side) send_some(me);
    }
  }

  [[nodiscard]] std::string diagnose(const Control&) override {
    std::string under_way;
    for (unsigned index = 0; index < processes_; ++index)
      for (const unsigned side : {0, 1}) {
        const Lane& lane = lane_in(index, side);
        const std::uint64_t sent = lane.sent.load(std::memory_order_acquire);
        const std::uint64_t received = lane.received.load(std::memory_order_acquire);
        if (sent > received)
          under_way += (under_way.empty() ? "" : ", ") + name_of(index) + " has received " +
                       std::to_string(received) + " of " + std::to_string(sent) + " messages of " +
                       name_of(neighbour(index, side));
      }
    return under_way.empty() ? "no message is under way" : under_way;
  }

  // Side 0 is the pipe with the next participant, side 1 that with the one before.
  [[nodiscard]] unsigned next(unsigned index) const { return (index + 1) % processes_; }
  [[nodiscard]] unsigned before(unsigned index) const {
    return (index + processes_ - 1) % processes_;
  }
  [[nodiscard]] unsigned neighbour(unsigned index, unsigned side) const {
    return side == 0 ? next(index) : before(index);
  }
  [[nodiscard]] Lane& lane_out(unsigned index, unsigned side) const {
    return memory_->pipes[side == 0 ? index : before(index)][side];
  }
  [[nodiscard]] Lane& lane_in(unsigned index, unsigned side) const {
    return memory_->pipes[side == 0 ? index : before(index)][1 - side];
  }

  void send_some(Participant& me) const {
    const auto side = static_cast<unsigned>(me.random() % 2);
    const unsigned count = me.random() % 8 == 0 ? 32 : 1;
    for (unsigned i = 0; i < count && !me.stopping(); ++i)
      if (!send(me, side)) return;
  }
  // False: there was no room, or nobody.
  bool send(Participant& me, unsigned side) const {
    Lane& lane = lane_out(me.index(), side);
    const Header header{lane.begun.load(std::memory_order_relaxed) + 1,
                        lane.sent.load(std::memory_order_relaxed)};
    const Bytes message = message_of(header);
    const Neighbour there = neighbour_of(me, side);
    lane.begun.store(header.number, std::memory_order_release);
    bool sent = false;
    try {
      sent = ends_[side]->send_bytes_for(message, message.size() > kCapacity / 4 ? 2ms : 0ms);
    } catch (const BrokenPipe&) {
      if (!may_be_dead(me, there))
        me.fail(name_of(me.index()) + " was told that " + there.name + " is gone");
    }
    (sent ? lane.sent : lane.begun)
        .store(sent ? header.number : header.number - 1, std::memory_order_release);
    return sent;
  }

  struct Neighbour {
    std::string name;
    unsigned index;
    std::uint32_t life;  // that had the other end
  };
  [[nodiscard]] Neighbour neighbour_of(const Participant& me, unsigned side) const {
    const unsigned index = neighbour(me.index(), side);
    return {name_of(index), index, lane_in(me.index(), side).life.load(std::memory_order_acquire)};
  }
  // When the time is over, one after the other leaves.
  static bool may_be_dead(const Participant& me, const Neighbour& there) {
    return me.stopping() || me.is_condemned(there.index, there.life);
  }

  // True: a message.
  bool receive(Participant& me, unsigned side) const {
    const Neighbour there = neighbour_of(me, side);
    Lane& lane = lane_in(me.index(), side);
    try {
      do {
        const std::optional<Bytes> message = ends_[side]->recv_bytes_for(2ms);
        if (!message) return false;
        check_message(me, there, lane, *message);
      } while (me.random() % 2 == 0 && !me.stopping() && ends_[side]->poll());
      return true;
    } catch (const Truncated&) {
      const std::uint64_t cut = lane.cut.fetch_add(1, std::memory_order_relaxed) + 1;
      if (!me.stopping() && !me.is_condemned(there.index, static_cast<std::uint32_t>(cut)))
        me.fail(name_of(me.index()) + " got half a message of " + there.name + ", who lives");
    } catch (const EndOfFile&) {
      check_end(me, there, lane);
      os::yield();
    }
    return false;
  }

  void check_message(Participant& me, const Neighbour& there, Lane& lane,
                     const Bytes& message) const {
    const std::uint64_t last = lane.received.load(std::memory_order_relaxed);
    Header header{};
    if (message.size() <= kSmall) {
      header.number = number_after(last, message);
      header.before = header.number - 1;
    } else if (message.size() < sizeof header) {
      return me.fail(name_of(me.index()) + " got a torn message");
    } else {
      std::memcpy(&header, message.data(), sizeof header);
    }
    if (message != message_of(header))
      return me.fail(name_of(me.index()) + " got message " + std::to_string(header.number) +
                     " of " + there.name + " with bytes that are not its own");
    const std::string what = name_of(me.index()) + " got message " + std::to_string(header.number) +
                             " of " + there.name + " after message " + std::to_string(last);
    if (header.number <= last) return me.fail(what);
    if (is_missing(lane, last, header.before))
      return me.fail(what + ", and those between are lost");
    lane.received.store(header.number, std::memory_order_relaxed);
    lane.excused.store(0, std::memory_order_relaxed);
  }
  // Whether any is that was surely sent, after the last one that was received, up to that number.
  static bool is_missing(const Lane& lane, std::uint64_t last, std::uint64_t before) {
    const std::uint64_t open = lane.open.load(std::memory_order_relaxed);
    const bool was_between = last < open && open <= before;
    const std::uint64_t excused = lane.excused.load(std::memory_order_relaxed);
    return before > last + excused + (was_between ? 1 : 0);
  }

  void check_end(Participant& me, const Neighbour& there, const Lane& lane) const {
    if (!may_be_dead(me, there))
      return me.fail(name_of(me.index()) + " was told of the end of the stream, and " + there.name +
                     " lives");
    const std::uint64_t sent = lane.sent.load(std::memory_order_acquire);
    if (lane.life.load(std::memory_order_acquire) != there.life || me.stopping()) return;
    const std::uint64_t last = lane.received.load(std::memory_order_relaxed);
    if (is_missing(lane, last, sent))
      me.fail(name_of(me.index()) + " was told of the end of the stream after message " +
              std::to_string(last) + " of " + there.name + ", who had sent " +
              std::to_string(sent) + " before he died");
  }

  Memory* memory_ = nullptr;
  unsigned processes_ = 0;
  std::array<std::optional<Pipe>, kMostProcesses> pipes_;
  std::array<std::optional<Connection>, 2> ends_;  // of this process
};

}  // namespace

void add_pipes(std::vector<Entry>& entries) {
  entries.push_back(
      {.name = "pipe",
       .about = "shoal::Pipe: messages whole, in order; the end of the stream where one dies",
       .make = [] { return std::unique_ptr<Subject>(std::make_unique<SegmentPipes>()); }});
}

}  // namespace shoal::stress
