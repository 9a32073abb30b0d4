// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
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
#include "shoal/shareable.hpp"

namespace shoal {

// A Lock is held by one process at a time. It works with the std guards:
//
//   shoal::Lock lock(segment, "jobs");
//   std::scoped_lock held(lock);
//
// It belongs to a process: any of its threads may unlock it, and a thread that ends leaves it
// held. It is not recursive. It is not fair, but nobody starves: who has waited too long goes
// first, and where those who wait share a CPU, they take turns on it.
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
       OnOwnerDeath on_owner_death = OnOwnerDeath::raise)
      : handle_(segment, name, detail::Kind::lock, open, on_owner_death) {}
  Lock(const Segment& segment, std::string_view name, OnOwnerDeath on_owner_death)
      : Lock(segment, name, Open::or_create, on_owner_death) {}

  // Blocks until the lock is this process's. Throws OwnerDied.
  void lock() const {
    if (!handle_.take()) handle_.take_until(detail::kForever);
  }
  // False where somebody alive holds it. Throws OwnerDied.
  [[nodiscard]] bool try_lock() const {
    return handle_.take() || handle_.take_until(detail::kDoNotWait);
  }
  // False when the time is over. Zero, negative and NaN: as try_lock(). Throws OwnerDied.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> wait) const {
    return handle_.take() || handle_.take_until(detail::deadline_after(wait));
  }
  template <class Duration>
  [[nodiscard]] bool try_lock_until(
      std::chrono::time_point<std::chrono::steady_clock, Duration> time) const {
    return handle_.take() || handle_.take_until(detail::deadline_at(time));
  }
  // Throws NotOwner where this process does not hold it; nothing has changed then.
  void unlock() const {
    if (!handle_.is_held()) return handle_.refuse();
    handle_.give_back();
  }

  // Not free: held, or abandoned. A look, no more: it may have changed by now.
  [[nodiscard]] bool is_locked() const { return handle_.is_locked(); }
  // Who holds it, or died holding it; nothing where it is free.
  [[nodiscard]] std::optional<Owner> owner() const { return handle_.owner(); }
  [[nodiscard]] OnOwnerDeath on_owner_death() const { return handle_.on_owner_death(); }

  // As lock(), but takes an abandoned lock too; to unlock it then makes it sound. Of two that
  // recover at once, one sees inherited().
  [[nodiscard]] std::unique_lock<const Lock> recover() const {
    static_cast<void>(handle_.take_over());
    return {*this, std::adopt_lock};
  }
  // Calls repair() holding the lock, and unlocks. If repair() throws, the lock is left as it was
  // found: abandoned again, or free.
  template <class F>
  void recover(F&& repair) const {
    const detail::OwnerValue found = handle_.take_over();
    try {
      std::forward<F>(repair)();
    } catch (...) {
      handle_.leave(found);
      throw;
    }
    unlock();
  }
  // Holder only: was it abandoned when this holder took it?
  [[nodiscard]] bool inherited() const { return handle_.inherited(); }

 private:
  friend class Waitable;
  template <Shareable T>
  friend class Value;
  template <Shareable T>
  friend class Array;
  // A lock that is part of another object.
  Lock(std::shared_ptr<const detail::Object> object, detail::LockWord& word)
      : handle_(std::move(object), word) {}

  detail::LockHandle handle_;
};

}  // namespace shoal
