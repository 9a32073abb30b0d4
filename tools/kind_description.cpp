// SPDX-License-Identifier: MIT
#include "kind_description.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "content.hpp"
#include "core/barrier.hpp"
#include "kinds.hpp"
#include "shoal/detail/array_word.hpp"
#include "shoal/detail/bits.hpp"
#include "shoal/detail/bounded_word.hpp"
#include "shoal/detail/condition_word.hpp"
#include "shoal/detail/event_word.hpp"
#include "shoal/detail/semaphore_word.hpp"
#include "shoal/detail/value_bytes.hpp"
#include "spelling.hpp"

namespace shoal::tool {
namespace {

using detail::Kind;
using detail::OwnerValue;

constexpr std::size_t kMostBytes = 4096;  // of one T that are looked at

// The current copy of a T, or as much of it as anybody wants to see.
Bytes current_copy(const Subject& subject) {
  const ObjectView& object = subject.object;
  if (object.size == 0 || object.size > object.bytes || object.alignment == 0)
    throw Damaged("its T has no size");
  const detail::ValueShape shape{object.size, object.alignment};
  if (shape.bytes() != object.bytes) throw Damaged("it is not as large as its T asks");
  const std::uint64_t size = std::min<std::uint64_t>(object.size, kMostBytes);
  if (detail::is_small(object.size)) return subject.view.read(object, shape.data_at(), size);
  const auto version = [&] {
    return subject.view.read(object, offsetof(detail::ValueWord, version), sizeof(std::uint64_t))
        .get<std::uint64_t>(0);
  };
  Bytes bytes;
  for (int look = 0; look < kMostLooks; ++look) {
    const std::uint64_t before = version();
    bytes = subject.view.read(object, shape.data_at() + before % 2 * shape.stride(), size);
    if (version() == before) break;
  }
  return bytes;
}

void describe_value(const Subject& subject, Description& description) {
  const Json content = decode(subject.object.type, current_copy(subject));
  description.facts["content"] = content;
  description.line = "= " + spelled(content);
}

void describe_array(const Subject& subject, Description& description) {
  const ObjectView& object = subject.object;
  if (object.size == 0 || object.size > object.bytes || object.alignment == 0)
    throw Damaged("its T has no size");
  const detail::ArrayShape shape{object.size, object.alignment};
  if (shape.data_at() > object.bytes) throw Damaged("it is not as large as its T asks");
  const std::uint64_t count = shape.count(object.bytes);
  const std::uint64_t shown = std::min<std::uint64_t>(count, subject.most_items);
  Json content = Json::array();
  std::vector<std::string> parts;
  for (std::uint64_t i = 0; i < shown; ++i) {
    const Bytes bytes = subject.view.read(object, shape.data_at() + i * object.size,
                                          std::min<std::uint64_t>(object.size, kMostBytes));
    content.push_back(decode(object.type, bytes));
    parts.push_back(spelled(content.back()));
  }
  description.facts["size"] = count;
  description.facts["content"] = content;
  description.line = plural(count, "element", "elements") + ": " + join(parts, " ") +
                     (shown < count ? " ..." : "");
}

void describe_semaphore(const Subject& subject, Description& description) {
  const auto count = subject.view.read(subject.object, 0, sizeof(detail::SemaphoreWord))
                         .get<std::int64_t>(offsetof(detail::SemaphoreWord, count));
  if (count < 0) throw Damaged("its count is negative");
  description.facts["permits"] = count;
  description.line = plural(static_cast<std::uint64_t>(count), "permit", "permits");
  if (count > detail::kMostPermits) description.line += ", more than fit: a release was killed";
}

void describe_bounded(const Subject& subject, Description& description) {
  const std::uint32_t records = subject.view.header().max_processes;
  const Bytes bytes =
      subject.view.read(subject.object, 0, detail::least_bytes(Kind::bounded_semaphore, records));
  const auto count = bytes.get<std::int32_t>(offsetof(detail::BoundedWord, count));
  const auto bound = bytes.get<std::int32_t>(offsetof(detail::BoundedWord, bound));
  Json holders = Json::array();
  std::vector<std::string> parts;
  for (const Participant& one : subject.view.participants()) {
    const std::uint64_t at = sizeof(detail::BoundedWord) + one.record * sizeof(detail::HeldPermits);
    const auto held = bytes.get<std::int32_t>(at + offsetof(detail::HeldPermits, permits));
    if (held <= 0 || !one.is(bytes.get<OwnerValue>(at + offsetof(detail::HeldPermits, owner))))
      continue;
    Json holder = to_json(one);
    holder["permits"] = held;
    holders.push_back(std::move(holder));
    parts.push_back(std::to_string(held) + " with " + (one.alive ? "" : "the dead ") +
                    spelled(who(one)));
  }
  description.facts["permits"] = count;
  description.facts["bound"] = bound;
  description.facts["holders"] = std::move(holders);
  description.line = std::to_string(count) + " of " + std::to_string(bound) + " permits" +
                     (parts.empty() ? "" : ": " + join(parts, ", "));
}

void describe_event(const Subject& subject, Description& description) {
  const auto state = subject.view.read(subject.object, 0, sizeof(detail::EventWord))
                         .get<std::uint32_t>(offsetof(detail::EventWord, state));
  description.facts["set"] = detail::is_set(state);
  description.facts["changes"] = state;
  description.line = detail::is_set(state) ? "set" : "not set";
}

void describe_condition(const Subject& subject, Description& description) {
  const auto next = subject.view.read(subject.object, 0, sizeof(detail::ConditionWord))
                        .get<std::uint64_t>(offsetof(detail::ConditionWord, next));
  description.facts["waits_ever"] = next;
  description.line = plural(next, "wait", "waits") + " so far";
}

void describe_barrier(const Subject& subject, Description& description) {
  const Bytes bytes = subject.view.read(subject.object, 0, sizeof(detail::BarrierWord));
  const core::BarrierState state(bytes.get<std::uint64_t>(offsetof(detail::BarrierWord, state)));
  const auto parties = bytes.get<std::uint32_t>(offsetof(detail::BarrierWord, parties));
  if (parties < 1 || parties > static_cast<std::uint32_t>(detail::kMostParties))
    throw Damaged("it is for " + std::to_string(parties) + " parties");
  description.facts["parties"] = parties;
  description.facts["arrived"] = state.arrived();
  description.facts["rounds"] = state.round();
  description.facts["broken"] = state.broken();
  description.line = state.broken()
                         ? "broken, until reset()"
                         : std::to_string(state.arrived()) + " of " + std::to_string(parties) +
                               " have arrived in round " + std::to_string(state.round());
}

}  // namespace

void describe_kind(const Subject& subject, Description& description) {
  switch (subject.object.kind) {
    case Kind::value:
      return describe_value(subject, description);
    case Kind::array:
      return describe_array(subject, description);
    case Kind::semaphore:
      return describe_semaphore(subject, description);
    case Kind::bounded_semaphore:
      return describe_bounded(subject, description);
    case Kind::event:
      return describe_event(subject, description);
    case Kind::condition:
      return describe_condition(subject, description);
    case Kind::barrier:
      return describe_barrier(subject, description);
    case Kind::queue:
    case Kind::joinable_queue:
      return describe_queue(subject, description);
    case Kind::pipe:
      return describe_pipe(subject, description);
    case Kind::lock:
    case Kind::rlock:
    case Kind::none:
      return;
  }
}

}  // namespace shoal::tool
