// SPDX-License-Identifier: MIT
//
// A pipe under every schedule.

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/pipe.hpp"
#include "core/pipe_receiver.hpp"
#include "core/pipe_sender.hpp"
#include "core/schedules.hpp"

using namespace shoal_test;
using shoal::core::Passage;
using shoal::core::Reception;
using shoal::detail::kForever;
using shoal::detail::Mutant;
using shoal::detail::OwnerValue;

namespace {

// A ring whose every word is watched.
template <std::uint64_t Bytes>
class SimRing {
 public:
  static constexpr std::uint64_t size() { return Bytes; }
  std::uint64_t header(std::uint64_t at) const { return word(at).load(std::memory_order_relaxed); }
  void set_header(std::uint64_t at, std::uint64_t header) const {
    word(at).store(header, std::memory_order_relaxed);
  }
  // Whole words only.
  void put(std::uint64_t at, const std::byte* from, std::uint64_t size) const {
    for (std::uint64_t i = 0; i < size; i += 8) {
      std::uint64_t value = 0;
      std::memcpy(&value, from + i, 8);
      set_header(at + i, value);
    }
  }
  void get(std::uint64_t at, std::byte* into, std::uint64_t size) const {
    for (std::uint64_t i = 0; i < size; i += 8) {
      const std::uint64_t value = header(at + i);
      std::memcpy(into + i, &value, 8);
    }
  }

 private:
  SimAtomic<std::uint64_t>& word(std::uint64_t at) const { return words_[at % Bytes / 8]; }
  mutable std::array<SimAtomic<std::uint64_t>, Bytes / 8> words_{};
};

// Messages of up to 8 numbers.
struct Message {
  std::array<std::uint64_t, 8> numbers{};
  std::uint64_t bytes = 0;

  bool begin(std::uint64_t size) {
    bytes = 0;
    return size <= sizeof numbers;
  }
  template <class Ring>
  void take(const Ring& ring, std::uint64_t at, std::uint64_t size) {
    ring.get(at, reinterpret_cast<std::byte*>(numbers.data()) + bytes, size);
    bytes += size;
  }
};

// A lane from the first end to the second.
template <int Participants, std::uint64_t RingBytes, Mutant M = Mutant::none>
struct OneWay {
  using World = SimWorld<M>;
  using Ring = SimRing<RingBytes>;
  using Ends = shoal::core::PipeEnds<World>;
  static constexpr int kParticipants = Participants;
  static OwnerValue owner(int participant) { return process(participant); }

  OneWay() {
    word.lanes[0].send_lock.inherits.store(1);
    word.lanes[0].recv_lock.inherits.store(1);
    for (int end : {0, 1}) {
      holders[static_cast<std::size_t>(end * Participants + end)].store(process(end));
      word.ends[end].store(shoal::detail::next_end(0, shoal::detail::EndPhase::held));
    }
  }
  Ends ends(World& world) { return Ends(world, word, holders); }

  // `size` numbers, from `first` on.
  Passage send(World& world, int number, std::uint64_t first, std::uint64_t size,
               shoal::detail::Deadline deadline = kForever) {
    std::array<std::uint64_t, 8> numbers{};
    for (std::uint64_t i = 0; i < size; ++i) numbers[i] = first + i;
    auto& lane = word.lanes[0];
    const auto bytes = std::as_bytes(std::span(numbers)).first(8 * size);
    const bool just_now = first % 4 == 3;
    shoal::core::PipeTurn<World> turn(world, lane.send_turn, lane.send_lock, process(number), 1);
    shoal::core::PipeSender<World, Ring> sender(world, lane, ends(world), 1, ring, closed[0]);
    if (turn.enter_at_once()) {
      const bool sent_at_once = sender.send_at_once(bytes, {true, false, just_now});
      turn.leave();
      if (sent_at_once) return Passage::done;
    }
    if (!turn.enter(deadline)) return Passage::timed_out;
    const Passage sent = sender.send(bytes, {turn.is_favourite(), false, just_now}, deadline);
    turn.leave();
    return sent;
  }
  Passage receive(World& world, int number, Message& message, Reception& reception) {
    auto& lane = word.lanes[0];
    shoal::core::PipeTurn<World> turn(world, lane.recv_turn, lane.recv_lock, process(number), 1);
    shoal::core::PipeReceiver<World, Ring> receiver(world, lane, ends(world), 0, ring, closed[1]);
    if (!reception.within && turn.enter_at_once()) {
      const bool received_at_once = receiver.receive_at_once(message);
      turn.leave();
      if (received_at_once) return Passage::done;
    }
    if (!turn.enter(kForever)) world.fail("gave up waiting for ever");
    const Passage received = receiver.receive(reception, message, kForever);
    turn.leave();
    return received;
  }
  Passage receive(World& world, int number, Message& message) {
    Reception reception;
    return receive(world, number, message, reception);
  }
  static void expect(World& world, const Message& message, std::uint64_t first,
                     std::uint64_t size) {
    if (message.bytes != 8 * size) world.fail("a message of another size");
    for (std::uint64_t i = 0; i < size; ++i)
      if (message.numbers[i] != first + i) world.fail("another message");
  }

  shoal::detail::BasicPipeWord<typename World::Atomics> word;
  std::array<SimAtomic<OwnerValue>, 2 * static_cast<std::size_t>(Participants)> holders{};
  Ring ring;
  std::array<SimAtomic<bool>, 2> closed{};
};

// Numbers through a ring that holds four, in order, and then the end of the stream.
template <int Numbers, Mutant M = Mutant::none>
struct InOrder : OneWay<2, 64, M> {
  using Base = OneWay<2, 64, M>;
  using World = typename Base::World;

  void participant(World& world, int number) {
    if (number == 0) return send_all(world);
    for (std::uint64_t i = 0;; ++i) {
      Message message;
      const Passage passage = this->receive(world, 1, message);
      if (passage == Passage::gone) {
        if (i < Numbers && world.alive(process(0))) world.fail("ended too soon");
        return;
      }
      if (passage != Passage::done || i == Numbers) world.fail("received what nobody sent");
      Base::expect(world, message, i, 1);
    }
  }
  void send_all(World& world) {
    for (std::uint64_t i = 0; i < Numbers; ++i) {
      const Passage passage = this->send(world, 0, i, 1);
      if (passage == Passage::gone && !world.alive(process(1))) return;
      if (passage != Passage::done) world.fail("not sent");
    }
    this->ends(world).leave(0, process(0));
  }
};

// A message in parts, then a small one. If its sender dies: whole, or Truncated and nothing else, or
// nothing of it; then its newcomer's, which begins as soon as the end is free.
struct InParts : OneWay<3, 128> {
  void participant(World& world, int number) {
    switch (number) {
      case 0:
        if (send(world, 0, 10, 5) == Passage::done && send(world, 0, 20, 1) == Passage::done)
          ends(world).leave(0, process(0));
        return;
      case 1:
        return receive_all(world);
      default:
        const World::Unkillable whole;  // who never comes is waited for
        while (!ends(world).take(0, process(2))) world.pause();
        if (send(world, 2, 30, 6) != Passage::done) return;
        done.store(true);
    }
  }
  void receive_all(World& world) {
    const World::Unkillable whole;
    std::uint64_t last = 0;
    bool half = false;
    while (last < 30) {
      Message message;
      switch (receive(world, 1, message)) {
        case Passage::gone:
          break;  // until the newcomer has come
        case Passage::truncated:
          if (half || last >= 10 || world.alive(process(0))) world.fail("truncated by nobody");
          half = true;
          break;
        case Passage::done: {
          const std::uint64_t first = message.numbers[0];
          if (first <= last) world.fail("twice, or out of order");
          if (first == 20 && last != 10) world.fail("one was lost");
          expect(world, message, first, first == 10 ? 5 : first == 20 ? 1 : 6);
          last = first;
          break;
        }
        default:
          world.fail("neither received nor ended");
      }
      world.pause();
    }
  }
  SimAtomic<bool> done{};
};

// Of a small message whose sender was killed nothing is left for who comes next, whatever it sends,
// and though it was refused at first.
template <Mutant M = Mutant::none>
struct AfterSmall : OneWay<3, 128, M> {
  using World = typename OneWay<3, 128, M>::World;

  void participant(World& world, int number) {
    switch (number) {
      case 0:
        static_cast<void>(this->send(world, 0, 10, 1));
        return this->ends(world).leave(0, process(0));
      case 1:
        return receive_all(world);
      default:
        const typename World::Unkillable whole;
        while (!this->ends(world).take(0, process(2))) world.pause();
        this->closed[0].store(true);
        if (this->send(world, 2, 20, 0) != Passage::closed) world.fail("not refused");
        this->closed[0].store(false);
        for (const std::uint64_t size : {0, 0, 1})
          if (this->send(world, 2, 20, size) != Passage::done) world.fail("not sent");
    }
  }
  void receive_all(World& world) {
    const typename World::Unkillable whole;
    for (int received = 0; received < 3;) {  // of the second sender's
      Message message;
      const Passage passage = this->receive(world, 1, message);
      if (passage == Passage::gone) {  // until the next one has come
        world.pause();
        continue;
      }
      if (passage != Passage::done) world.fail("neither received nor ended");
      const bool is_first = message.bytes != 0 && message.numbers[0] == 10;
      if (is_first && received > 0) world.fail("out of order");
      if (is_first) continue;
      this->expect(world, message, 20, received < 2 ? 0 : 1);
      ++received;
    }
  }
};

// A message whose send gives up where there is no room at once is never seen; what comes after it is.
struct GivesUp : OneWay<2, 128> {
  void participant(World& world, int number) {
    if (number == 1) return receive_all(world);
    const Passage first = send(world, 0, 10, 8, shoal::detail::kDoNotWait);
    if (first != Passage::done && first != Passage::timed_out)
      world.fail("neither sent nor given up");
    gave_up.store(first == Passage::timed_out);
    if (send(world, 0, 30, 1) != Passage::done) world.fail("not sent");
    ends(world).leave(0, process(0));
  }
  void receive_all(World& world) {
    const World::Unkillable whole;
    std::uint64_t last = 0;
    for (;;) {
      Message message;
      const Passage passage = receive(world, 1, message);
      const bool is_alone = !world.alive(process(0));
      if (passage == Passage::gone) break;
      if (passage == Passage::truncated && is_alone && last == 0) continue;
      if (passage != Passage::done) world.fail("neither received nor ended");
      if (message.numbers[0] <= last) world.fail("twice, or out of order");
      last = message.numbers[0];
      if (last == 10 && gave_up.load()) world.fail("received what was given up");
      expect(world, message, last, last == 10 ? 8 : 1);
    }
    if (last != 30 && world.alive(process(0))) world.fail("one was lost");
  }
  SimAtomic<bool> gave_up{};
};

// The receiver dies within a message; the next one takes its place, and misses no more than that.
struct NextReceiver : OneWay<3, 128> {
  void participant(World& world, int number) {
    if (number == 0) return send_until_received(world);
    if (number == 1) {
      receive_until_last(world, 1);
      return ends(world).leave(1, process(1));
    }
    const World::Unkillable whole;
    while (!ends(world).take(1, process(2))) world.pause();
    receive_until_last(world, 2);
    ends(world).leave(1, process(2));
  }
  void send_until_received(World& world) {
    const World::Unkillable whole;
    for (std::uint64_t i = 1; !received.load(); ++i) {
      Passage passage = Passage::gone;
      while ((passage = send(world, 0, 10 * i, 5)) == Passage::gone) {
        if (received.load()) return;
        world.pause();
      }
      if (passage != Passage::done) world.fail("not sent");
    }
  }
  void receive_until_last(World& world, int number) {
    while (!received.load()) {
      Message message;
      if (receive(world, number, message) != Passage::done) world.fail("not received");
      expect(world, message, message.numbers[0], 5);
      const std::uint64_t before = last.load();
      if (message.numbers[0] <= before || message.numbers[0] > before + 20)
        world.fail("twice, or more than one lost");
      last.store(message.numbers[0]);
      if (message.numbers[0] >= 30) received.store(true);
    }
  }
  SimAtomic<std::uint64_t> last{};
  SimAtomic<bool> received{};
};

// Some threads take turns, each of them several times: who is held up as it comes meets others that
// have been made the favourite since, and come by that. `period`: of the first favourite.
template <int Participants, std::uint64_t period = 0, Mutant M = Mutant::none>
struct Turns {
  using World = SimWorld<M>;
  static constexpr int kParticipants = Participants;
  static OwnerValue owner(int participant) { return process(participant); }

  Turns() {
    lock.inherits.store(1);
    turn.favourite.store(shoal::detail::favourite_value(0, period));
  }
  void participant(World& world, int number) { take_turns(world, number, 3); }
  void take_turns(World& world, int number, int times) {
    for (; times > 0; --times) {
      shoal::core::PipeTurn<World> mine(world, turn, lock, process(number), 1);
      if (!mine.enter(kForever)) world.fail("gave up waiting for ever");
      const int seen = inside.load(std::memory_order_relaxed);
      if (seen != 0 && world.alive(process(seen - 1))) world.fail("two inside");
      inside.store(number + 1, std::memory_order_relaxed);
      if (inside.load(std::memory_order_relaxed) != number + 1) world.fail("two inside");
      inside.store(0, std::memory_order_relaxed);
      mine.leave();
    }
  }

  shoal::detail::BasicPipeTurn<typename World::Atomics> turn;
  shoal::detail::BasicLockWord<typename World::Atomics> lock;
  SimAtomic<int> inside{};
};

// The first is the favourite. The second is killed as it takes the favour away, and buried; so the
// third inherits the lock without waiting for it, which would be a barrier, too.
template <Mutant M = Mutant::none>
struct InheritedTurn : Turns<3, 0, M> {
  using World = typename Turns<3, 0, M>::World;

  InheritedTurn() {
    this->turn.owner.store(process(0));
    this->turn.favourite.store(shoal::detail::holder_note(1, process(0)));
  }
  void participant(World& world, int number) {
    if (number == 1) {
      this->take_turns(world, number, 1);
      return finished.store(true);
    }
    const typename World::Unkillable whole;
    if (number == 2) {
      while (world.alive(process(1)) && !finished.load()) world.pause();
      shoal::core::sweep(world, this->lock, process(1));
    }
    this->take_turns(world, number, 1);
  }
  SimAtomic<bool> finished{};
};

Options few(int kills = 0) {
  Options options = with_kills(kExhaustive, kills);
  options.preemptions = 2;
  options.stale_reads = 1;
  return options;
}
Options many(int kills) {
  Options options = random_choice(kills);
  options.steps = 20'000;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("Pipe under every schedule");

TEST_CASE("one thread at a time has the turn, whoever is killed in it") {
  passes<Turns<2>>("turn.two", few(), 5'000);
  passes<Turns<2>>("turn.two.kill", few(1), 10'000);
  passes<Turns<3>>("turn.three", many(0), 20'000);
  passes<Turns<3>>("turn.three.kill", many(2), 20'000);
}

TEST_CASE("one thread at a time has the turn, when there have been so many favourites") {
  constexpr std::uint64_t last = shoal::detail::kPeriods - 1;
  passes<Turns<2, last>>("turn.last", few(), 5'000);
  passes<Turns<2, last>>("turn.last.kill", few(1), 10'000);
  passes<Turns<3, last - 1>>("turn.last.three.kill", many(2), 20'000);
}

TEST_CASE("who takes over from one that was killed displacing the favourite waits for that, too") {
  passes<InheritedTurn<>>("turn.inherited.kill", many(1), 20'000);
}

TEST_CASE("numbers arrive in order, through a ring that is full at times") {
  Options options = few();
  options.preemptions = 1;
  passes<InOrder<3>>("pipe.order", options, 100);
  passes<InOrder<6>>("pipe.order.full", many(0), 20'000);
  passes<InOrder<6>>("pipe.order.kill", many(1), 20'000);
}

TEST_CASE("a message in parts is whole, or truncated once, whoever dies; and the next follows") {
  passes<InParts>("pipe.parts", many(0), 20'000);
  passes<InParts>("pipe.parts.kill", many(1), 20'000);
}

TEST_CASE("what comes after a small message is received, whoever dies sending that") {
  passes<AfterSmall<>>("pipe.small", many(0), 20'000);
  passes<AfterSmall<>>("pipe.small.kill", many(1), 20'000);
}

TEST_CASE("a message that was given up is none, and the next follows") {
  Options options = many(0);
  options.timeouts_expected = true;
  passes<GivesUp>("pipe.gives_up", options, 20'000);
  options.kills = 1;
  passes<GivesUp>("pipe.gives_up.kill", options, 20'000);
}

TEST_CASE("a receiver that dies takes no more than its message with it") {
  passes<NextReceiver>("pipe.receiver", many(0), 20'000);
  passes<NextReceiver>("pipe.receiver.kill", many(1), 20'000);
}

TEST_CASE("a favourite displaced without a barrier, and a frame not released, are found") {
  catches<InheritedTurn<Mutant::barrier_not_repeated>>("turn.barrier_not_repeated", many(1));
  catches<Turns<2, 0, Mutant::no_membarrier>>("turn.no_membarrier", few());
  catches<InOrder<2, Mutant::release_relaxed>>("pipe.release_relaxed", few());
}

TEST_CASE("a small frame that is marked late, or left for the next sender, is found") {
  catches<InOrder<3, Mutant::small_frame_marked_late>>("pipe.small_marked_late", many(0));
  catches<AfterSmall<Mutant::small_frame_left>>("pipe.small_left", many(1));
}

TEST_SUITE_END();
