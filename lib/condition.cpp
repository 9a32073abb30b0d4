// SPDX-License-Identifier: MIT
#include "shoal/condition.hpp"

#include <stdexcept>
#include <string>

#include "core/condition.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "message.hpp"
#include "object.hpp"
#include "shoal/error.hpp"
#include "thread_record.hpp"

namespace shoal {
namespace {

using detail::Machine;

detail::OpenedObject open_condition(const Segment& segment, std::string_view name, Open open) {
  detail::Blueprint blueprint;
  blueprint.kind = detail::Kind::condition;
  blueprint.bytes = sizeof(detail::ConditionWord);
  return open_object(segment, name, blueprint, open);
}

// Calls what(condition).
template <class What>
auto with_condition(const detail::Handle<detail::ConditionWord>& handle, What what) {
  join(*handle.object);
  detail::Mapping& mapping = handle.object->mapping();
  Machine machine(mapping, handle.object->index());
  core::Condition<Machine> condition(machine, *handle.word, handle.object->index(),
                                     mapping.tables().waiters());
  return what(condition);
}

format::ThreadRecord& waiter_of(const detail::Object& object) {
  join(object);
  if (format::ThreadRecord* const record = detail::thread_record(object.mapping())) return *record;
  throw TooManyParticipants(described(object) + ": as many threads as the segment has room for (" +
                            std::to_string(object.mapping().tables().header().max_threads) +
                            ") use it, or /dev/shm is full; create it with more "
                            "SegmentOptions::max_threads, or make room");
}

}  // namespace

Condition::Condition(const Segment& segment, std::string_view name, Open open)
    : handle_(open_condition(segment, name, open)) {}

Condition::Wait::Wait(const Condition& condition)
    : condition_(condition), waiter_(&waiter_of(*condition.handle_.object)) {
  with_condition(condition.handle_, [&](auto& entered) {
    entered.enter(*static_cast<format::ThreadRecord*>(waiter_));
  });
}

bool Condition::Wait::await(detail::Deadline deadline) {
  return notified_ = with_condition(condition_.handle_, [&](auto& awaited) {
           return awaited.await(*static_cast<format::ThreadRecord*>(waiter_), deadline);
         });
}

// Where the lock could not be had back, whoever waits next gets the notify; before it is this one's
// no more, so that it is never nobody's, wherever this process is killed.
Condition::Wait::~Wait() {
  with_condition(condition_.handle_, [&](auto& left) {
    if (notified_ && !done_) left.notify(1);
    left.leave(*static_cast<format::ThreadRecord*>(waiter_));
  });
}

void Condition::notify(int n) const {
  if (n < 1)
    throw std::invalid_argument("shoal: Condition: notify(" + std::to_string(n) +
                                "): it takes 1 or more");
  with_condition(handle_, [&](auto& condition) { condition.notify(n); });
}

int Condition::waiting() const {
  return with_condition(handle_, [](auto& condition) { return condition.waiting(); });
}

}  // namespace shoal
