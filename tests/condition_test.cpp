// SPDX-License-Identifier: MIT
//
// What include/shoal/condition.hpp promises, one promise per case.

#include "shoal/condition.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "shoal/value.hpp"
#include "support/child.hpp"
#include "support/expect.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"
#include "support/waiting.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Condition;
using shoal::Lock;
using shoal::RLock;
using shoal::Segment;

namespace {

struct Scene {
  Segment segment = Segment::anonymous();
  Lock lock{segment, "lock"};
  Condition changed{segment, "changed"};
  SharedCounter woken;

  // A process that waits once, and says so when it has been woken.
  Child waiter() {
    return Child([this] {
      std::unique_lock held(lock);
      changed.wait(held);
      ++*woken;
      return held.owns_lock();
    });
  }
  void await_woken(std::int64_t count) const {
    const auto end = std::chrono::steady_clock::now() + patient(10s);
    while (*woken != count && std::chrono::steady_clock::now() < end) ::sched_yield();
    REQUIRE(*woken == count);
  }
};

}  // namespace

TEST_SUITE_BEGIN("Condition");

TEST_CASE("notify(n) wakes n of those who wait, and no more") {
  Scene scene;
  std::vector<Child> waiters;
  for (int i = 0; i < 6; ++i) waiters.push_back(scene.waiter());
  await_waiting(scene.changed, 6);
  scene.changed.notify(2);
  scene.await_woken(2);
  CHECK(scene.changed.waiting() == 4);
  scene.changed.notify_one();
  scene.await_woken(3);
  CHECK(scene.changed.waiting() == 3);
  scene.changed.notify_all();
  for (Child& waiter : waiters) CHECK(waiter.succeeds());
  CHECK(*scene.woken == 6);
}

TEST_CASE("a notify that nobody waits for is not remembered") {
  Scene scene;
  scene.changed.notify(3);
  scene.changed.notify_all();
  std::unique_lock held(scene.lock);
  CHECK_FALSE(scene.changed.wait_for(held, 2ms));
  CHECK(held.owns_lock());
}

TEST_CASE("the longest waiting is woken first") {
  Scene scene;
  Child first = scene.waiter();
  await_waiting(scene.changed, 1);
  Child second = scene.waiter();
  await_waiting(scene.changed, 2);
  scene.changed.notify_one();
  CHECK(first.succeeds());
  CHECK(scene.changed.waiting() == 1);
  scene.changed.notify_one();
  CHECK(second.succeeds());
}

TEST_CASE("a waiter that timed out does not take a later notify") {
  Scene scene;
  {
    std::unique_lock held(scene.lock);
    CHECK_FALSE(scene.changed.wait_for(held, 1ms));
    CHECK_FALSE(scene.changed.wait_until(held, std::chrono::steady_clock::time_point::min()));
    CHECK_FALSE(scene.changed.wait_for(held, -1s));
  }
  Child waiter = scene.waiter();
  await_waiting(scene.changed, 1);
  scene.changed.notify_one();
  CHECK(waiter.succeeds());
}

TEST_CASE("a killed waiter changes nothing for later notifies") {
  Scene scene;
  for (int round = 0; round < 10; ++round) {
    Child victim = scene.waiter();
    await_waiting(scene.changed, 1);
    Child other = scene.waiter();
    await_waiting(scene.changed, 2);
    victim.kill();
    scene.changed.notify_one();
    CHECK(other.succeeds());
  }
  CHECK(*scene.woken == 10);
}

TEST_CASE("a notify that a killed waiter had been given reaches another one") {
  Scene scene;
  Child victim = scene.waiter();
  await_waiting(scene.changed, 1);
  victim.stop();
  Child other = scene.waiter();
  await_waiting(scene.changed, 2);
  scene.changed.notify_one();  // the victim's, which is alive
  victim.kill();
  CHECK(other.succeeds());
}

TEST_CASE("a notify of the dead may go to a thread of whoever buries them") {
  Scene scene;
  Child victim = scene.waiter();
  await_waiting(scene.changed, 1);
  bool notified = false;
  std::thread mine([&] {
    std::unique_lock held(scene.lock);
    notified = scene.changed.wait_for(held, patient(10s));
  });
  await_waiting(scene.changed, 2);
  victim.stop();
  scene.changed.notify_one();  // the victim's, which is alive
  victim.kill();
  static_cast<void>(scene.segment.used());  // buries
  mine.join();
  CHECK(notified);
}

TEST_CASE("a predicate is asked until it holds, under the lock") {
  Scene scene;
  const shoal::Value<int> stock(scene.segment, "stock");
  Child consumer([&] {
    std::unique_lock held(scene.lock);
    scene.changed.wait(held, [&] { return stock.load() == 3; });
    return stock.load() == 3;
  });
  for (int i = 0; i < 3; ++i) {
    const std::scoped_lock held(scene.lock);
    stock.store(stock.load() + 1);
    scene.changed.notify_one();
  }
  CHECK(consumer.succeeds());
  std::unique_lock held(scene.lock);
  CHECK_FALSE(scene.changed.wait_for(held, 2ms, [] { return false; }));
  CHECK(scene.changed.wait_for(held, 0s, [] { return true; }));
}

TEST_CASE("an RLock is given up whole, and taken back whole") {
  Scene scene;
  const RLock lock(scene.segment, "rlock");
  Child waiter([&] {
    lock.lock();
    lock.lock();
    std::unique_lock held(lock);
    scene.changed.wait(held);
    held.unlock();
    lock.unlock();
    const bool still = lock.is_locked();
    lock.unlock();
    return still && throws<shoal::NotOwner>([&] { lock.unlock(); });
  });
  await_waiting(scene.changed, 1);
  REQUIRE(lock.try_lock_for(5s));
  scene.changed.notify_one();
  lock.unlock();
  CHECK(waiter.succeeds());
}

TEST_CASE("a lock that turns out abandoned is told of, not owned, and the notify is passed on") {
  Scene scene;
  Child first([&] {
    std::unique_lock held(scene.lock);
    const bool told = throws<shoal::OwnerDied>([&] { scene.changed.wait(held); });
    return told && !held.owns_lock();
  });
  await_waiting(scene.changed, 1);
  Gate holding;
  Child holder([&] {
    scene.lock.lock();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  Child second([&] {  // has its own lock: it is only after the notify
    const Lock own(scene.segment, "own");
    std::unique_lock held(own);
    scene.changed.wait(held);
    return true;
  });
  await_waiting(scene.changed, 2);
  scene.changed.notify_one();
  holder.kill();
  CHECK(first.succeeds());
  CHECK(second.succeeds());
}

TEST_CASE("threads and processes wait together, a hundred at once") {
  Scene scene;
  std::vector<Child> children;
  std::vector<std::thread> threads;
  for (int i = 0; i < 80; ++i) children.push_back(scene.waiter());
  for (int i = 0; i < 20; ++i)
    threads.emplace_back([&] {
      std::unique_lock held(scene.lock);
      scene.changed.wait(held);
      ++*scene.woken;
    });
  await_waiting(scene.changed, 100);
  scene.changed.notify_all();
  for (std::thread& thread : threads) thread.join();
  for (Child& child : children) CHECK(child.succeeds());
  CHECK(*scene.woken == 100);
}

TEST_CASE("more waiting threads than the segment has room for are told so") {
  shoal::SegmentOptions options;
  options.max_threads = 1;
  const Segment segment = Segment::anonymous(options);
  const Lock lock(segment, "lock");
  const Condition changed(segment, "changed");
  Child waiter([&] {
    std::unique_lock held(lock);
    changed.wait(held);
  });
  await_waiting(changed, 1);
  std::unique_lock held(lock);
  CHECK(throws<shoal::TooManyParticipants>([&] { changed.wait(held); }));
  CHECK(held.owns_lock());
  held.unlock();
  changed.notify_one();
  CHECK(waiter.succeeds());
}

TEST_SUITE_END();
