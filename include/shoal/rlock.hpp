// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "shoal/detail/deadline.hpp"
#include "shoal/detail/lock_handle.hpp"
#include "shoal/error.hpp"
#include "shoal/on_owner_death.hpp"
#include "shoal/open.hpp"
#include "shoal/segment.hpp"

namespace shoal {

// An RLock is held by one thread of one process at a time, which may lock it again; it is free when
// that thread has unlocked it as often as it locked it. It works with the std guards:
//
//   shoal::RLock lock(segment, "tree");
//   std::scoped_lock held(lock);
//   insert(lock, item);                        // which locks it once more
//
// It belongs to a thread: another thread, of this or any process, that unlocks it gets NotOwner. A
// thread that ends leaves it held, for as long as its process lives.
//
// Death: as for Lock: OwnerDied for every caller until one recovers it, however often its holder
// had locked it. After a fork the child holds nothing.
//
// Memory ordering: everything done before the last unlock(), or before its holder died, is visible
// to the next holder.
//
// Lifetime: a guard refers to the handle it was made from, and must not outlive it.
class RLock {
 public:
  // Throws as the constructor of Lock. The policy is the creator's.
  RLock(const Segment& segment, std::string_view name, Open open = Open::or_create,
        OnOwnerDeath on_owner_death = OnOwnerDeath::raise)
      : handle_(segment, name, detail::Kind::rlock, open, on_owner_death) {}
  RLock(const Segment& segment, std::string_view name, OnOwnerDeath on_owner_death)
      : RLock(segment, name, Open::or_create, on_owner_death) {}

  // Blocks until the lock is this thread's. Throws OwnerDied; std::overflow_error for the 2^32nd
  // time.
  void lock() const { lock_until(detail::kForever); }
  // False where another thread holds it. Throws OwnerDied.
  [[nodiscard]] bool try_lock() const { return lock_until(detail::kDoNotWait); }
  // False when the time is over. Zero, negative and NaN: as try_lock(). Throws OwnerDied.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> wait) const {
    return lock_until(detail::deadline_after(wait));
  }
  template <class Duration>
  [[nodiscard]] bool try_lock_until(
      std::chrono::time_point<std::chrono::steady_clock, Duration> time) const {
    return lock_until(detail::deadline_at(time));
  }
  // Throws NotOwner where this thread does not hold it; nothing has changed then.
  void unlock() const {
    if (!handle_.is_held_by_this_thread()) return handle_.refuse();
    const std::uint32_t depth = handle_.word().depth.load(std::memory_order_relaxed);
    if (depth > 1) return handle_.word().depth.store(depth - 1, std::memory_order_relaxed);
    handle_.give_back();
  }

  // Not free: held, or abandoned. A look, no more: it may have changed by now.
  [[nodiscard]] bool is_locked() const { return handle_.is_locked(); }
  // Who holds it, or died holding it; nothing where it is free.
  [[nodiscard]] std::optional<Owner> owner() const { return handle_.owner(); }
  [[nodiscard]] OnOwnerDeath on_owner_death() const { return handle_.on_owner_death(); }

  // As lock(), but takes an abandoned lock too; to unlock it then makes it sound.
  [[nodiscard]] std::unique_lock<const RLock> recover() const {
    static_cast<void>(take_over());
    return {*this, std::adopt_lock};
  }
  // Calls repair() holding the lock, and unlocks. If repair() throws, the lock is left as it was
  // found.
  template <class F>
  void recover(F&& repair) const {
    const detail::OwnerValue found = take_over();
    try {
      std::forward<F>(repair)();
    } catch (...) {
      leave(found);
      throw;
    }
    unlock();
  }
  // Holder only: was it abandoned when this holder took it?
  [[nodiscard]] bool inherited() const { return handle_.inherited(); }

 private:
  friend class Waitable;
  friend class Condition;
  [[nodiscard]] std::uint32_t depth() const {
    return handle_.word().depth.load(std::memory_order_relaxed);
  }
  // The depth is its holder's alone: relaxed.
  bool lock_until(detail::Deadline deadline) const {
    if (handle_.is_held_by_this_thread()) return lock_again();
    if (!handle_.take() && !handle_.take_until(deadline)) return false;
    handle_.word().depth.store(1, std::memory_order_relaxed);
    return true;
  }
  bool lock_again() const {
    const std::uint32_t depth = handle_.word().depth.load(std::memory_order_relaxed) + 1;
    if (depth == 0) detail::throw_too_deep();
    handle_.word().depth.store(depth, std::memory_order_relaxed);
    return true;
  }
  detail::OwnerValue take_over() const {
    if (handle_.is_held_by_this_thread()) return lock_again(), detail::kNobody;
    const detail::OwnerValue found = handle_.take_over();
    handle_.word().depth.store(1, std::memory_order_relaxed);
    return found;
  }
  // Makes it what take_over() found. Nothing where the repair has unlocked it, and be it another
  // thread's by now; nor in the child of one that forked.
  void leave(detail::OwnerValue found) const {
    if (!handle_.is_held_by_this_thread() && handle_.is_held()) return;
    if (found == detail::kNobody && handle_.is_held()) return unlock();
    handle_.leave(found);
  }

  detail::LockHandle handle_;
};

}  // namespace shoal
