// SPDX-License-Identifier: MIT
#include "shoal/lock.hpp"

#include <utility>

#include "core/lock.hpp"
#include "directory.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "message.hpp"
#include "os/process.hpp"

namespace shoal {
namespace {

using detail::Facts;
using detail::LockWord;
using detail::Machine;
using detail::Mapping;
using detail::Object;
using detail::OwnerValue;

detail::OpenedObject open_lock(const Segment& segment, std::string_view name, Open open,
                               OnOwnerDeath on_owner_death) {
  detail::Blueprint blueprint;
  blueprint.kind = detail::Kind::lock;
  blueprint.bytes = sizeof(LockWord);
  blueprint.argument = &on_owner_death;
  blueprint.init = [](void* memory, const void* policy) {
    const bool inherits = *static_cast<const OnOwnerDeath*>(policy) == OnOwnerDeath::inherit;
    static_cast<LockWord*>(memory)->inherits.store(inherits, std::memory_order_relaxed);
  };
  return detail::open_object(segment, name, blueprint, open);
}

Owner owner_from(const Facts& facts) {
  char name[sizeof(std::uint32_t) * (Facts::kCount - 2) + 1] = {};
  __builtin_memcpy(name, &facts.words[2], sizeof name - 1);
  return {static_cast<std::int32_t>(facts.words[0]), static_cast<std::int32_t>(facts.words[1]),
          name};
}

std::string described(const Object& object) {
  return detail::in_object(object.mapping().name(), detail::kind_name(object.kind()),
                           object.name());
}

// Who holds a lock whose word was `seen`, or died holding it.
Owner owner_in(const Object& object, const LockWord& word, OwnerValue seen) {
  if (detail::is_abandoned(seen)) {
    const auto facts = core::read_obituary(word.obituary, detail::owner_of(seen));
    return facts ? owner_from(*facts) : Owner{};
  }
  Machine machine(object.mapping(), object.index());
  Facts facts = machine.facts(detail::owner_of(seen));
  facts.words[1] = detail::holder_tid(word.holder.load(std::memory_order_relaxed));
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
  throw NotOwner(described(object) + ": unlocked by a process that does not hold it; " +
                 (owner ? spelled(*owner) + " does" : "nobody does"));
}

// Who this process is in the object's segment; after a raw clone it must join first.
OwnerValue join(const Object& object) {
  if (detail::this_tid == 0) detail::this_tid = os::thread_id();
  object.mapping().rejoin();
  return object.mapping().self();
}

core::LockResult lock_slowly(const Object& object, LockWord& word, detail::Deadline deadline,
                             core::Abandoned abandoned) {
  const OwnerValue me = join(object);
  Machine machine(object.mapping(), object.index());
  const core::LockResult result = core::lock(machine, word, me, deadline, abandoned);
  if (result.outcome == core::LockOutcome::taken || result.outcome == core::LockOutcome::inherited)
    detail::note_holder(word, detail::this_tid, me);
  return result;
}

}  // namespace

Lock::Lock(const Segment& segment, std::string_view name, Open open, OnOwnerDeath on_owner_death) {
  detail::OpenedObject opened = open_lock(segment, name, open, on_owner_death);
  word_ = static_cast<LockWord*>(opened.memory);
  self_ = opened.self;
  object_ = std::move(opened.object);
}

Lock::Lock(const Segment& segment, std::string_view name, OnOwnerDeath on_owner_death)
    : Lock(segment, name, Open::or_create, on_owner_death) {}

Lock::Lock(std::shared_ptr<const Object> object, LockWord& word)
    : word_(&word), self_(&object->mapping().fast_self()), object_(std::move(object)) {}

void Lock::lock_slow() const { static_cast<void>(lock_until(detail::kForever)); }

bool Lock::lock_until(detail::Deadline deadline) const {
  const auto result = lock_slowly(*object_, *word_, deadline, core::Abandoned::is_told);
  if (result.outcome == core::LockOutcome::abandoned)
    throw_owner_died(*object_, *word_, result.found);
  return result.outcome != core::LockOutcome::timed_out;
}

// Not held by this process: but before a fork, or not at all; or this is a process that membarrier
// does not reach.
void Lock::unlock_slow() const {
  const OwnerValue me = join(*object_);
  const OwnerValue seen = word_->owner.load(std::memory_order_relaxed);
  if (detail::owner_of(seen) == me && !detail::is_abandoned(seen)) {
    Machine machine(object_->mapping(), object_->index());
    core::unlock_in_order(machine, *word_);
  } else if (!object_->mapping().forget_held_before_fork(*object_)) {
    throw_not_owner(*object_, owner());
  }
}

void Lock::wake() const {
  Machine machine(object_->mapping(), object_->index());
  core::wake_after_release(machine, *word_);
}

bool Lock::is_locked() const {
  return word_->owner.load(std::memory_order_relaxed) != detail::kNobody;
}

std::optional<Owner> Lock::owner() const {
  // Its process may let go, and its record be another's, between the two: then look again.
  for (;;) {
    const OwnerValue seen = word_->owner.load(std::memory_order_acquire);
    if (seen == detail::kNobody) return std::nullopt;
    Owner owner = owner_in(*object_, *word_, seen);
    if (word_->owner.load(std::memory_order_acquire) == seen) return owner;
  }
}

OnOwnerDeath Lock::on_owner_death() const {
  return word_->inherits.load(std::memory_order_relaxed) != 0 ? OnOwnerDeath::inherit
                                                              : OnOwnerDeath::raise;
}

std::unique_lock<const Lock> Lock::recover() const {
  static_cast<void>(take_over());
  return {*this, std::adopt_lock};
}

// The abandoned value that was found; kNobody where the lock was free.
OwnerValue Lock::take_over() const {
  const auto result = lock_slowly(*object_, *word_, detail::kForever, core::Abandoned::is_taken);
  return result.outcome == core::LockOutcome::inherited ? result.found : detail::kNobody;
}

void Lock::leave(OwnerValue dead) const {
  if (dead == detail::kNobody) return unlock();
  word_->owner.store(dead, std::memory_order_release);  // R2; its obituary is still there
  Machine machine(object_->mapping(), object_->index());
  core::wake(machine, word_->sleepers, core::kEverybody);
}

// Whoever died holding the lock: declared here, if nobody has yet.
void Lock::throw_if_dead(OwnerValue seen) const {
  if (detail::owner_of(seen) == join(*object_) && !detail::is_abandoned(seen)) return;
  Machine machine(object_->mapping(), object_->index());
  if (!detail::is_abandoned(seen)) {
    if (machine.alive(detail::owner_of(seen))) return;
    core::abandon(machine, *word_, seen);
    seen = word_->owner.load(std::memory_order_acquire);
  }
  if (detail::is_abandoned(seen)) throw_owner_died(*object_, *word_, seen);
}

bool Lock::inherited() const {
  const OwnerValue seen = word_->owner.load(std::memory_order_relaxed);
  return detail::is_inherited(seen) && detail::owner_of(seen) == object_->mapping().self();
}

}  // namespace shoal
