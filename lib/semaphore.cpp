// SPDX-License-Identifier: MIT
#include "shoal/semaphore.hpp"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "core/bounded_semaphore.hpp"
#include "core/semaphore.hpp"
#include "kinds.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "message.hpp"
#include "object.hpp"
#include "shoal/error.hpp"

namespace shoal {
namespace {

using detail::BoundedWord;
using detail::Machine;
using detail::OpenedObject;
using detail::SemaphoreWord;

void check_initial(int initial) {
  if (initial < 0)
    throw std::invalid_argument("shoal: Semaphore: " + std::to_string(initial) +
                                " permits: it takes 0 or more");
}
void check_release(int n) {
  if (n < 1)
    throw std::invalid_argument("shoal: Semaphore: release(" + std::to_string(n) +
                                "): it takes 1 or more");
}

OpenedObject open_semaphore(const Segment& segment, std::string_view name, int initial, Open open) {
  check_initial(initial);
  detail::Blueprint blueprint;
  blueprint.kind = detail::Kind::semaphore;
  blueprint.bytes = sizeof(SemaphoreWord);
  blueprint.argument = &initial;
  blueprint.init = [](void* memory, const void* count) {
    static_cast<SemaphoreWord*>(memory)->count.store(*static_cast<const int*>(count),
                                                     std::memory_order_relaxed);
  };
  return open_object(segment, name, blueprint, open);
}

OpenedObject open_bounded(const Segment& segment, std::string_view name, int initial, Open open) {
  check_initial(initial);
  detail::Blueprint blueprint;
  blueprint.kind = detail::Kind::bounded_semaphore;
  blueprint.bytes =
      detail::least_bytes(detail::Kind::bounded_semaphore, detail::max_processes(segment));
  blueprint.argument = &initial;
  blueprint.init = [](void* memory, const void* count) {
    auto& word = *static_cast<BoundedWord*>(memory);
    word.bound.store(*static_cast<const int*>(count), std::memory_order_relaxed);
    word.count.store(*static_cast<const int*>(count), std::memory_order_relaxed);
    word.lock.inherits.store(1, std::memory_order_relaxed);
  };
  return open_object(segment, name, blueprint, open);
}

// Calls what(semaphore), in this process's name.
template <class What>
auto with_bounded(const detail::Handle<BoundedWord>& handle, What what) {
  const detail::OwnerValue me = join(*handle.object);
  Machine machine(handle.object->mapping(), handle.object->index());
  const std::uint32_t processes = handle.object->mapping().tables().header().max_processes;
  core::BoundedSemaphore<Machine> semaphore(machine, *handle.word,
                                            held_permits(*handle.word, processes), me);
  return what(semaphore);
}

}  // namespace

Semaphore::Semaphore(const Segment& segment, std::string_view name, int initial, Open open)
    : handle_(open_semaphore(segment, name, initial, open)) {}
Semaphore::Semaphore(const Segment& segment, std::string_view name, Open open)
    : Semaphore(segment, name, 1, open) {}

bool Semaphore::acquire_until(detail::Deadline deadline) const {
  join(*handle_.object);
  Machine machine(handle_.object->mapping(), handle_.object->index());
  return core::acquire(machine, *handle_.word, deadline);
}

void Semaphore::end_release(int n, detail::Added added) const {
  check_release(n);
  if (added == detail::Added::overflow)
    throw std::overflow_error("shoal: " + described(*handle_.object) + ": release(" +
                              std::to_string(n) + ") would make more than INT_MAX permits");
  Machine machine(handle_.object->mapping(), handle_.object->index());
  core::wake(machine, handle_.word->sleepers, n);
}

int Semaphore::value() const {
  const std::int64_t count = handle_.word->count.load(std::memory_order_relaxed);
  return static_cast<int>(std::clamp<std::int64_t>(count, 0, detail::kMostPermits));
}

int Semaphore::waiting() const { return count_waiting(*handle_.object); }

BoundedSemaphore::BoundedSemaphore(const Segment& segment, std::string_view name, int initial,
                                   Open open)
    : handle_(open_bounded(segment, name, initial, open)) {}
BoundedSemaphore::BoundedSemaphore(const Segment& segment, std::string_view name, Open open)
    : BoundedSemaphore(segment, name, 1, open) {}

bool BoundedSemaphore::acquire_until(detail::Deadline deadline) const {
  return with_bounded(handle_, [&](auto& semaphore) { return semaphore.acquire(deadline); });
}

void BoundedSemaphore::release(int n) const {
  check_release(n);
  if (with_bounded(handle_, [&](auto& semaphore) { return semaphore.release(n); })) return;
  if (handle_.object->mapping().forget_held_before_fork(*handle_.object, n)) return;
  throw NotOwner(
      described(*handle_.object) + ": release(" + std::to_string(n) +
      ") by a process that does not hold as many permits; release only what acquire() has taken");
}

int BoundedSemaphore::value() const {
  return with_bounded(handle_, [](auto& semaphore) { return semaphore.value(); });
}

int BoundedSemaphore::waiting() const { return count_waiting(*handle_.object); }

}  // namespace shoal
