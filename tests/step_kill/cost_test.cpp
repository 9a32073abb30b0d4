// SPDX-License-Identifier: MIT

// What operations cost where nobody waits: each is stepped through after it has been done once, and
// its instructions, those that read, modify and write at once, pauses of a spin, and system calls are
// counted.

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "shoal/array.hpp"
#include "shoal/barrier.hpp"
#include "shoal/condition.hpp"
#include "shoal/event.hpp"
#include "shoal/lock.hpp"
#include "shoal/pipe.hpp"
#include "shoal/queue.hpp"
#include "shoal/rlock.hpp"
#include "shoal/segment.hpp"
#include "shoal/semaphore.hpp"
#include "shoal/value.hpp"
#include "step_kill/segment_model.hpp"
#include "support/child.hpp"
#include "support/shared.hpp"
#include "support/tracee.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Segment;

namespace {

struct Count {
  int instructions = 0;
  int atomic_rmws = 0;
  int pauses = 0;
  int system_calls = 0;
};

// What the operation takes when it is done for the second time, each time after what comes before.
Count count(
    const std::function<void()>& operation, const std::function<void()>& before = [] {}) {
  const Shared<std::atomic<bool>> inside;
  Tracee tracee(
      [&] {
        count_ticks();
        before();
        operation();
        before();
        mark();
        inside->store(true, std::memory_order_release);  // no atomic instruction of its own
        operation();
        inside->store(false, std::memory_order_release);
        mark();
      },
      1s);
  Count result;
  bool alive = tracee.run();
  while (alive && !*inside) alive = tracee.step();
  for (; alive && *inside; alive = tracee.step()) {
    ++result.instructions;
    result.atomic_rmws += tracee.at_atomic_rmw();
    result.pauses += tracee.at_pause();
    result.system_calls += tracee.at_system_call();
  }
  REQUIRE(alive);
  return result;
}

int operations = 0;
void makes_no_system_call(const std::string& name, const std::function<void()>& operation) {
  INFO(name);
  const Count found = count(operation);
  ++operations;
  CHECK(found.instructions > 0);
  CHECK(found.system_calls == 0);
}

// Of whose code the instructions below are counted. Other compilers may need half as many more; how
// many of them are atomic does not differ.
constexpr bool kIsDebians = __GNUC__ == 12 && __GNUC_MINOR__ == 2;

// At most so much, without the call of the function.
void costs(const std::string& name, const std::function<void()>& operation, const Count& most) {
  INFO(name);
  static const int call = count([] {}).instructions;
  const Count found = count(operation);
  const int instructions = found.instructions - call;
  std::printf("%-34s %4d instructions, %d atomic\n", name.c_str(), instructions, found.atomic_rmws);
  CHECK(found.atomic_rmws <= most.atomic_rmws);
  CHECK(found.system_calls == 0);
  CHECK(instructions <= (kIsDebians ? most.instructions : most.instructions * 3 / 2));
}

}  // namespace

TEST_SUITE_BEGIN("cost");

TEST_CASE("a system call is counted") {
  const Segment segment = Segment::anonymous();
  const shoal::Event event(segment, "event");
  CHECK(count([&] { static_cast<void>(event.wait_for(1us)); }).system_calls >= 1);
  CHECK(count([&] { event.set(); }).system_calls == 0);
}

TEST_CASE("no system call where nobody waits") {
  const Segment segment = Segment::anonymous();
  const shoal::Lock lock(segment, "lock");
  makes_no_system_call("lock, unlock", [&] {
    lock.lock();
    lock.unlock();
  });
  makes_no_system_call("try_lock_for, unlock", [&] {
    if (lock.try_lock_for(1s)) lock.unlock();
  });
  makes_no_system_call("recover a free lock", [&] { static_cast<void>(lock.recover()); });
  makes_no_system_call("look at a lock", [&] { static_cast<void>(lock.is_locked()); });

  const shoal::RLock rlock(segment, "rlock");
  makes_no_system_call("rlock, twice, unlock, twice", [&] {
    const std::scoped_lock held(rlock);
    const std::scoped_lock again(rlock);
  });

  const shoal::Semaphore semaphore(segment, "semaphore", 1);
  makes_no_system_call("semaphore", [&] {
    semaphore.acquire();
    semaphore.release();
    static_cast<void>(semaphore.try_acquire() && semaphore.value() == 0);
    semaphore.release(2);
  });
  const shoal::BoundedSemaphore bounded(segment, "bounded", 3);
  makes_no_system_call("bounded semaphore", [&] {
    bounded.acquire();
    if (bounded.try_acquire()) bounded.release(2);
  });

  const shoal::Event event(segment, "event");
  makes_no_system_call("event", [&] {
    event.set();
    event.wait();
    static_cast<void>(event.wait_for(1h) && event.is_set());
    event.clear();
  });

  const shoal::Barrier barrier(segment, "barrier", 1);
  makes_no_system_call("barrier for one", [&] { barrier.arrive_and_wait(); });
  const shoal::Condition condition(segment, "condition");
  makes_no_system_call("condition, notify", [&] {
    condition.notify_one();
    condition.notify_all();
  });

  const shoal::Value<std::int64_t> small(segment, "small");
  makes_no_system_call("value of 8 bytes", [&] {
    small.store(small.load() + 1);
    small.fetch_add(small.exchange(2));
    small.update([](std::int64_t& n) { ++n; });
    std::int64_t expected = 0;
    small.compare_exchange(expected, 1);
  });
  const shoal::Value<Bytes<100>> large(segment, "large");
  makes_no_system_call("value of 100 bytes", [&] {
    large.store(large.load());
    large.update([](Bytes<100>& bytes) { ++bytes[0]; });
    Bytes<100> expected = large.exchange({});
    large.compare_exchange(expected, {});
  });

  const shoal::Array<std::int64_t> numbers(segment, "numbers", 3);
  makes_no_system_call("array of 8 bytes", [&] { numbers.store(1, numbers.load(0) + 1); });
  const shoal::Array<Bytes<100>> rows(segment, "rows", 3);
  makes_no_system_call("array of 100 bytes", [&] { rows.store(1, rows.load(0)); });
  makes_no_system_call("array, its lock", [&] {
    const std::scoped_lock held(rows.get_lock());
    rows[2][0] = 1;
  });
  std::printf("system calls: none in %d operations\n", operations);
}

TEST_CASE("an atomic instruction is counted") {
  const Shared<std::atomic<int>> number;
  CHECK(count([&] { number->store(1, std::memory_order_release); }).atomic_rmws == 0);
  CHECK(count([&] { number->fetch_add(1); }).atomic_rmws == 1);
  CHECK(count([&] { static_cast<void>(number->exchange(2)); }).atomic_rmws == 1);
  int expected = 2;
  CHECK(count([&] { number->compare_exchange_strong(expected, 3); }).atomic_rmws == 1);
}

TEST_CASE("no operation costs more than it did") {
  const Segment segment = Segment::anonymous();
  const shoal::Lock lock(segment, "lock");
  costs("Lock: lock, unlock",
        [&] {
          lock.lock();
          lock.unlock();
        },
        {45, 1});
  const shoal::RLock rlock(segment, "rlock");
  costs("RLock: lock, unlock",
        [&] {
          rlock.lock();
          rlock.unlock();
        },
        {70, 1});
  const shoal::Semaphore semaphore(segment, "semaphore", 1);
  costs("Semaphore: acquire, release",
        [&] {
          semaphore.acquire();
          semaphore.release();
        },
        {27, 2});
  const shoal::BoundedSemaphore bounded(segment, "bounded", 1);
  costs("BoundedSemaphore: acquire, release",
        [&] {
          bounded.acquire();
          bounded.release();
        },
        {326, 2});
  const shoal::Event event(segment, "event");
  costs("Event: set, clear",
        [&] {
          event.set();
          event.clear();
        },
        {17, 2});
  const shoal::Value<std::int64_t> value(segment, "value");
  costs("Value: fetch_add", [&] { value.fetch_add(1); }, {3, 1});
  const shoal::Queue<std::int64_t> queue(segment, "queue");
  costs("Queue: push, pop of 8 bytes",
        [&] {
          queue.push(1);
          static_cast<void>(queue.pop());
        },
        {161, 2});
  // Not inline, for there are two of each.
  const shoal::Queue<std::uint64_t> here(segment, "here");
  const shoal::Queue<std::uint64_t> there(Segment::anonymous(), "there");
  costs("Queue: push, pop of 8 bytes, in two segments",
        [&] {
          here.push(1);
          there.push(1);
          static_cast<void>(here.pop());
          static_cast<void>(there.pop());
        },
        {338, 4});
  const shoal::Queue<Bytes<1024>> blocks(segment, "blocks");
  const Bytes<1024> bytes{};
  costs("Queue: push, take of 1 KiB",
        [&] {
          blocks.push(bytes);
          static_cast<void>(blocks.take());
        },
        {1473, 5});
  const shoal::Pipe pipe(segment, "pipe");
  const shoal::Connection first = pipe.first();
  const shoal::Connection second = pipe.second();
  costs("Pipe: two sends, recvs of 8 bytes",
        [&] {
          for (int i = 0; i < 2; ++i) first.send(std::int64_t{1});
          for (int i = 0; i < 2; ++i) static_cast<void>(second.recv<std::int64_t>());
        },
        {1084, 0});
}

// Who finds nothing after many that were there at once rests, for more to come: but not here.
TEST_CASE("a call that does not wait does not rest after many items either") {
  constexpr int kMany = 16;
  const Segment segment = Segment::anonymous();
  const shoal::Queue<int> queue(segment, "queue", kMany);
  const auto fill = [&] {
    for (int i = 0; i < kMany; ++i) queue.push(i);
  };
  const auto drain = [&] {
    for (int i = 0; i < kMany; ++i) static_cast<void>(queue.pop());
  };
  const auto fill_and_drain = [&] {
    fill();
    drain();
  };
  const auto drain_and_fill = [&] {
    drain();
    fill();
  };
  const auto pauses = [](const auto& call, const auto& before) {
    return count([&] { static_cast<void>(call()); }, before).pauses;
  };
  CHECK(pauses([&] { return queue.try_pop(); }, fill_and_drain) == 0);
  CHECK(pauses([&] { return queue.pop_for(1us); }, fill_and_drain) > 0);
  CHECK(pauses([&] { return queue.try_take(); }, fill_and_drain) == 0);
  fill();
  CHECK(pauses([&] { return queue.try_push(0); }, drain_and_fill) == 0);

  const shoal::Pipe pipe(segment, "pipe");
  const shoal::Connection sender = pipe.first();
  const shoal::Connection receiver = pipe.second();
  const auto send_and_receive = [&] {
    for (int i = 0; i < kMany; ++i) sender.send(i);
    for (int i = 0; i < kMany; ++i) static_cast<void>(receiver.recv<int>());
  };
  CHECK(pauses([&] { return receiver.recv_for<int>(0s); }, send_and_receive) == 0);
  CHECK(pauses([&] { return receiver.recv_for<int>(1us); }, send_and_receive) > 0);
  CHECK(pauses([&] { return receiver.poll(); }, send_and_receive) == 0);
}

// Their flag says that somebody sleeps: the first unlock wakes nobody, and the next need not.
TEST_CASE("no system call after those who waited have been killed, but for one wake") {
  const Segment segment = Segment::anonymous();
  const shoal::Lock lock(segment, "lock");
  const shoal::Semaphore semaphore(segment, "semaphore", 0);
  const shoal::Event event(segment, "event");
  lock.lock();
  std::vector<Child> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.emplace_back([&] { lock.lock(); });
    waiters.emplace_back([&] { semaphore.acquire(); });
    waiters.emplace_back([&] { event.wait(); });
  }
  for (Child& waiter : waiters) waiter.wait_until_asleep();
  for (Child& waiter : waiters) waiter.kill();
  lock.unlock();  // wakes, and lowers the flag
  // Who dies waiting may have reserved it: for a millisecond everybody keeps off.
  lock.lock();
  lock.unlock();
  makes_no_system_call("lock, unlock", [&] {
    lock.lock();
    lock.unlock();
  });
  makes_no_system_call("semaphore.release", [&] { semaphore.release(); });
  makes_no_system_call("event.set", [&] { event.set(); });
}

TEST_SUITE_END();
