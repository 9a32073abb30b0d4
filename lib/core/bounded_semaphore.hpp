// SPDX-License-Identifier: MIT
#pragma once

// A semaphore that knows who holds its permits; its words are in shoal/detail/bounded_word.hpp.
//
// All changes are made under the inner lock, which nobody holds for longer than a few instructions.
// What each of them leaves behind when its process is killed right after it:
//
//   mine + 1 or - n    count is wrong, and the lock has died with its holder: who inherits it works
//                      count out anew. The permits of the dead are taken back in any case.
//   count              the same
//
// Everything here is relaxed but the lock: it orders what is done under it. Memory ordering for
// users: who acquires took the lock after who released.

#include <atomic>
#include <cstdint>
#include <span>

#include "core/lock.hpp"
#include "core/wait.hpp"
#include "shoal/detail/bounded_word.hpp"

namespace shoal::core {

template <class World>
class BoundedSemaphore {
 public:
  using Word = detail::BasicBoundedWord<typename World::Atomics>;
  using Held = detail::BasicHeldPermits<typename World::Atomics>;

  BoundedSemaphore(World& world, Word& word, std::span<Held> held, OwnerValue me)
      : world_(world), word_(word), held_(held), me_(me) {}

  // Takes a permit. False at the deadline. A close look goes behind `count`, which is wrong where
  // somebody died over it.
  bool acquire(Deadline deadline) {
    const bool acquired = core::wait(world_, word_.sleepers, deadline, [&](Glance glance) {
      if (glance == Glance::quick && available() == 0) return Look::wait;
      return take_one() ? Look::done : Look::wait;
    });
    pass_on(world_, word_.sleepers, available() > 0);  // as core::acquire() does
    return acquired;
  }

  // Gives n back. False where this process does not hold as many: nothing has changed.
  bool release(int n) {
    {
      const Guard guard(*this);
      Held& mine = take_place();
      const int permits = mine.permits.load(std::memory_order_relaxed);
      if (permits < n) return false;
      mine.permits.store(permits - n, std::memory_order_relaxed);
      word_.count.store(sum(available(), n), std::memory_order_relaxed);
    }
    // M1: the lock's release is behind count; the sleeper's membarrier is for both.
    if ((word_.sleepers.load(std::memory_order_seq_cst) & detail::kSomebodySleeps) != 0)
      core::wake(world_, word_.sleepers, n);
    return true;
  }

  // How many are free, those of the dead included.
  int value() {
    const Guard guard(*this);
    take_back();
    return available();
  }

  int held_by_me() const {
    const Held& mine = held_[detail::record_of(me_)];
    return mine.owner.load(std::memory_order_relaxed) == me_
               ? mine.permits.load(std::memory_order_relaxed)
               : 0;
  }

 private:
  // The inner lock, for as long as it lives; what it guards is sound.
  class Guard {
   public:
    explicit Guard(BoundedSemaphore& semaphore) : semaphore_(semaphore) {
      if (!detail::take_if_free(semaphore.word_.lock, semaphore.me_) &&
          lock(semaphore.world_, semaphore.word_.lock, semaphore.me_, detail::kForever).outcome ==
              LockOutcome::inherited)
        semaphore.count_anew();
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { unlock(semaphore_.world_, semaphore_.word_.lock); }

   private:
    BoundedSemaphore& semaphore_;
  };

  int available() const { return word_.count.load(std::memory_order_relaxed); }

  // Wraps: what stands in shared memory may be anything.
  static int sum(int first, int second) {
    return static_cast<int>(static_cast<unsigned>(first) + static_cast<unsigned>(second));
  }

  bool take_one() {
    const Guard guard(*this);
    if (available() == 0) take_back();
    Held& mine = take_place();
    if (available() == 0) return false;
    mine.permits.store(sum(mine.permits.load(std::memory_order_relaxed), 1),
                       std::memory_order_relaxed);
    word_.count.store(sum(available(), -1), std::memory_order_relaxed);
    return true;
  }

  // This process's place; what an earlier user of it held is taken back.
  Held& take_place() {
    Held& mine = held_[detail::record_of(me_)];
    if (mine.owner.load(std::memory_order_relaxed) != me_) {
      mine.permits.store(0, std::memory_order_relaxed);
      mine.owner.store(me_, std::memory_order_relaxed);
      count_anew();
    }
    return mine;
  }

  bool is_dead(const Held& held) {
    const OwnerValue owner = held.owner.load(std::memory_order_relaxed);
    return held.permits.load(std::memory_order_relaxed) > 0 && owner != me_ && !world_.alive(owner);
  }
  void take_back() {
    for (Held& held : held_)
      if (is_dead(held)) held.permits.store(0, std::memory_order_relaxed);
    count_anew();
  }
  void count_anew() {
    int taken = 0;
    for (const Held& held : held_) taken = sum(taken, held.permits.load(std::memory_order_relaxed));
    const auto bound = static_cast<unsigned>(word_.bound.load(std::memory_order_relaxed));
    word_.count.store(static_cast<int>(bound - static_cast<unsigned>(taken)),
                      std::memory_order_relaxed);
  }

  World& world_;
  Word& word_;
  std::span<Held> held_;
  const OwnerValue me_;
};

}  // namespace shoal::core
