// SPDX-License-Identifier: MIT
#include "shoal/barrier.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/barrier.hpp"
#include "kinds.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "message.hpp"
#include "object.hpp"

namespace shoal {
namespace {

using detail::BarrierWord;
using detail::Machine;

using CoreBarrier = core::Barrier<Machine>;

// Nothing for `parties`: whatever there is.
detail::OpenedObject open_barrier(const Segment& segment, std::string_view name,
                                  std::optional<int> parties, Open open) {
  if (parties && (*parties < 1 || *parties > detail::kMostParties))
    throw std::invalid_argument("shoal: Barrier: " + std::to_string(*parties) +
                                " parties: it takes 1 to " + std::to_string(detail::kMostParties));
  const int count = parties.value_or(0);
  detail::Blueprint blueprint;
  blueprint.kind = detail::Kind::barrier;
  blueprint.least_bytes =
      detail::least_bytes(detail::Kind::barrier, detail::max_processes(segment));
  blueprint.bytes = parties ? blueprint.least_bytes : detail::kWhateverIsThere;
  blueprint.argument = &count;
  blueprint.init = [](void* memory, const void* parties_of_new) {
    static_cast<BarrierWord*>(memory)->parties.store(
        static_cast<std::uint32_t>(*static_cast<const int*>(parties_of_new)),
        std::memory_order_relaxed);
  };
  detail::OpenedObject opened = open_object(segment, name, blueprint, open);
  const auto there = static_cast<int>(
      static_cast<BarrierWord*>(opened.memory)->parties.load(std::memory_order_relaxed));
  if (parties && there != *parties)
    throw TypeMismatch(described(*opened.object) + ": is for " + std::to_string(there) +
                       " parties, and was opened for " + std::to_string(*parties) +
                       ": give it the number it was made with, or none");
  return opened;
}

// Calls what(barrier, machine).
template <class What>
auto with_barrier(const detail::Handle<BarrierWord>& handle, What what) {
  detail::Mapping& mapping = handle.object->mapping();
  Machine machine(mapping, handle.object->index());
  CoreBarrier barrier(machine, *handle.word,
                      barrier_marks(*handle.word, mapping.tables().header().max_processes));
  return what(barrier);
}

[[noreturn]] void throw_broken(const detail::Object& object) {
  throw BrokenBarrier(described(object) +
                      ": is broken: a party died, timed out, or broke it; reset() mends it");
}

}  // namespace

Barrier::Barrier(const Segment& segment, std::string_view name, int parties, Open open)
    : handle_(open_barrier(segment, name, parties, open)) {}
Barrier::Barrier(const Segment& segment, std::string_view name, Open open)
    : handle_(open_barrier(segment, name, std::nullopt, open)) {}

int Barrier::arrive(detail::Deadline deadline) const {
  const detail::OwnerValue me = join(*handle_.object);
  const int index = with_barrier(handle_, [&](CoreBarrier& barrier) {
    const auto arrival = barrier.arrive(me, false, deadline);
    const bool passed =
        arrival.kind == CoreBarrier::Arrival::last ||
        (arrival.kind == CoreBarrier::Arrival::waits && barrier.wait(arrival.round, deadline));
    return passed ? arrival.index : -1;
  });
  if (index < 0) throw_broken(*handle_.object);
  return index;
}

Barrier::Arrival Barrier::arrive_with_action(detail::Deadline deadline) const {
  const detail::OwnerValue me = join(*handle_.object);
  const auto arrival = with_barrier(handle_, [&](CoreBarrier& barrier) {
    auto arrived = barrier.arrive(me, true, deadline);
    if (arrived.kind == CoreBarrier::Arrival::waits && !barrier.wait(arrived.round, deadline))
      arrived.kind = CoreBarrier::Arrival::broken;
    return arrived;
  });
  if (arrival.kind == CoreBarrier::Arrival::broken) throw_broken(*handle_.object);
  return {arrival.index, arrival.kind == CoreBarrier::Arrival::last, arrival.round, me};
}

void Barrier::complete(const Arrival& arrival) const {
  if (join(*handle_.object) != arrival.party) return;  // the child of an action that forked
  if (!with_barrier(handle_, [&](CoreBarrier& barrier) { return barrier.complete(arrival.round); }))
    throw_broken(*handle_.object);
}

void Barrier::break_round(const Arrival& arrival) const {
  if (join(*handle_.object) != arrival.party) return;
  with_barrier(handle_, [&](CoreBarrier& barrier) { barrier.break_round(arrival.round); });
}

void Barrier::abort() const {
  with_barrier(handle_, [](CoreBarrier& barrier) { barrier.abort(); });
}
void Barrier::reset() const {
  with_barrier(handle_, [](CoreBarrier& barrier) { barrier.reset(); });
}
bool Barrier::broken() const {
  return with_barrier(handle_, [](CoreBarrier& barrier) { return barrier.count_waiting() < 0; });
}
int Barrier::parties() const {
  return with_barrier(handle_, [](CoreBarrier& barrier) { return barrier.parties(); });
}
int Barrier::waiting() const {
  return with_barrier(handle_,
                      [](CoreBarrier& barrier) { return std::max(barrier.count_waiting(), 0); });
}

}  // namespace shoal
