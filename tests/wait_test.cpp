// SPDX-License-Identifier: MIT
//
// What include/shoal/wait.hpp promises, one promise per case.

#include "shoal/wait.hpp"

#include <doctest/doctest.h>
#include <sched.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "shoal/error.hpp"
#include "shoal/event.hpp"
#include "shoal/lock.hpp"
#include "shoal/pipe.hpp"
#include "shoal/queue.hpp"
#include "shoal/rlock.hpp"
#include "shoal/segment.hpp"
#include "shoal/semaphore.hpp"
#include "support/child.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::BoundedSemaphore;
using shoal::Connection;
using shoal::Event;
using shoal::JoinableQueue;
using shoal::Lock;
using shoal::Pipe;
using shoal::Queue;
using shoal::RLock;
using shoal::Segment;
using shoal::Semaphore;
using shoal::wait_any;
using shoal::Waitable;

namespace {

// One object of each kind, none of them ready, and how each becomes so.
struct Kinds {
  Segment segment = Segment::anonymous();
  Lock lock{segment, "lock"};
  RLock rlock{segment, "rlock"};
  Semaphore semaphore{segment, "semaphore", 0};
  BoundedSemaphore bounded{segment, "bounded", 1};
  Event event{segment, "event"};
  Queue<int> queue{segment, "queue"};
  Queue<std::string> ending{segment, "ending"};
  JoinableQueue<int> joinable{segment, "joinable"};
  Pipe pipe{segment, "pipe"};
  Connection in{pipe.first()};
  Connection out{pipe.second()};
  static constexpr std::size_t kCount = 9;

  Kinds() {
    lock.lock();
    rlock.lock();
    bounded.acquire();
  }
  std::vector<Waitable> all() const {
    return {lock, rlock, semaphore, bounded, event, queue, ending, joinable, in};
  }
  void make_ready(std::size_t which) const {
    switch (which) {
      case 0:
        return lock.unlock();
      case 1:
        return rlock.unlock();
      case 2:
        return semaphore.release();
      case 3:
        return bounded.release();
      case 4:
        return event.set();
      case 5:
        return queue.push(1);
      case 6:
        return ending.close();
      case 7:
        return joinable.push(1);
      default:
        return out.send(1);
    }
  }
};

}  // namespace

TEST_SUITE_BEGIN("wait_any");

TEST_CASE("what is ready is found at once, the first of several") {
  for (std::size_t i = 0; i < Kinds::kCount; ++i) {
    CAPTURE(i);
    const Kinds kinds;
    CHECK_FALSE(wait_any(kinds.all(), 0s));
    kinds.make_ready(i);
    CHECK(wait_any(kinds.all()) == i);
    CHECK(wait_any(kinds.all(), 0s) == i);
    kinds.make_ready(Kinds::kCount - 1);
    CHECK(wait_any(kinds.all()) == i);
  }
}

TEST_CASE("who sleeps is woken by whichever becomes ready, and has taken nothing") {
  for (std::size_t i = 0; i < Kinds::kCount; ++i) {
    CAPTURE(i);
    const Kinds kinds;
    Child waiter([&] { return wait_any(kinds.all()) == i; });
    waiter.wait_until_asleep();
    kinds.make_ready(i);
    CHECK(waiter.succeeds());
    CHECK(wait_any(kinds.all(), 0s) == i);
  }
}

TEST_CASE("a list is given in place") {
  const Kinds kinds;
  CHECK_FALSE(wait_any({kinds.event, kinds.lock}, 1ms));
  kinds.event.set();
  CHECK(wait_any({kinds.lock, kinds.event}) == 1);
  CHECK(wait_any({kinds.event}) == 0);
}

TEST_CASE("over 100 objects, a ready one is never missed") {
  const Segment segment = Segment::anonymous();
  std::vector<Semaphore> semaphores;
  std::vector<Waitable> objects;
  for (int i = 0; i < 100; ++i) {
    semaphores.emplace_back(segment, "s" + std::to_string(i), 0);
    objects.emplace_back(semaphores.back());
  }
  const Semaphore again(segment, "again", 0);
  constexpr std::size_t kTimes = 3'000;
  Child releaser([&] {
    for (std::size_t i = 0; i < kTimes; ++i) {
      semaphores[i * 37 % 100].release();
      again.acquire();
    }
  });
  for (std::size_t i = 0; i < kTimes; ++i) {
    const std::size_t ready = wait_any(objects);
    REQUIRE(ready == i * 37 % 100);
    REQUIRE(semaphores[ready].try_acquire());
    again.release();
  }
  CHECK(releaser.succeeds());
}

TEST_CASE("none, or more than 100, is refused") {
  const Segment segment = Segment::anonymous();
  const Event event(segment, "e");
  CHECK_THROWS_AS(static_cast<void>(wait_any({})), std::invalid_argument);
  const std::vector<Waitable> many(101, event);
  CHECK_THROWS_AS(static_cast<void>(wait_any(many, 0s)), std::invalid_argument);
}

TEST_CASE("times: zero, negative and NaN do not wait; the end of the time is nothing") {
  const Kinds kinds;
  using Seconds = std::chrono::duration<double>;
  for (const Seconds time : {Seconds(0), Seconds(-1), Seconds(std::nan("")), Seconds(0.02)})
    CHECK_FALSE(wait_any(kinds.all(), time));
  kinds.event.set();
  CHECK(wait_any(kinds.all(), Seconds(std::numeric_limits<double>::infinity())) == 4);
}

TEST_CASE("deaths make ready: of a lock's holder, of who has permits, of a pipe's other end") {
  const Kinds kinds;
  const Lock lock(kinds.segment, "theirs");
  const RLock rlock(kinds.segment, "theirs2");
  const BoundedSemaphore bounded(kinds.segment, "theirs3", 1);
  const Pipe pipe(kinds.segment, "theirs4");
  const Connection in = pipe.first();
  const std::vector<Waitable> theirs[] = {
      {kinds.event, lock}, {kinds.event, rlock}, {kinds.event, bounded}, {kinds.event, in}};
  for (std::size_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    const Gate holding;
    Child holder([&] {
      if (i == 0) lock.lock();
      if (i == 1) rlock.lock();
      if (i == 2) bounded.acquire();
      if (i == 3) {
        in.close();  // its share
        const Connection out = pipe.second();
        holding.open();
        return sleep_forever();
      }
      holding.open();
      return sleep_forever();
    });
    holding.wait();
    Child waiter([&] { return wait_any(theirs[i]) == 1; });
    waiter.wait_until_asleep();
    holder.kill();
    CHECK(waiter.succeeds());
  }
}

TEST_CASE("a waiter that is killed, or takes nothing, keeps nobody else waiting") {
  const Kinds kinds;
  const auto take = [&] {
    const std::scoped_lock held(kinds.lock);
    return true;
  };
  for (const bool kill : {true, false}) {
    Child watcher([&] { return wait_any({kinds.event, kinds.lock}) == 1; });
    watcher.wait_until_asleep();
    Child locker(take);
    locker.wait_until_asleep();
    if (kill) watcher.kill();
    kinds.lock.unlock();
    CHECK(locker.succeeds());
    if (!kill) CHECK(watcher.succeeds());
    kinds.lock.lock();
  }
}

TEST_CASE("objects of several segments are waited for together") {
  const Kinds some;
  const Kinds others;
  Child waiter([&] { return wait_any({some.event, others.event}) == 1; });
  waiter.wait_until_asleep();
  others.event.set();
  CHECK(waiter.succeeds());
}

TEST_CASE("a connection that has been closed, or has ended, is ready; one that only sends is not") {
  const Kinds kinds;
  kinds.out.close();
  CHECK(wait_any({kinds.event, kinds.in}) == 1);
  kinds.in.close();
  CHECK(wait_any({kinds.event, kinds.in}) == 1);
  const Pipe one_way(kinds.segment, "one_way", {.capacity = 0, .duplex = false});
  const Connection sends = one_way.second();
  CHECK_THROWS_AS(static_cast<void>(wait_any({sends}, 0s)), std::logic_error);
}

TEST_SUITE_END();
