// SPDX-License-Identifier: MIT
#pragma once

// Who has popped an item of a JoinableQueue and is not done with it; the words are in
// shoal/detail/join_word.hpp.
//
// What each step of a pop leaves behind when its process is killed right after it, holding the
// lock:
//
//   taker, held        nothing
//   pending            the next to have the lock looks whether the head has passed that position:
//                      if not, nothing
//   the ring's claim   if so, it writes `held` into the account, as the dead one would have
//   counts             the same, once more
//   pending = 0        the account of a dead process: what it holds is lost
//
// The ring's slot is mended by whoever is held up by it, as ever.
//
// Everything here is relaxed but the lock, and what a kill must not find the other way round: a
// kill does not reorder stores, but the compiler might, and who inherits the lock must find them.

#include <atomic>
#include <cstdint>
#include <span>

#include "core/lock.hpp"
#include "core/ring.hpp"
#include "core/wait.hpp"
#include "shoal/detail/join_word.hpp"

namespace shoal::core {

template <class World>
class Joinable {
 public:
  using Word = detail::BasicJoinWord<typename World::Atomics>;
  using Account = detail::BasicAccount<typename World::Atomics>;

  Joinable(World& world, Word& word, std::span<Account> accounts, Ring<World>& ring, OwnerValue me)
      : world_(world), word_(word), accounts_(accounts), ring_(ring), me_(me) {}

  // As Ring::claim_pop(), and counts the item as this process's.
  RingOutcome claim_pop(std::uint64_t& position, Deadline deadline) {
    return ring_.claim_pop(position, deadline, [&](std::uint64_t& claimed) {
      const Guard guard(*this);
      Account& mine = my_account();
      const std::uint64_t counts = mine.counts.load(std::memory_order_relaxed) + 1;
      const auto note = [&](std::uint64_t at) {
        word_.taker.store(static_cast<std::uint64_t>(&mine - accounts_.data()),
                          std::memory_order_relaxed);
        word_.held.store(counts, std::memory_order_relaxed);
        word_.pending.store(at + 1, std::memory_order_release);
      };
      constexpr bool late = World::kMutant == Mutant::pending_after_claim;
      const bool popped = ring_.pop_alone(claimed, [&](std::uint64_t at) {
        if (!late) note(at);
      });
      if (late && popped) note(claimed);
      if (popped) mine.counts.store(counts, std::memory_order_release);
      word_.pending.store(0, std::memory_order_release);
      return popped;
    });
  }

  // False where this process has nothing to be done with.
  bool task_done() {
    {
      const Guard guard(*this);
      Account& mine = my_account();
      const std::uint64_t counts = mine.counts.load(std::memory_order_relaxed);
      if (detail::counts_in(counts).held == 0) return false;
      mine.counts.store(counts - 1, std::memory_order_relaxed);
    }
    // M1: the lock's release is behind the count; the sleeper's membarrier is for both.
    if ((word_.joiners.load(std::memory_order_seq_cst) & detail::kSomebodySleeps) != 0)
      core::wake(world_, word_.joiners, kEverybody);
    return true;
  }

  // Waits until every item that was pushed has been popped and is done with, or lost. False at the
  // deadline.
  bool join(Deadline deadline) {
    return core::wait(world_, word_.joiners, deadline,
                      [&](Glance glance) { return is_done(glance) ? Look::done : Look::wait; });
  }

  std::uint64_t lost() {
    const Guard guard(*this);
    std::uint64_t lost = 0;
    for (Account& account : accounts_) {
      settle(account);
      lost += detail::counts_in(account.counts.load(std::memory_order_relaxed)).lost;
    }
    return lost;
  }

 private:
  // The inner lock, for as long as it lives; what it guards is sound.
  class Guard {
   public:
    explicit Guard(Joinable& joinable) : joinable_(joinable) {
      if (!detail::take_if_free(joinable.word_.lock, joinable.me_))
        static_cast<void>(
            lock(joinable.world_, joinable.word_.lock, joinable.me_, detail::kForever));
      joinable.finish_pending();
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { unlock(joinable_.world_, joinable_.word_.lock); }

   private:
    Joinable& joinable_;
  };

  // What a dead holder was popping.
  void finish_pending() {
    const std::uint64_t pending = word_.pending.load(std::memory_order_relaxed);
    if (pending == 0) return;
    const std::uint64_t taker = word_.taker.load(std::memory_order_relaxed);
    if (taker < accounts_.size() && ring_.has_been_popped(pending - 1))
      accounts_[taker].counts.store(word_.held.load(std::memory_order_relaxed),
                                    std::memory_order_relaxed);
    word_.pending.store(0, std::memory_order_release);
  }

  Account& my_account() {
    Account& mine = accounts_[detail::record_of(me_)];
    if (mine.owner.load(std::memory_order_relaxed) != me_) {
      settle(mine);
      mine.owner.store(me_, std::memory_order_release);
    }
    return mine;
  }

  // What a dead process held is lost.
  void settle(Account& account) {
    const OwnerValue owner = account.owner.load(std::memory_order_relaxed);
    const auto [held, lost] = detail::counts_in(account.counts.load(std::memory_order_relaxed));
    if (held > 0 && owner != me_ && !world_.alive(owner))
      account.counts.store(detail::counts_word({0, lost + held}), std::memory_order_release);
  }

  bool is_done(Glance glance) {
    if (glance == Glance::quick && ring_.size() != 0) return false;
    const Guard guard(*this);
    if (ring_.size() != 0) return false;
    for (Account& account : accounts_) {
      if (glance != Glance::quick) settle(account);
      if (detail::counts_in(account.counts.load(std::memory_order_relaxed)).held != 0) return false;
    }
    return true;
  }

  World& world_;
  Word& word_;
  const std::span<Account> accounts_;
  Ring<World>& ring_;
  const OwnerValue me_;
};

}  // namespace shoal::core
