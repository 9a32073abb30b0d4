// SPDX-License-Identifier: MIT
//
// A pipe whose other side always keeps up, so that nobody ever sleeps: calls end in their time.

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/byte_ring.hpp"
#include "core/pipe.hpp"
#include "core/pipe_receiver.hpp"
#include "core/pipe_sender.hpp"

namespace {

using shoal::core::ByteRing;
using shoal::core::kMillisecond;
using shoal::core::Passage;
using shoal::core::Reception;
using shoal::detail::Deadline;
using shoal::detail::Frame;
using shoal::detail::frame_bytes;
using shoal::detail::frame_header;
using shoal::detail::kDoNotWait;
using shoal::detail::kForever;
using shoal::detail::kFrameHeader;
using shoal::detail::OwnerValue;

constexpr std::uint64_t kRing = 1024;
constexpr std::uint64_t kPart = 64;
constexpr std::uint64_t kMessage = 1 << 20;

// Of one thread, whose clock moves on by a millisecond when it is looked at.
class Alone : public shoal::detail::MachineAtomics {
 public:
  using Atomics = MachineAtomics;
  static constexpr int kLooks = 10;
  static constexpr int kYields = 2;
  static constexpr int kLooksAfterYield = 2;
  static constexpr int kRests = 0;

  std::int64_t now() { return time += kMillisecond; }
  static void pause() {}
  static void yield() {}
  static bool barrier() { return true; }
  static bool is_reached() { return true; }
  static void fence() {}
  void sleep(Atomic<std::uint32_t>&, std::uint32_t, std::int64_t length) {
    ++sleeps;
    time += length;
  }
  static void wake(Atomic<std::uint32_t>&, int) {}
  static void begin_wait() {}
  static void end_wait() {}
  static bool alive(OwnerValue) { return true; }

  std::int64_t time = 0;
  int sleeps = 0;
};

struct Scene {
  Scene() {
    for (const std::size_t end : {0, 1}) {
      holders[3 * end].store(shoal::detail::owner_value(static_cast<std::uint32_t>(end), 1));
      word.ends[end].store(shoal::detail::next_end(0, shoal::detail::EndPhase::held));
    }
    lane.send_turn.owner.store(holders[0].load());  // where this is the receiver, it is sending
    lane.send_turn.favourite.store(shoal::detail::favourite_value(1, 0));
    lane.send_turn.busy[0].store(1);
  }
  shoal::core::PipeEnds<Alone> ends() { return {world, word, holders}; }

  Alone world;
  shoal::detail::PipeWord word{};
  shoal::detail::PipeLane& lane = word.lanes[0];
  std::array<std::atomic<OwnerValue>, 4> holders{};
  alignas(8) std::array<std::byte, kRing> memory{};
  std::atomic<bool> closed{false};
};

// What is written has been read by the time that more is.
class ReadAtOnce : public ByteRing {
 public:
  explicit ReadAtOnce(Scene& scene) : ByteRing(scene.memory.data(), kRing), lane_(scene.lane) {}
  void put(std::uint64_t at, const std::byte* from, std::uint64_t size) const {
    if (reads) lane_.head.store(lane_.tail.load());
    ByteRing::put(at, from, size);
  }
  bool reads = true;

 private:
  shoal::detail::PipeLane& lane_;
};

Passage send(Scene& scene, const ReadAtOnce& ring, std::uint64_t size, Deadline deadline) {
  const std::vector<std::byte> message(size);
  shoal::core::PipeSender<Alone, ReadAtOnce> sender(scene.world, scene.lane, scene.ends(), 1, ring,
                                                    scene.closed);
  return sender.send(message, {true, false, false}, deadline);
}

// When a part is taken, the next one is there.
class WrittenAtOnce {
 public:
  explicit WrittenAtOnce(Scene& scene) : lane_(scene.lane), ring_(scene.memory.data(), kRing) {
    write(frame_header(Frame::begin, kMessage), 0);
    write_part();
  }
  static bool begin(std::uint64_t size) { return size == kMessage; }
  void take(const ByteRing&, std::uint64_t, std::uint64_t size) {
    taken += size;
    if (writes && written_ < kMessage) write_part();
  }
  void write_part() { write(frame_header(Frame::part, kPart), kPart); }

  std::uint64_t taken = 0;
  bool writes = true;

 private:
  void write(std::uint64_t header, std::uint64_t size) {
    const std::uint64_t tail = lane_.tail.load();
    ring_.set_header(tail, header);
    lane_.tail.store(tail + frame_bytes(size));
    written_ += size;
  }

  shoal::detail::PipeLane& lane_;
  ByteRing ring_;
  std::uint64_t written_ = 0;
};

Passage receive(Scene& scene, Reception& reception, WrittenAtOnce& sink, Deadline deadline) {
  const ByteRing ring(scene.memory.data(), kRing);
  shoal::core::PipeReceiver<Alone, ByteRing> receiver(scene.world, scene.lane, scene.ends(), 0,
                                                      ring, scene.closed);
  return receiver.receive(reception, sink, deadline);
}

}  // namespace

TEST_SUITE_BEGIN("Pipe: deadlines");

TEST_CASE("a send whose receiver keeps up gives up when its time is over, and says so") {
  Scene scene;
  const ReadAtOnce ring(scene);
  CHECK(send(scene, ring, kMessage, 5 * kMillisecond) == Passage::timed_out);
  CHECK(scene.world.sleeps == 0);
  const std::uint64_t sent = scene.lane.tail.load();
  CHECK(scene.lane.dropped_at.load() == sent);
  CHECK(sent > kRing);
  CHECK(sent < 20 * kRing);
  CHECK(send(scene, ring, kMessage, kDoNotWait) == Passage::timed_out);
  CHECK(scene.lane.tail.load() - sent < 5 * kRing);
}

TEST_CASE("a send that has time enough is done; without a deadline it never looks at the clock") {
  Scene scene;
  const ReadAtOnce ring(scene);
  CHECK(send(scene, ring, kMessage, kForever) == Passage::done);
  CHECK(scene.world.time == 0);
  CHECK(send(scene, ring, kMessage, 1'000'000 * kMillisecond) == Passage::done);
  CHECK(scene.world.sleeps == 0);
}

TEST_CASE("a send that does not wait is done where there is room for all of it, seen yet or not") {
  Scene scene;
  ReadAtOnce ring(scene);
  CHECK(send(scene, ring, kRing - 200, kDoNotWait) == Passage::done);
  scene.lane.head.store(scene.lane.tail.load());
  ring.reads = false;
  CHECK(send(scene, ring, kRing - 200, kDoNotWait) == Passage::done);
  CHECK(send(scene, ring, kRing - 200, kDoNotWait) == Passage::timed_out);
}

TEST_CASE("a receive whose sender keeps up ends when its time is over, and the next goes on") {
  Scene scene;
  WrittenAtOnce sink(scene);
  Reception reception;
  CHECK(receive(scene, reception, sink, 5 * kMillisecond) == Passage::timed_out);
  CHECK(scene.world.sleeps == 0);
  REQUIRE(reception.within);
  CHECK(sink.taken > 0);
  CHECK(sink.taken < 20 * kPart);
  CHECK(receive(scene, reception, sink, kDoNotWait) == Passage::timed_out);
  CHECK(sink.taken < 25 * kPart);
  scene.world.time = 0;
  CHECK(receive(scene, reception, sink, kForever) == Passage::done);
  CHECK(sink.taken == kMessage);
  CHECK(scene.world.time == 0);
}

TEST_CASE("so does one that passes over a message whose receiver is gone") {
  Scene scene;
  WrittenAtOnce sink(scene);
  Reception reception;
  sink.writes = false;
  CHECK(receive(scene, reception, sink, kDoNotWait) == Passage::timed_out);
  CHECK(sink.taken == kPart);
  // Another one, which has nothing of it: every part that it passes over is followed by one more.
  struct Following : ByteRing {
    explicit Following(WrittenAtOnce& of, Scene& scene)
        : ByteRing(scene.memory.data(), kRing), sink(of) {}
    std::uint64_t header(std::uint64_t at) const {
      const std::uint64_t header = ByteRing::header(at);
      sink.write_part();
      ++passed;
      return header;
    }
    WrittenAtOnce& sink;
    mutable int passed = 0;
  };
  sink.write_part();
  const Following ring(sink, scene);
  shoal::core::PipeReceiver<Alone, Following> receiver(scene.world, scene.lane, scene.ends(), 0,
                                                       ring, scene.closed);
  Reception another;
  scene.world.time = 0;
  CHECK(receiver.await_message(another, 5 * kMillisecond) == Passage::timed_out);
  CHECK(ring.passed < 20);
}

TEST_SUITE_END();
