// SPDX-License-Identifier: MIT
#pragma once

// The one wait of the library: every blocking call of every type ends up here.
//
//   sleepers    meaning                                       who may change it
//   bit 0       somebody may sleep: wake after the next       a sleeper, to 1; a waker, to 0
//               change                                        before it wakes
//   bits 1-31   epoch: how often that has been                a waker, + 1 as it clears bit 0
//
// Bit 0 is a flag, not a count: a killed sleeper costs one needless wake, not one per change for
// ever. The epoch is for the sleeper that has looked, and not slept yet, when a waker comes:
// another one that is awake may raise the flag again, and with the flag alone it would sleep
// through.
//
//   waker:    change the state;  if (flag) { flag = 0, epoch + 1;  wake }
//   sleeper:  flag = 1;  barrier;  look at the state;  sleep while nothing has changed;  look again
//
// M1 -> M2: the waker stores the state, then loads the flag; the sleeper stores the flag, then
// loads the state. At least one must see the other's store, else the wake is lost. On this path
// the waker pays for no fence: the sleeper's barrier() is a membarrier, which puts one between the
// waker's two accesses wherever it has got to. (Asymmetric Dekker synchronisation: Dice, Huang and
// Yang, "Asymmetric Dekker Synchronization", 2001.)
//
// Two wakers may store the same epoch, and one of them wipe out a flag raised in between: each goes
// on to wake, and who is woken raises the flag again.
//
// Death: every sleep ends by itself after a slice of at most 100 ms, and is followed by a close
// look, which also asks whether the one waited for is alive. That covers a waker killed between
// its store and its wake, a woken sleeper killed before it could act, and a dead owner.

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/world.hpp"
#include "shoal/detail/machine.hpp"

namespace shoal::core {

// What a look at the state found.
enum class Look {
  done,          // what was waited for has come
  wait,          // not yet: a change will come with a wake
  wait_briefly,  // not yet, and without a wake perhaps: look again within a millisecond
};

// How closely to look: `closely` includes system calls, such as asking whether an owner is alive;
// after the `last` look, a close one, the caller gives up.
enum class Glance { quick, closely, last };

inline constexpr std::int64_t kSlices[] = {2, 5, 10, 20, 50, 100};  // milliseconds
inline constexpr std::int64_t kSliceWithoutBarrier = 10 * kMillisecond;

inline std::int64_t slice_length(int slice) {
  constexpr int last = static_cast<int>(std::size(kSlices)) - 1;
  return kSlices[std::min(slice, last)] * kMillisecond;
}

// Says that somebody may sleep. Returns the value to sleep on.
template <class World>
std::uint32_t announce(typename World::template Atomic<std::uint32_t>& sleepers) {
  // Relaxed: ordered before the look that matters by barrier(). Where a look ends the wait without
  // one, it is this process's own later release that must see the flag.
  return sleepers.fetch_or(detail::kSomebodySleeps, std::memory_order_relaxed) |  // M2
         detail::kSomebodySleeps;
}

// Wakes sleepers after a change, where the flag says that there may be some.
template <class World>
void wake(World& world, typename World::template Atomic<std::uint32_t>& sleepers, int count) {
  // Relaxed: the wake itself is a system call, which orders it before whoever it wakes.
  if constexpr (World::kMutant != Mutant::sleepers_never_cleared) {
    const std::uint32_t seen = sleepers.load(std::memory_order_relaxed);
    constexpr std::uint32_t epoch = World::kMutant == Mutant::epoch_forgotten ? 0 : 2;
    sleepers.store((seen & ~detail::kSomebodySleeps) + epoch, std::memory_order_relaxed);
  }
  world.wake(sleepers, count);
}

// Wakes one more sleeper, where there are any, and something is left for it.
template <class World>
void pass_on(World& world, typename World::template Atomic<std::uint32_t>& sleepers,
             bool something_is_left) {
  if (something_is_left &&
      (sleepers.load(std::memory_order_relaxed) & detail::kSomebodySleeps) != 0)
    core::wake(world, sleepers, 1);
}

// To be called by who has found nothing of what comes in a stream, after so many that were there at
// once. Each look at where the next one will be takes its cache line from whoever is writing it,
// who then waits for it to come back: where more are coming, better one look at many than a look at
// each. Who gives and takes single things to and fro is not kept waiting.
//
// `has_grown`: whether many are there, by a look at where nobody is at work yet. Else, and at most, some
// 3 us, in which 100 to 300 items of 8 bytes come.
template <class World, class HasGrown>
void let_burst_grow(World& world, std::uint64_t burst, HasGrown has_grown) {
  constexpr std::uint64_t kBurst = 16;
  constexpr int kPause = 25;  // rests
  if constexpr (World::kRests > 0)
    for (int i = 0; burst >= kBurst && i < kPause && !has_grown(); ++i) world.rest();
}

// Whether who waits yields before it sleeps: to whoever needs the CPU to bring what is waited for. Who
// yields is asked to come back when all others have had a time slice; who sleeps, when it is woken.
enum class Yields { some, none };

// Looks a bounded number of times without sleeping. True: done. Several times after each yield, where
// others take and give in turns: a yield may cost a time slice, and a single look at that moment may
// find it theirs again and again.
template <Yields yields, class World, class Looker>
bool spin(World& world, Looker& look) {
  constexpr int kYields = yields == Yields::some ? World::kYields : 0;
  constexpr int kAll = World::kLooks + kYields * World::kLooksAfterYield;
  for (int i = 1; i <= kAll; ++i) {
    if (look(Glance::quick) == Look::done) return true;
    if (i >= World::kLooks && i < kAll && (i - World::kLooks) % World::kLooksAfterYield == 0)
      world.yield();
    else
      world.pause();
  }
  return false;
}

// Sleeps in slices until a look is done (true) or the deadline has passed (false).
template <class World, class Looker, class BeforeSleep>
bool sleep_until(World& world, typename World::template Atomic<std::uint32_t>& sleepers,
                 Deadline deadline, Looker& look, BeforeSleep& before_sleep) {
  constexpr Mutant mutant = World::kMutant;
  for (int slice = 0;; ++slice) {
    const bool woken = slice > 0;
    std::uint32_t announced = 0;
    if (mutant != Mutant::announce_after_looking &&
        !(woken && mutant == Mutant::woken_does_not_announce))
      announced = announce<World>(sleepers);
    if (woken && mutant != Mutant::slice_without_a_look && look(Glance::closely) == Look::done)
      return true;
    if constexpr (mutant == Mutant::woken_does_not_announce) announced = announce<World>(sleepers);
    const bool reached = mutant == Mutant::no_membarrier || world.barrier();  // M1 -> M2
    const Look seen =
        woken && mutant == Mutant::slice_without_a_look ? Look::wait : look(Glance::closely);
    if (seen == Look::done) return true;
    const std::int64_t now = deadline == detail::kForever ? 0 : world.now();
    if (now >= deadline) return look(Glance::last) == Look::done;
    if constexpr (mutant == Mutant::announce_after_looking) announced = announce<World>(sleepers);
    std::int64_t length = seen == Look::wait_briefly ? kMillisecond : slice_length(slice);
    if (!reached) length = std::min(length, kSliceWithoutBarrier);
    length = std::min(length, deadline - now);
    before_sleep(length);
    world.sleep(sleepers, announced, length);
  }
}

struct Nothing {
  void operator()(std::int64_t /*nanoseconds*/) const {}
};

// Waits until look(Glance) returns Look::done, or the deadline has passed: then false.
// before_sleep(nanoseconds) is told how long each sleep will be at most.
template <Yields yields = Yields::some, class World, class Looker, class BeforeSleep = Nothing>
bool wait(World& world, typename World::template Atomic<std::uint32_t>& sleepers, Deadline deadline,
          Looker look, BeforeSleep before_sleep = {}) {
  if (deadline == detail::kDoNotWait) return look(Glance::last) == Look::done;
  if (spin<yields>(world, look)) return true;
  world.begin_wait();
  const bool done = sleep_until(world, sleepers, deadline, look, before_sleep);
  world.end_wait();
  return done;
}

}  // namespace shoal::core
