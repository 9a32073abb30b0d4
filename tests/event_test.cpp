// SPDX-License-Identifier: MIT
//
// What include/shoal/event.hpp promises, one promise per case.

#include "shoal/event.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <ratio>
#include <thread>
#include <vector>

#include "shoal/value.hpp"
#include "support/child.hpp"
#include "support/expect.hpp"
#include "support/full_programme.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"
#include "support/waiting.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Event;
using shoal::Segment;

TEST_SUITE_BEGIN("Event");

TEST_CASE("is not set until it is, and until it is cleared") {
  const Segment segment = Segment::anonymous();
  const Event event(segment, "e");
  CHECK_FALSE(event.is_set());
  CHECK_FALSE(event.wait_for(0s));
  CHECK_FALSE(event.wait_for(-1s));
  CHECK_FALSE(event.wait_for(2ms));
  event.set();
  event.set();
  CHECK(event.is_set());
  CHECK(event.wait_for(0s));
  event.wait();
  event.clear();
  event.clear();
  CHECK_FALSE(event.is_set());
}

TEST_CASE("any unit of time will do, however fine, and nothing overflows") {
  const Segment segment = Segment::anonymous();
  const Event event(segment, "event");
  constexpr std::int64_t kYear = 366 * 24 * 3600;
  const auto waits = [&](auto time) {
    event.clear();
    bool set = false;
    std::thread waiter([&] { set = event.wait_for(time); });
    await_waiting(event, 1);
    event.set();
    waiter.join();
    return set;
  };
  using std::chrono::duration;
  CHECK(waits(duration<std::int64_t, std::ratio<1, 1LL << 32>>(1200LL << 32)));
  CHECK(waits(duration<std::int64_t, std::ratio<1, 44100>>(44100 * kYear)));
  CHECK(waits(duration<std::int64_t, std::ratio<1001, 30000>>(30 * 99 * kYear)));
  CHECK(waits(duration<std::int64_t, std::ratio<1, 3>>(3 * 99 * kYear)));
  CHECK(waits(duration<std::int64_t, std::atto>::max()));
  CHECK(waits(duration<float, std::tera>(1)));
  event.clear();
  CHECK_FALSE(event.wait_for(duration<float, std::atto>(1)));
}

TEST_CASE("a set wakes all who wait, threads and processes") {
  const Segment segment = Segment::anonymous();
  const Event event(segment, "e");
  std::vector<Child> children;
  for (int i = 0; i < 20; ++i) children.emplace_back([&] { event.wait(); });
  std::vector<std::thread> threads;
  for (int i = 0; i < 5; ++i) threads.emplace_back([&] { event.wait(); });
  await_waiting(event, 25);
  event.set();
  for (Child& child : children) CHECK(child.succeeds());
  for (std::thread& thread : threads) thread.join();
  CHECK(event.waiting() == 0);
}

TEST_CASE("a set that is cleared at once wakes all who waited, each time") {
  const Segment segment = Segment::anonymous();
  const Event event(segment, "e");
  const shoal::Value<int> seen(segment, "seen");
  const shoal::Value<int> cleared(segment, "cleared");
  const int pulses = full_programme() ? 10'000 : 500;
  Child waiter(
      [&] {
        for (int i = 0; i < pulses; ++i) {
          event.wait();
          seen.fetch_add(1);
          while (cleared.load() <= i) ::sched_yield();  // else it may still be set
        }
      },
      60s);
  for (int i = 0; i < pulses; ++i) {
    await_waiting(event, 1);
    event.set();
    event.clear();
    cleared.store(i + 1);
    const auto end = std::chrono::steady_clock::now() + patient(10s);
    while (seen.load() != i + 1 && std::chrono::steady_clock::now() < end) ::sched_yield();
    REQUIRE(seen.load() == i + 1);
  }
  CHECK(waiter.succeeds());
}

TEST_CASE("a killed waiter changes nothing") {
  const Segment segment = Segment::anonymous();
  const Event event(segment, "e");
  Child victim([&] { event.wait(); });
  Child other([&] { event.wait(); });
  await_waiting(event, 2);
  victim.kill();
  await_waiting(event, 1);
  event.set();
  CHECK(other.succeeds());
}

namespace {

const Event* set_by_signal = nullptr;

}  // namespace

TEST_CASE("a signal handler may set it, also of a process that waits for it") {
  const Segment segment = Segment::anonymous();
  const Event event(segment, "e");
  Child waiter([&] {
    set_by_signal = &event;
    struct sigaction action {};
    action.sa_handler = [](int) { set_by_signal->set(); };
    ::sigaction(SIGUSR1, &action, nullptr);
    event.wait();
  });
  await_waiting(event, 1);
  ::kill(waiter.pid(), SIGUSR1);
  CHECK(waiter.succeeds());
  CHECK(event.is_set());
}

TEST_CASE("a signal that sets nothing does not end a wait") {
  const Segment segment = Segment::anonymous();
  const Event event(segment, "e");
  Child waiter([&] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    event.wait();
    return event.is_set();
  });
  await_waiting(event, 1);
  for (int i = 0; i < 20; ++i) ::kill(waiter.pid(), SIGUSR1);
  event.set();
  CHECK(waiter.succeeds());
}

TEST_CASE("a process with other addresses may set it") {
  TempName name;
  const Segment segment(name);
  const Event event(segment, "event");
  ExecChild child("event.set", name.str());
  event.wait();
  CHECK(child.succeeds());
}

TEST_SUITE_END();
