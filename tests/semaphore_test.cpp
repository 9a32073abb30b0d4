// SPDX-License-Identifier: MIT
//
// What include/shoal/semaphore.hpp promises, one promise per case.

#include "shoal/semaphore.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/wait.hpp"
#include "machine.hpp"
#include "shoal/error.hpp"
#include "support/child.hpp"
#include "support/expect.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"
#include "support/waiting.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::BoundedSemaphore;
using shoal::Segment;
using shoal::Semaphore;

TEST_SUITE_BEGIN("Semaphore");

TEST_CASE("has as many permits as its creator said, and no other opener") {
  const Segment segment = Segment::anonymous();
  const Semaphore semaphore(segment, "s", 3);
  CHECK(Semaphore(segment, "s", 7).value() == 3);
  CHECK(Semaphore(segment, "s", shoal::Open::existing).value() == 3);
  CHECK(Semaphore(segment, "one").value() == 1);
}

TEST_CASE("permits are taken one at a time, and none where there is none") {
  const Segment segment = Segment::anonymous();
  const Semaphore semaphore(segment, "s", 2);
  semaphore.acquire();
  CHECK(semaphore.try_acquire());
  CHECK_FALSE(semaphore.try_acquire());
  CHECK_FALSE(semaphore.try_acquire_for(2ms));
  semaphore.release(2);
  CHECK(semaphore.value() == 2);
}

TEST_CASE("zero, negative and NaN do not wait; huge and infinite do not overflow") {
  const Segment segment = Segment::anonymous();
  const Semaphore semaphore(segment, "s", 0);
  CHECK_FALSE(semaphore.try_acquire_for(0s));
  CHECK_FALSE(semaphore.try_acquire_for(-1h));
  CHECK_FALSE(semaphore.try_acquire_for(
      std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())));
  CHECK_FALSE(semaphore.try_acquire_until(std::chrono::steady_clock::time_point::min()));
  semaphore.release(3);
  CHECK(semaphore.try_acquire_for(std::chrono::hours::max()));
  CHECK(semaphore.try_acquire_for(
      std::chrono::duration<double>(std::numeric_limits<double>::infinity())));
  CHECK(semaphore.try_acquire_until(std::chrono::steady_clock::time_point::max()));
}

TEST_CASE("out-of-range arguments change nothing") {
  const Segment segment = Segment::anonymous();
  CHECK(throws<std::invalid_argument>([&] { Semaphore(segment, "s", -1); }));
  CHECK(segment.objects().empty());
  const Semaphore semaphore(segment, "s", 1);
  CHECK(throws<std::invalid_argument>([&] { semaphore.release(0); }));
  CHECK(throws<std::invalid_argument>([&] { semaphore.release(-5); }));
  semaphore.release(INT_MAX - 1);
  CHECK(throws<std::overflow_error>([&] { semaphore.release(); }));
  CHECK(semaphore.value() == INT_MAX);
}

TEST_CASE("release(n) lets n of those go on who wait, in other processes") {
  const Segment segment = Segment::anonymous();
  const Semaphore semaphore(segment, "s", 0);
  SharedCounter through;
  std::vector<Child> waiters;
  for (int i = 0; i < 5; ++i)
    waiters.emplace_back([&] {
      semaphore.acquire();
      ++*through;
    });
  await_waiting(semaphore, 5);
  semaphore.release(2);
  await_waiting(semaphore, 3);
  CHECK(semaphore.value() == 0);
  semaphore.release(3);
  for (Child& waiter : waiters) CHECK(waiter.succeeds());
  CHECK(*through == 5);
  CHECK(semaphore.waiting() == 0);
}

TEST_CASE("a waiter that is killed takes no permit") {
  const Segment segment = Segment::anonymous();
  const Semaphore semaphore(segment, "s", 0);
  Child victim([&] { semaphore.acquire(); });
  Child other([&] { semaphore.acquire(); });
  await_waiting(semaphore, 2);
  victim.kill();
  await_waiting(semaphore, 1);
  semaphore.release();
  CHECK(other.succeeds());
  CHECK(semaphore.value() == 0);
}

TEST_CASE("a process with other addresses may use it") {
  TempName name;
  const Segment segment(name);
  const Semaphore there(segment, "there", 0);
  const Semaphore back(segment, "back", 0);
  ExecChild child("semaphore.echo", name.str());
  there.release();
  back.acquire();
  CHECK(child.succeeds());
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("BoundedSemaphore");

TEST_CASE("never has more permits than its bound") {
  const Segment segment = Segment::anonymous();
  const BoundedSemaphore semaphore(segment, "b", 2);
  CHECK(throws<shoal::NotOwner>([&] { semaphore.release(); }));
  CHECK(semaphore.try_acquire());
  CHECK(throws<shoal::NotOwner>([&] { semaphore.release(2); }));
  semaphore.release();
  CHECK(semaphore.value() == 2);
  CHECK(throws<std::invalid_argument>([&] { semaphore.release(0); }));
}

TEST_CASE("what another process holds cannot be released") {
  const Segment segment = Segment::anonymous();
  const BoundedSemaphore semaphore(segment, "b", 2);
  Gate holding;
  Child holder([&] {
    semaphore.acquire();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  CHECK(throws<shoal::NotOwner>([&] { semaphore.release(); }));
  CHECK(semaphore.value() == 1);
}

TEST_CASE("the permits of a killed holder come back, exactly those") {
  const Segment segment = Segment::anonymous();
  const BoundedSemaphore semaphore(segment, "b", 5);
  semaphore.acquire();
  for (int round = 0; round < 20; ++round) {
    Gate holding;
    Child victim([&] {
      semaphore.acquire();
      semaphore.acquire();
      holding.open();
      return sleep_forever();
    });
    holding.wait();
    CHECK(semaphore.value() == 2);
    victim.kill();
    CHECK(semaphore.value() == 4);
  }
  semaphore.release();
  CHECK(semaphore.value() == 5);
}

TEST_CASE("who waits gets the permit of a holder that is killed") {
  const Segment segment = Segment::anonymous();
  const BoundedSemaphore semaphore(segment, "b", 1);
  Gate holding;
  Child victim([&] {
    semaphore.acquire();
    holding.open();
    return sleep_forever();
  });
  holding.wait();
  Child waiter([&] { semaphore.acquire(); });
  await_waiting(semaphore, 1);
  victim.kill();
  CHECK(waiter.succeeds());
}

// A look takes the semaphore's inner lock, and may have to wait for that.
TEST_CASE("who waits counts until it has what it waits for, whatever its looks wait for") {
  const Segment segment = Segment::anonymous();
  const BoundedSemaphore semaphore(segment, "b", 1);
  shoal::detail::Blueprint whatever;
  whatever.kind = shoal::detail::Kind::bounded_semaphore;
  whatever.bytes = shoal::detail::kWhateverIsThere;
  const auto opened = shoal::detail::open_object(segment, "b", whatever, shoal::Open::existing);
  shoal::detail::Machine machine(opened.object->mapping(), opened.object->index());
  std::atomic<std::uint32_t> outer{0};
  std::atomic<std::uint32_t> inner{0};
  int waiting = 0;
  const auto look = [&](shoal::core::Glance glance) {
    if (glance == shoal::core::Glance::quick) return shoal::core::Look::wait;
    static_cast<void>(shoal::core::wait(machine, inner, shoal::core::kMillisecond,
                                        [](auto) { return shoal::core::Look::wait; }));
    waiting = semaphore.waiting();
    return shoal::core::Look::done;
  };
  CHECK(shoal::core::wait(machine, outer, shoal::detail::kForever, look));
  CHECK(waiting == 1);
  CHECK(semaphore.waiting() == 0);
}

TEST_CASE("the child of a fork holds none, and to give back the parent's does nothing") {
  const Segment segment = Segment::anonymous();
  const BoundedSemaphore semaphore(segment, "b", 3);
  semaphore.acquire();
  semaphore.acquire();
  Child child([&] {
    semaphore.release(2);
    return semaphore.value() == 1 && throws<shoal::NotOwner>([&] { semaphore.release(); });
  });
  CHECK(child.succeeds());
  semaphore.release(2);
  CHECK(semaphore.value() == 3);
}

TEST_SUITE_END();
