// SPDX-License-Identifier: MIT
#include "shoal/detail/lock_handle.hpp"

#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/lock.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "object.hpp"
#include "os/process.hpp"

namespace shoal::detail {
namespace {

OpenedObject open_lock(const Segment& segment, std::string_view name, Kind kind, Open open,
                       OnOwnerDeath on_owner_death) {
  Blueprint blueprint;
  blueprint.kind = kind;
  blueprint.bytes = sizeof(LockWord);
  blueprint.argument = &on_owner_death;
  blueprint.init = [](void* memory, const void* policy) {
    const bool inherits = *static_cast<const OnOwnerDeath*>(policy) == OnOwnerDeath::inherit;
    static_cast<LockWord*>(memory)->inherits.store(inherits, std::memory_order_relaxed);
  };
  return open_object(segment, name, blueprint, open);
}

Owner owner_from(const Facts& facts) {
  char name[sizeof(std::uint32_t) * (Facts::kCount - 2) + 1] = {};
  std::memcpy(name, &facts.words[2], sizeof name - 1);
  return {static_cast<std::int32_t>(facts.words[0]), static_cast<std::int32_t>(facts.words[1]),
          name};
}

// Who holds a lock whose word was `seen`, or died holding it.
Owner owner_in(const Object& object, const LockWord& word, OwnerValue seen) {
  if (is_abandoned(seen)) {
    const auto facts = core::read_obituary(word.obituary, owner_of(seen));
    return facts ? owner_from(*facts) : Owner{};
  }
  Machine machine(object.mapping(), object.index());
  Facts facts = machine.facts(owner_of(seen));
  facts.words[1] = holder_tid(word.holder.load(std::memory_order_relaxed));
  return owner_from(facts);
}

std::string spelled(const Owner& owner) {
  if (owner.pid == 0) return "a process that is gone";
  return "process " + std::to_string(owner.pid) + " (" + owner.process + ")";
}

[[noreturn]] void throw_owner_died(const Object& object, const LockWord& word, OwnerValue found) {
  const Owner owner = owner_in(object, word, found);
  throw OwnerDied(described(object) + ": " + spelled(owner) +
                      " died holding it; call recover(), make sound what it protects, and unlock",
                  owner);
}

[[noreturn]] void throw_not_owner(const Object& object, const std::optional<Owner>& owner) {
  const bool is_here = owner && owner->pid == static_cast<std::int32_t>(os::process_id());
  throw NotOwner(described(object) + ": unlocked by a " + (is_here ? "thread" : "process") +
                 " that does not hold it; " +
                 (is_here ? "thread " + std::to_string(owner->tid) + " of this process does"
                  : owner ? spelled(*owner) + " does"
                          : "nobody does") +
                 "; unlock only what lock() has taken");
}

core::LockResult take_slowly(const Object& object, LockWord& word, Pace& pace, Deadline deadline,
                             core::Abandoned abandoned) {
  const OwnerValue me = join(object);
  Machine machine(object.mapping(), object.index());
  const core::LockResult result = core::lock(machine, word, pace, me, deadline, abandoned);
  if (result.outcome == core::LockOutcome::taken || result.outcome == core::LockOutcome::inherited)
    note_holder(word, this_tid, me);
  return result;
}

}  // namespace

void throw_too_deep() { throw std::overflow_error("shoal: RLock: locked too often"); }

LockHandle::LockHandle(const Segment& segment, std::string_view name, Kind kind, Open open,
                       OnOwnerDeath on_owner_death)
    : handle_(open_lock(segment, name, kind, open, on_owner_death)) {}

LockHandle::LockHandle(std::shared_ptr<const Object> object, LockWord& word)
    : handle_([&] {
        const std::atomic<OwnerValue>* const self = object->mapping().self_words();
        return OpenedObject{std::move(object), &word, sizeof word, self};
      }()) {}

// As take(), at the time that has been learned. A function of its own: it needs little of what
// take_slowly() does.
bool LockHandle::take_in_time(Deadline deadline) const {
  Machine machine(handle_.object->mapping(), handle_.object->index());
  const OwnerValue me = self();
  if (!core::take_in_time(machine, word(), pace_, me, deadline)) return false;
  note_holder(word(), this_tid, me);
  return true;
}

bool LockHandle::take_until(Deadline deadline) const {
  // Else take() has not looked, and there was nothing to learn.
  const bool has_looked = this_tid != 0 && self() != kNobody;
  if (has_looked && pace_.is_known() && take_in_time(deadline)) return true;
  Pace nothing_learned;
  const auto result = take_slowly(*handle_.object, word(), has_looked ? pace_ : nothing_learned,
                                  deadline, core::Abandoned::is_told);
  if (result.outcome == core::LockOutcome::abandoned)
    throw_owner_died(*handle_.object, word(), result.found);
  return result.outcome != core::LockOutcome::timed_out;
}

OwnerValue LockHandle::take_over() const {
  Pace nothing_learned;
  const auto result =
      take_slowly(*handle_.object, word(), nothing_learned, kForever, core::Abandoned::is_taken);
  return result.outcome == core::LockOutcome::inherited ? result.found : kNobody;
}

void LockHandle::leave(OwnerValue found) const {
  if (!is_held())
    return static_cast<void>(handle_.object->mapping().forget_held_before_fork(*handle_.object));
  if (found == kNobody) return give_back();
  word().holder.store(0, std::memory_order_relaxed);
  word().owner.store(found, std::memory_order_release);  // R2; the obituary is still there
  Machine machine(handle_.object->mapping(), handle_.object->index());
  core::wake(machine, word().sleepers, core::kEverybody);
}

void LockHandle::refuse() const {
  if (!handle_.object->mapping().forget_held_before_fork(*handle_.object))
    throw_not_owner(*handle_.object, owner());
}

bool LockHandle::is_held_slow() const { return is_held_by(word(), join(*handle_.object)); }

void LockHandle::give_back_slow() const {
  Machine machine(handle_.object->mapping(), handle_.object->index());
  core::unlock(machine, word());
}

void LockHandle::wake() const {
  Machine machine(handle_.object->mapping(), handle_.object->index());
  core::wake_after_release(machine, word());
}

bool LockHandle::is_locked() const {
  return word().owner.load(std::memory_order_relaxed) != kNobody;
}

std::optional<Owner> LockHandle::owner() const {
  // Its process may let go, and its record be another's, between the two: then look again.
  for (;;) {
    const OwnerValue seen = word().owner.load(std::memory_order_acquire);
    if (seen == kNobody) return std::nullopt;
    Owner owner = owner_in(*handle_.object, word(), seen);
    if (word().owner.load(std::memory_order_acquire) == seen) return owner;
  }
}

OnOwnerDeath LockHandle::on_owner_death() const {
  return word().inherits.load(std::memory_order_relaxed) != 0 ? OnOwnerDeath::inherit
                                                              : OnOwnerDeath::raise;
}

bool LockHandle::inherited() const {
  return is_held() && is_inherited(word().owner.load(std::memory_order_relaxed));
}

// Whoever died holding the lock: declared here, if nobody has yet.
void LockHandle::throw_if_dead(OwnerValue seen) const {
  if (!is_abandoned(seen)) {
    if (owner_of(seen) == join(*handle_.object)) return;
    Machine machine(handle_.object->mapping(), handle_.object->index());
    if (machine.alive(owner_of(seen))) return;
    core::abandon(machine, word(), seen);
    seen = word().owner.load(std::memory_order_acquire);
  }
  if (is_abandoned(seen)) throw_owner_died(*handle_.object, word(), seen);
}

}  // namespace shoal::detail
