// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "shoal/detail/deadline.hpp"
#include "shoal/detail/lock_word.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/error.hpp"
#include "shoal/open.hpp"
#include "shoal/segment.hpp"
#include "shoal/shareable.hpp"

namespace shoal {

// What happens to a lock whose holder dies: `raise` tells every caller until one recovers it,
// `inherit` gives it to the next caller, whose inherited() is then true.
enum class OnOwnerDeath { raise, inherit };

// A Lock is held by one process at a time. It works with the std guards:
//
//   shoal::Lock lock(segment, "jobs");
//   std::scoped_lock held(lock);
//
// It belongs to a process: any of its threads may unlock it, and a thread that ends leaves it
// held. It is not recursive. It is not fair, but nobody starves: who has waited too long goes
// first.
//
// Death: if the process holding it dies, lock() and its kin throw OwnerDied, not holding, for
// every caller, until one calls recover() and makes sound again what the lock protects:
//
//   try { lock.lock(); }
//   catch (const shoal::OwnerDied& died) { auto held = lock.recover(); ...repair... }
//
// A process that dies while it recovers leaves the lock abandoned again. After a fork the child
// holds nothing: to unlock there what the parent had locked does nothing.
//
// Memory ordering: everything done before unlock(), or before its holder died, is visible to the
// next holder.
//
// Lifetime: a guard refers to the handle it was made from, and must not outlive it.
class Lock {
 public:
  // Throws InvalidName, AlreadyExists, NotFound, TypeMismatch, Corrupted, NoSpace. The policy is
  // the creator's and is kept with the lock.
  Lock(const Segment& segment, std::string_view name, Open open = Open::or_create,
       OnOwnerDeath on_owner_death = OnOwnerDeath::raise);
  Lock(const Segment& segment, std::string_view name, OnOwnerDeath on_owner_death);

  // Blocks until the lock is this process's. Throws OwnerDied.
  void lock() const {
    if (!take()) lock_slow();
  }
  // False where somebody alive holds it. Throws OwnerDied.
  [[nodiscard]] bool try_lock() const { return take() || lock_until(detail::kDoNotWait); }
  // False when the time is over. Zero, negative and NaN: as try_lock(). Throws OwnerDied.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> wait) const {
    return take() || lock_until(detail::deadline_after(wait));
  }
  template <class Duration>
  [[nodiscard]] bool try_lock_until(
      std::chrono::time_point<std::chrono::steady_clock, Duration> time) const {
    return take() || lock_until(detail::deadline_at(time));
  }
  // Throws NotOwner where this process does not hold it; nothing has changed then.
  void unlock() const {
    if (!detail::is_held_by(*word_, self())) return unlock_slow();
    if (detail::release(*word_)) wake();
  }

  // Not free: held, or abandoned. A look, no more: it may have changed by now.
  [[nodiscard]] bool is_locked() const;
  // Who holds it, or died holding it; nothing where it is free.
  [[nodiscard]] std::optional<Owner> owner() const;
  [[nodiscard]] OnOwnerDeath on_owner_death() const;

  // As lock(), but takes an abandoned lock too; to unlock it then makes it sound. Of two that
  // recover at once, one sees inherited().
  [[nodiscard]] std::unique_lock<const Lock> recover() const;
  // Calls repair() holding the lock, and unlocks. If repair() throws, the lock is left as it was
  // found: abandoned again, or free.
  template <class F>
  void recover(F&& repair) const {
    const detail::OwnerValue dead = take_over();
    try {
      std::forward<F>(repair)();
    } catch (...) {
      leave(dead);
      throw;
    }
    unlock();
  }
  // Holder only: was it abandoned when this holder took it?
  [[nodiscard]] bool inherited() const;

 private:
  template <Shareable T>
  friend class Value;
  // A lock that is part of another object.
  Lock(std::shared_ptr<const detail::Object> object, detail::LockWord& word);

  detail::OwnerValue self() const { return self_->load(std::memory_order_relaxed); }
  bool take() const {
    const std::uint32_t tid = detail::this_tid;
    const detail::OwnerValue me = self();
    if (tid == 0 || !detail::take_if_free(*word_, me)) return false;
    detail::note_holder(*word_, tid, me);
    return true;
  }
  void lock_slow() const;
  bool lock_until(detail::Deadline deadline) const;
  void unlock_slow() const;
  void wake() const;
  detail::OwnerValue take_over() const;
  void leave(detail::OwnerValue dead) const;
  void throw_if_abandoned() const {
    const detail::OwnerValue seen = word_->owner.load(std::memory_order_relaxed);
    if (seen != detail::kNobody && seen != self()) throw_if_dead(seen);
  }
  void throw_if_dead(detail::OwnerValue seen) const;

  detail::LockWord* word_;
  const std::atomic<detail::OwnerValue>* self_;  // this process's value; 0: take the slow path
  std::shared_ptr<const detail::Object> object_;
};

}  // namespace shoal
