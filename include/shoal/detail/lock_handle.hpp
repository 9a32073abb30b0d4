// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "shoal/detail/deadline.hpp"
#include "shoal/detail/lock_word.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/detail/pace.hpp"
#include "shoal/error.hpp"
#include "shoal/on_owner_death.hpp"
#include "shoal/open.hpp"

namespace shoal::detail {

// Throws std::overflow_error.
[[noreturn]] void throw_too_deep();

// What Lock and RLock have in common: a lock that belongs to a process.
class LockHandle {
 public:
  // Opens an object that is a lock, and nothing more.
  LockHandle(const Segment& segment, std::string_view name, Kind kind, Open open,
             OnOwnerDeath on_owner_death);
  // A lock that is part of an object.
  LockHandle(std::shared_ptr<const Object> object, LockWord& word);

  [[nodiscard]] LockWord& word() const { return *handle_.word; }
  [[nodiscard]] const Object& object() const { return *handle_.object; }
  [[nodiscard]] OwnerValue self() const { return handle_.self(); }

  // Takes it, where one CAS does, and nothing has been learned about the time for it.
  [[nodiscard]] bool take() const {
    const std::uint32_t tid = this_tid;
    const OwnerValue me = self();
    if (tid == 0 || pace_.is_known() || !take_if_free(word(), me)) return false;
    note_holder(word(), tid, me);
    return true;
  }
  // Takes it, in any case. False at the deadline. Throws OwnerDied.
  bool take_until(Deadline deadline) const;
  // The same, abandoned or not, for ever. The abandoned value it had; kNobody where it was free.
  [[nodiscard]] OwnerValue take_over() const;

  // Requires: held by this process.
  void give_back() const {
    if (self() == kNobody) return give_back_slow();
    if (release(word())) wake();
  }
  // Makes it what take_over() found. Nothing where this process does not hold it: the child of one
  // that forked while it did, or one that has unlocked it since.
  void leave(OwnerValue found) const;

  // Where this process held it before a fork, forgets that; else throws NotOwner.
  void refuse() const;

  [[nodiscard]] bool is_held() const {
    const OwnerValue me = self();
    return me != kNobody ? is_held_by(word(), me) : is_held_slow();
  }
  [[nodiscard]] bool is_held_by_this_thread() const {
    return is_held() && holder_tid(word().holder.load(std::memory_order_relaxed)) == this_tid;
  }
  [[nodiscard]] bool is_locked() const;
  [[nodiscard]] std::optional<Owner> owner() const;
  [[nodiscard]] OnOwnerDeath on_owner_death() const;
  [[nodiscard]] bool inherited() const;

  // Throws OwnerDied where nobody holds it because its holder died.
  void throw_if_abandoned() const {
    const OwnerValue seen = word().owner.load(std::memory_order_relaxed);
    if (seen != kNobody && seen != self()) throw_if_dead(seen);
  }

 private:
  [[nodiscard]] bool take_in_time(Deadline deadline) const;
  [[nodiscard]] bool is_held_slow() const;
  void give_back_slow() const;
  void wake() const;
  void throw_if_dead(OwnerValue seen) const;

  Handle<LockWord> handle_;
  mutable Pace pace_;
};

}  // namespace shoal::detail
