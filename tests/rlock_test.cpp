// SPDX-License-Identifier: MIT
//
// What include/shoal/rlock.hpp promises, one promise per case.

#include "shoal/rlock.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "shoal/value.hpp"
#include "support/child.hpp"
#include "support/expect.hpp"
#include "support/gate.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::RLock;
using shoal::Segment;

namespace {

struct Scene {
  Segment segment = Segment::anonymous();
  RLock lock{segment, "lock"};
};

void lock_times(const RLock& lock, int times) {
  for (int i = 0; i < times; ++i) lock.lock();
}
void unlock_times(const RLock& lock, int times) {
  for (int i = 0; i < times; ++i) lock.unlock();
}

}  // namespace

TEST_SUITE_BEGIN("RLock");

TEST_CASE("the thread that holds it may lock it again, and unlocks it as often") {
  Scene scene;
  lock_times(scene.lock, 2);
  REQUIRE(scene.lock.try_lock());
  REQUIRE(scene.lock.try_lock_for(1ms));
  unlock_times(scene.lock, 3);
  CHECK(scene.lock.is_locked());
  scene.lock.unlock();
  CHECK_FALSE(scene.lock.is_locked());
  CHECK(throws<shoal::NotOwner>([&] { scene.lock.unlock(); }));
}

TEST_CASE("another thread neither gets it nor unlocks it") {
  Scene scene;
  const std::scoped_lock held(scene.lock);
  bool kept_out = false;
  std::thread([&] {
    kept_out = !scene.lock.try_lock() && !scene.lock.try_lock_for(2ms) &&
               throws<shoal::NotOwner>([&] { scene.lock.unlock(); });
  }).join();
  CHECK(kept_out);
  CHECK(scene.lock.owner()->pid == ::getpid());
}

TEST_CASE("another process neither gets it nor unlocks it") {
  TempName name;
  Segment segment(name);
  RLock lock(segment, "lock");
  const std::scoped_lock held(lock);
  CHECK(ExecChild("rlock.held", name.str()).succeeds());
}

TEST_CASE("a thread that ends leaves it held") {
  Scene scene;
  std::thread([&] { scene.lock.lock(); }).join();
  CHECK_FALSE(scene.lock.try_lock());
  CHECK(throws<shoal::NotOwner>([&] { scene.lock.unlock(); }));
}

TEST_CASE("the child of a fork holds nothing, and gives nothing back") {
  Scene scene;
  lock_times(scene.lock, 3);
  Child child([&] {
    unlock_times(scene.lock, 3);
    return !scene.lock.try_lock() && throws<shoal::NotOwner>([&] { scene.lock.unlock(); });
  });
  CHECK(child.succeeds());
  unlock_times(scene.lock, 3);
  CHECK(Child([&] { return scene.lock.try_lock(); }).succeeds());
}

TEST_CASE("a holder killed three deep leaves it abandoned; recovered, it is one deep") {
  Scene scene;
  Gate holding;
  Child victim([&] {
    lock_times(scene.lock, 3);
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  victim.kill();
  for (int i = 0; i < 2; ++i) CHECK(throws<shoal::OwnerDied>([&] { scene.lock.lock(); }));
  {
    const auto held = scene.lock.recover();
    CHECK(scene.lock.inherited());
    scene.lock.lock();
    scene.lock.unlock();
    CHECK(scene.lock.is_locked());
  }
  CHECK_FALSE(scene.lock.is_locked());
}

TEST_CASE("a repair that throws leaves it abandoned") {
  Scene scene;
  Child([&] { scene.lock.lock(); }).succeeds();
  CHECK(throws<int>([&] { scene.lock.recover([] { throw 1; }); }));
  CHECK(throws<shoal::OwnerDied>([&] { scene.lock.lock(); }));
  bool repaired = false;
  scene.lock.recover([&] { repaired = scene.lock.inherited(); });
  CHECK(repaired);
  CHECK(scene.lock.try_lock());
}

TEST_CASE("a repair that unlocks, and then throws, takes it from nobody") {
  Scene scene;
  const auto fail = [&](auto meanwhile) {
    return throws<int>([&] {
      scene.lock.recover([&] {
        scene.lock.unlock();
        meanwhile();
        throw 1;
      });
    });
  };
  CHECK(fail([] {}));
  CHECK_FALSE(scene.lock.is_locked());
  Child([&] { scene.lock.lock(); }).succeeds();
  CHECK(fail([&] { std::thread([&] { scene.lock.lock(); }).join(); }));
  CHECK(scene.lock.is_locked());
  CHECK_FALSE(scene.lock.try_lock());  // that thread's still
}

TEST_CASE("with inherit, the next caller has it, and may lock it again") {
  const Segment segment = Segment::anonymous();
  const RLock lock(segment, "lock", shoal::OnOwnerDeath::inherit);
  Child([&] { lock.lock(); }).succeeds();
  lock_times(lock, 2);
  CHECK(lock.inherited());
  unlock_times(lock, 2);
  lock.lock();
  CHECK_FALSE(lock.inherited());
}

TEST_CASE("updates under it are never lost, whoever locks it twice") {
  Scene scene;
  const shoal::Value<int> counter(scene.segment, "counter");
  constexpr int kRounds = 2'000;
  const auto count = [&] {
    for (int i = 0; i < kRounds; ++i) {
      const std::scoped_lock outer(scene.lock);
      const std::scoped_lock inner(scene.lock);
      counter.store(counter.load() + 1);
    }
    return true;
  };
  Child first(count);
  Child second(count);
  std::thread thread([&] { count(); });
  count();
  thread.join();
  CHECK(first.succeeds());
  CHECK(second.succeeds());
  CHECK(counter.load() == 4 * kRounds);
}

TEST_SUITE_END();
