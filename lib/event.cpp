// SPDX-License-Identifier: MIT
#include "shoal/event.hpp"

#include "core/event.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "object.hpp"

namespace shoal {
namespace {

detail::OpenedObject open_event(const Segment& segment, std::string_view name, Open open) {
  detail::Blueprint blueprint;
  blueprint.kind = detail::Kind::event;
  blueprint.bytes = sizeof(detail::EventWord);
  return open_object(segment, name, blueprint, open);
}

}  // namespace

Event::Event(const Segment& segment, std::string_view name, Open open)
    : handle_(open_event(segment, name, open)) {}

// Async-signal-safe: one store and one system call.
void Event::wake() const noexcept {
  detail::Machine machine(handle_.object->mapping(), handle_.object->index());
  core::wake(machine, handle_.word->sleepers, core::kEverybody);
}

int Event::waiting() const { return count_waiting(*handle_.object); }

bool Event::wait_until_deadline(detail::Deadline deadline) const {
  join(*handle_.object);
  detail::Machine machine(handle_.object->mapping(), handle_.object->index());
  return core::wait_for_event(machine, *handle_.word, deadline);
}

}  // namespace shoal
