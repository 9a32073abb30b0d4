// SPDX-License-Identifier: MIT
//
// The lock with threads as participants on one mapping: what ThreadSanitizer can see. What the
// lock protects are plain variables here; a missing release or acquire is a data race on them.

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/lock.hpp"
#include "os/cpu.hpp"
#include "os/futex.hpp"
#include "shoal/detail/lock_word.hpp"

namespace {

using shoal::core::Abandoned;
using shoal::core::LockOutcome;
using shoal::detail::Deadline;
using shoal::detail::Facts;
using shoal::detail::kForever;
using shoal::detail::LockWord;
using shoal::detail::OwnerValue;

constexpr int kMost = 8;

// Each thread is a process of its own, which is dead once it says so: as the kernel would, after
// all that it did.
class Threads : public shoal::detail::MachineAtomics {
 public:
  using Atomics = MachineAtomics;
  static constexpr int kLooks = 10;
  static constexpr int kYields = 2;
  static constexpr int kLooksAfterYield = 2;
  static constexpr int kRests = 0;
  static constexpr bool kTakesTurns = false;
  static constexpr std::uint64_t kPatience = 2000 * shoal::os::kLeastTicksPerMicrosecond;

  static OwnerValue owner(int number) {
    return shoal::detail::owner_value(static_cast<std::uint32_t>(number), 1);
  }
  void die(int number) {
    dead_[static_cast<std::size_t>(number)].store(true, std::memory_order_release);
  }

  static std::int64_t now() { return shoal::detail::steady_now(); }
  static std::uint64_t ticks() { return shoal::os::ticks(); }
  static void pause() { shoal::os::pause(); }
  static void yield() { shoal::os::yield(); }
  static bool barrier() { return shoal::os::membarrier(); }
  static void sleep(Atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t length) {
    shoal::os::futex_wait(word, expected, length);
  }
  static void wake(Atomic<std::uint32_t>& word, int count) { shoal::os::futex_wake(word, count); }
  static bool is_reached() { return true; }
  static void fence() {}
  static void begin_wait() {}
  static void end_wait() {}
  bool alive(OwnerValue owner) {
    return !dead_[shoal::detail::record_of(owner)].load(std::memory_order_acquire);
  }
  static Facts facts(OwnerValue owner) {
    Facts facts;
    facts.words.fill(static_cast<std::uint32_t>(owner));
    return facts;
  }

 private:
  std::array<std::atomic<bool>, kMost> dead_{};
};

struct Scene {
  Scene() { shoal::os::register_for_membarrier(); }

  Threads world;
  LockWord word{};
  std::int64_t count = 0;  // guarded by word
  int recoveries = 0;      // guarded by word

  LockOutcome take(OwnerValue me, Deadline deadline = kForever) {
    if (shoal::detail::take_if_free(word, me)) {
      shoal::detail::note_holder(word, 1, me);
      return LockOutcome::taken;
    }
    auto result = shoal::core::lock(world, word, me, deadline);
    if (result.outcome == LockOutcome::abandoned)
      result = shoal::core::lock(world, word, me, deadline, Abandoned::is_taken);
    if (result.outcome == LockOutcome::taken) shoal::detail::note_holder(word, 1, me);
    return result.outcome;
  }
  void give_back() { shoal::core::unlock(world, word); }
};

}  // namespace

TEST_SUITE_BEGIN("Lock between threads");

TEST_CASE("what one holder did, the next one sees") {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  Scene scene;
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number)
    threads.emplace_back([&scene, number] {
      for (int round = 0; round < kRounds; ++round) {
        scene.take(Threads::owner(number));
        ++scene.count;
        scene.give_back();
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(scene.count == std::int64_t{kThreads} * kRounds);
}

TEST_CASE("who recovers a lock sees what its dead holder did") {
  constexpr int kThreads = 6;
  constexpr int kRounds = 500;
  Scene scene;
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number)
    threads.emplace_back([&scene, number] {
      const bool dies = number % 2 == 1;
      for (int round = 0; round < kRounds; ++round) {
        if (scene.take(Threads::owner(number)) == LockOutcome::inherited) ++scene.recoveries;
        ++scene.count;
        if (dies && round == kRounds / 2) return scene.world.die(number);
        scene.give_back();
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(scene.count == 3 * kRounds + 3 * (kRounds / 2 + 1));
  CHECK(scene.recoveries >= 2);  // the last to die may have nobody after it
}

TEST_CASE("a timed wait ends without the lock, and leaves it to the others") {
  constexpr int kThreads = 4;
  Scene scene;
  scene.take(Threads::owner(kThreads));
  std::atomic<int> timed_out = 0;
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number)
    threads.emplace_back([&scene, &timed_out, number] {
      const Deadline soon = Threads::now() + shoal::core::kMillisecond;
      if (scene.take(Threads::owner(number), soon) == LockOutcome::timed_out) ++timed_out;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(timed_out == kThreads);
  scene.give_back();
  CHECK(scene.take(Threads::owner(0), shoal::detail::kDoNotWait) == LockOutcome::taken);
}

TEST_SUITE_END();
