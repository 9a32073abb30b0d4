// SPDX-License-Identifier: MIT
#pragma once

// Small programs around a lock, for the scheduler: the production core, in a simulated world.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/lock.hpp"
#include "shoal/detail/lock_word.hpp"
#include "shoal/detail/owner_value.hpp"
#include "shoal/detail/pace.hpp"
#include "support/scheduler.hpp"

namespace shoal_test {

using shoal::core::Abandoned;
using shoal::core::LockOutcome;
using shoal::detail::Deadline;
using shoal::detail::Facts;
using shoal::detail::kForever;
using shoal::detail::kNobody;
using shoal::detail::Mutant;
using shoal::detail::OwnerValue;
using shoal::detail::Pace;

// A lock and what it protects. Two relaxed numbers, which whoever holds the lock makes different
// and then equal again: somebody else inside, or a section not seen whole, shows. `Late`: everybody
// has learned to come later; no time passes meanwhile.
template <Mutant M, bool Late = false>
class Guarded {
 public:
  class World : public SimWorld<M> {
   public:
    using Atomics = SimWorld<M>;
    static constexpr int kRests = Late ? 1 : 0;
    std::uint64_t ticks() { return ticks_ += Pace::kLongestWait; }
    void rest() {}

   private:
    std::uint64_t ticks_ = 0;
  };
  template <class T>
  using Atomic = SimAtomic<T>;

  static OwnerValue owner(int participant) {
    return shoal::detail::owner_value(static_cast<std::uint32_t>(participant), 7);
  }

  Guarded() {
    for (Pace& pace : paces_)
      while (Late && pace.wait() == 0) pace.found_held();
  }

  // As the handle does: the fast path, else the slow one.
  LockOutcome take(World& world, OwnerValue me, Deadline deadline = kForever) {
    constexpr std::uint32_t kTid = 1;
    Pace& pace = paces_[shoal::detail::record_of(me)];
    if (pace.is_known() ? shoal::core::take_in_time(world, word, pace, me, deadline)
                        : shoal::detail::take_if_free(word, me)) {
      shoal::detail::note_holder(word, kTid, me);
      return LockOutcome::taken;
    }
    const auto result = shoal::core::lock(world, word, pace, me, deadline);
    if (result.outcome == LockOutcome::abandoned) check_obituary(world, result.found);
    if (result.outcome == LockOutcome::taken || result.outcome == LockOutcome::inherited)
      shoal::detail::note_holder(word, kTid, me);
    return result.outcome;
  }

  // As take(), and recovers where the lock is abandoned.
  LockOutcome take_over(World& world, OwnerValue me) {
    const LockOutcome outcome = take(world, me);
    if (outcome == LockOutcome::abandoned) {
      shoal::core::lock(world, word, me, kForever, Abandoned::is_taken);
      shoal::detail::note_holder(word, 1, me);
    }
    const OwnerValue held = word.owner.load(std::memory_order_relaxed);
    if (shoal::detail::owner_of(held) != me) world.fail("does not hold what it took");
    return shoal::detail::is_inherited(held) ? LockOutcome::inherited : LockOutcome::taken;
  }

  void give_back(World& world, OwnerValue me) {
    if (!shoal::detail::is_held_by(word, me)) world.fail("does not hold what it gives back");
    shoal::core::unlock(world, word);
  }

  // What is done under the lock. Only what died in the middle of it may leave it half done.
  void section(World& world, LockOutcome outcome) {
    const int begun = begun_.load(std::memory_order_relaxed);
    const int ended = ended_.load(std::memory_order_relaxed);
    if (begun != ended && outcome != LockOutcome::inherited)
      world.fail("a section was not seen whole, or somebody else is inside");
    begun_.store(ended + 1, std::memory_order_relaxed);
    ended_.store(ended + 1, std::memory_order_relaxed);
  }

  int sections() const { return ended_.load(); }
  bool is_free() const { return word.owner.load() == kNobody; }

  shoal::detail::BasicLockWord<SimWorld<M>> word;

 private:
  static constexpr std::size_t kMost = 3;

  // Holds as long as nobody else dies: the models kill once.
  void check_obituary(World& world, OwnerValue found) {
    const OwnerValue dead = shoal::detail::owner_of(found);
    const auto facts = shoal::core::read_obituary(word.obituary, dead);
    if (!facts || facts->words[0] != static_cast<std::uint32_t>(dead))
      world.fail("told of a death, but not whose");
  }

  std::array<Pace, kMost> paces_;
  Atomic<int> begun_{};
  Atomic<int> ended_{};
};

// Each participant takes the lock so many times. With `inherits`, who dies is not told of.
template <Mutant M, int Participants, int Rounds, bool Inherits = false, bool Late = false>
struct Contenders : Guarded<M, Late> {
  using Base = Guarded<M, Late>;
  using World = typename Base::World;
  static constexpr int kParticipants = Participants;

  Contenders() { this->word.inherits.store(Inherits); }

  void participant(World& world, int number) {
    const OwnerValue me = Base::owner(number);
    for (int round = 0; round < Rounds; ++round) {
      const LockOutcome outcome = this->take_over(world, me);
      if (outcome != LockOutcome::taken && outcome != LockOutcome::inherited)
        world.fail("waited for ever, and does not hold it");
      this->section(world, outcome);
      this->give_back(world, me);
    }
  }

  std::string check(const Outcome& outcome) const {
    if (outcome.kills == 0 && !this->is_free()) return "everybody has left, and it is held";
    const int all = Participants * Rounds;
    const int sections = this->sections();
    const bool plausible = sections <= all && sections >= all - outcome.kills * Rounds;
    return plausible ? ""
                     : std::to_string(sections) + " sections are left of " + std::to_string(all);
  }
};

}  // namespace shoal_test
