// SPDX-License-Identifier: MIT
//
// What include/shoal/barrier.hpp promises, one promise per case.

#include "shoal/barrier.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/child.hpp"
#include "support/expect.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"
#include "support/waiting.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Barrier;
using shoal::BrokenBarrier;
using shoal::Segment;

TEST_SUITE_BEGIN("Barrier");

TEST_CASE("nobody passes until all have arrived, round after round") {
  constexpr int kParties = 4;
  constexpr int kRounds = 1'000;
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", kParties);
  Shared<std::array<std::atomic<int>, kParties>> rounds;
  std::vector<Child> parties;
  for (std::size_t i = 0; i < kParties; ++i)
    parties.emplace_back([&, i] {
      for (int round = 1; round <= kRounds; ++round) {
        (*rounds)[i] = round;
        barrier.arrive_and_wait();
        for (const auto& other : *rounds)
          if (other < round) return false;
      }
      return true;
    });
  for (Child& party : parties) CHECK(party.succeeds());
  CHECK_FALSE(barrier.broken());
  CHECK(barrier.waiting() == 0);
}

TEST_CASE("each number from 0 is returned once a round") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 3);
  for (int round = 0; round < 50; ++round) {
    SharedCounter sum;
    const auto arrive = [&] { *sum += 1LL << (8 * barrier.arrive_and_wait()); };
    Child process(arrive);
    std::thread thread(arrive);
    arrive();
    thread.join();
    REQUIRE(process.succeeds());
    CHECK(*sum == 0x010101);
  }
}

TEST_CASE("a party that dies inside breaks it for those who wait and those who come") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 4);
  const auto is_told = [&] { return throws<BrokenBarrier>([&] { barrier.arrive_and_wait(); }); };
  Child victim([&] { barrier.arrive_and_wait(); });
  await_waiting(barrier, 1);
  Child first(is_told);
  Child second(is_told);
  await_waiting(barrier, 3);
  victim.kill();
  CHECK(first.succeeds());
  CHECK(second.succeeds());
  CHECK(barrier.broken());
  CHECK(barrier.waiting() == 0);
  CHECK(is_told());
  barrier.reset();
  CHECK_FALSE(barrier.broken());
}

TEST_CASE("a party that has died inside is seen by who only looks") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 3);
  Child party([&] { barrier.arrive_and_wait(); });
  await_waiting(barrier, 1);
  CHECK_FALSE(barrier.broken());
  party.kill();
  CHECK(barrier.waiting() == 0);
  CHECK(barrier.broken());
  barrier.reset();
  CHECK_FALSE(barrier.broken());
}

TEST_CASE("a party that dies inside breaks it also for the last to come, whom nobody waits for") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 2);
  Child victim([&] { barrier.arrive_and_wait(); });
  await_waiting(barrier, 1);
  victim.kill();
  CHECK(throws<BrokenBarrier>([&] { barrier.arrive_and_wait(); }));
  CHECK(barrier.broken());
}

TEST_CASE("after reset it may be used again") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 2);
  barrier.abort();
  CHECK(throws<BrokenBarrier>([&] { barrier.arrive_and_wait(); }));
  barrier.reset();
  Child other([&] { barrier.arrive_and_wait(); });
  barrier.arrive_and_wait();
  CHECK(other.succeeds());
}

TEST_CASE("abort and reset are told to those who wait") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 2);
  for (const bool abort : {true, false}) {
    Child waiter([&] { return throws<BrokenBarrier>([&] { barrier.arrive_and_wait(); }); });
    await_waiting(barrier, 1);
    abort ? barrier.abort() : barrier.reset();
    CHECK(waiter.succeeds());
    CHECK(barrier.broken() == abort);
    barrier.reset();
  }
}

TEST_CASE("at the end of a party's time it breaks for all") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 3);
  Child patient_one([&] { return throws<BrokenBarrier>([&] { barrier.arrive_and_wait(); }); });
  await_waiting(barrier, 1);
  CHECK(throws<BrokenBarrier>([&] { barrier.arrive_and_wait_for(5ms); }));
  CHECK(patient_one.succeeds());
  barrier.reset();
  CHECK(throws<BrokenBarrier>([&] { barrier.arrive_and_wait_for(0s); }));
  barrier.reset();
  CHECK(throws<BrokenBarrier>([&] { barrier.arrive_and_wait_for(-1h); }));
}

TEST_CASE("the last to arrive runs its action before anyone is let go") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 3);
  SharedCounter actions;
  std::vector<Child> parties;
  for (int i = 0; i < 3; ++i)
    parties.emplace_back([&] {
      for (int round = 1; round <= 100; ++round) {
        barrier.arrive_and_wait([&] { ++*actions; });
        if (*actions < round) return false;
      }
      return true;
    });
  for (Child& party : parties) CHECK(party.succeeds());
  CHECK(*actions == 100);
}

TEST_CASE("an action that throws breaks it, and throws there") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 2);
  Child waiter([&] { return throws<BrokenBarrier>([&] { barrier.arrive_and_wait(); }); });
  await_waiting(barrier, 1);
  CHECK(throws<std::runtime_error>(
      [&] { barrier.arrive_and_wait([] { throw std::runtime_error("no"); }); }));
  CHECK(waiter.succeeds());
  CHECK(barrier.broken());
}

TEST_CASE("a process that dies in its action breaks it") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 2);
  Child waiter([&] { return throws<BrokenBarrier>([&] { barrier.arrive_and_wait(); }); });
  await_waiting(barrier, 1);
  Child last([&] { barrier.arrive_and_wait([] { ::_exit(3); }); });
  CHECK(last.exit_status() == 3);
  CHECK(waiter.succeeds());
}

TEST_CASE("a fork inside an action: the child is no party, and lets nobody go") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 2);
  for (const bool throws : {false, true}) {
    Child waiter([&] { barrier.arrive_and_wait(); });
    await_waiting(barrier, 1);
    const pid_t parent = ::getpid();
    int status = -1;
    try {
      barrier.arrive_and_wait([&] {
        if (fork_and_wait(status) == 0 && throws) throw std::runtime_error("child");
        if (::getpid() == parent) CHECK(barrier.waiting() == 2);
      });
    } catch (...) {
      if (::getpid() == parent) throw;
    }
    if (::getpid() != parent) ::_exit(0);
    CHECK(status == 0);
    CHECK(waiter.succeeds());
  }
}

TEST_CASE("a barrier for one lets it pass") {
  const Segment segment = Segment::anonymous();
  const Barrier barrier(segment, "b", 1);
  for (int i = 0; i < 3; ++i) CHECK(barrier.arrive_and_wait() == 0);
}

TEST_CASE("the number of parties is checked, and must agree") {
  const Segment segment = Segment::anonymous();
  CHECK(throws<std::invalid_argument>([&] { Barrier(segment, "b", 0); }));
  CHECK(throws<std::invalid_argument>([&] { Barrier(segment, "b", -1); }));
  CHECK(throws<std::invalid_argument>([&] { Barrier(segment, "b", 16384); }));
  CHECK(throws<shoal::NotFound>([&] { Barrier(segment, "b"); }));
  CHECK(segment.objects().empty());
  const Barrier barrier(segment, "b", 3);
  CHECK(throws<shoal::TypeMismatch>([&] { Barrier(segment, "b", 4); }));
  CHECK(Barrier(segment, "b").parties() == 3);
}

TEST_CASE("a process with other addresses may be a party") {
  TempName name;
  const Segment segment(name);
  const Barrier barrier(segment, "barrier", 2);
  ExecChild child("barrier.meet", name.str());
  for (int round = 0; round < 3; ++round) barrier.arrive_and_wait();
  CHECK(child.succeeds());
}

TEST_SUITE_END();
