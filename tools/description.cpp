// SPDX-License-Identifier: MIT
#include "description.hpp"

#include <pwd.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <numeric>
#include <optional>

#include "core/barrier.hpp"
#include "kinds.hpp"
#include "shoal/detail/array_word.hpp"
#include "shoal/detail/bits.hpp"
#include "shoal/detail/bounded_word.hpp"
#include "shoal/detail/condition_word.hpp"
#include "shoal/detail/event_word.hpp"
#include "shoal/detail/join_word.hpp"
#include "shoal/detail/pipe_word.hpp"
#include "shoal/detail/queue_word.hpp"
#include "shoal/detail/semaphore_word.hpp"
#include "shoal/detail/value_bytes.hpp"

namespace shoal::tool {
namespace {

using detail::Kind;
using detail::OwnerValue;

// Words that belong together are read again where they do not: others may be between two stores.
constexpr int kMostLooks = 8;
constexpr std::size_t kMostBytes = 4096;  // of one T that are looked at

struct Subject {
  const SegmentView& view;
  const ObjectView& object;
  std::size_t most_items;
  std::vector<Who> waiters;
};

std::string plural(std::uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string join(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

Json to_json(const std::vector<Who>& list) {
  Json result = Json::array();
  for (const Who& who : list) result.push_back(tool::to_json(who));
  return result;
}

// --- Contents of known types

template <class T>
Json number(const Bytes& bytes) {
  return bytes.get<T>(0);
}

using Decode = Json (*)(const Bytes&);
const std::map<std::string, Decode, std::less<>>& arithmetic() {
  static const std::map<std::string, Decode, std::less<>> types = {
      {"bool", [](const Bytes& bytes) -> Json { return bytes.get<std::uint8_t>(0) != 0; }},
      {"int8", number<std::int8_t>},
      {"int16", number<std::int16_t>},
      {"int32", number<std::int32_t>},
      {"int64", number<std::int64_t>},
      {"uint8", number<std::uint8_t>},
      {"uint16", number<std::uint16_t>},
      {"uint32", number<std::uint32_t>},
      {"uint64", number<std::uint64_t>},
      {"float32", number<float>},
      {"float64", number<double>}};
  return types;
}

std::string hex(const Bytes& bytes) {
  constexpr std::size_t most = 32;
  std::string text;
  for (std::size_t i = 0; i < std::min(bytes.size(), most); ++i) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02x ", bytes.get<unsigned char>(i));
    text += digits;
  }
  if (bytes.size() > most) return text + "...";
  if (!text.empty()) text.pop_back();
  return text;
}

bool is_text(const std::string& type) {
  return type.size() > 4 && type.starts_with("text") &&
         std::all_of(type.begin() + 4, type.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Of a type that is not known: {"hex": its first bytes}.
Json decode(const std::string& type, const Bytes& bytes) {
  const auto known = arithmetic().find(type);
  if (known != arithmetic().end()) return known->second(bytes);
  if (is_text(type)) return bytes.text(0, bytes.size());
  return {{"hex", hex(bytes)}};
}

std::string spelled(const Json& content) {
  if (content.is_object()) return "[" + content.value("hex", "") + "]";
  return content.dump(-1, ' ', true,
                      Json::error_handler_t::replace);  // ASCII, control characters escaped
}

// --- Locks

Json to_json(const LockView& lock) {
  Json facts{{"state", state_name(lock.state)}};
  if (lock.state == LockView::State::held) facts["holder"] = tool::to_json(lock.holder);
  if (lock.state == LockView::State::left || lock.state == LockView::State::abandoned)
    facts["died_holding_it"] = tool::to_json(lock.holder);
  if (lock.inherited) facts["inherited"] = true;
  if (lock.depth > 1) facts["depth"] = lock.depth;
  facts["contended"] = lock.sleepers >> 1;  // how often somebody who slept was woken
  facts["on_owner_death"] = lock.inherits ? "inherit" : "raise";
  return facts;
}

std::string spelled(const LockView& lock) {
  switch (lock.state) {
    case LockView::State::free:
      return "free";
    case LockView::State::held:
      return "held by " + tool::spelled(lock.holder) +
             (lock.depth > 1 ? ", " + std::to_string(lock.depth) + " deep" : "");
    case LockView::State::left:
    case LockView::State::abandoned:
      break;
  }
  return "abandoned: " + tool::spelled(lock.holder) + " died holding it";
}

// Of the user's own lock in an object: only where there is something to say.
std::string spelled_extra(const LockView& lock) {
  return lock.inner || lock.state == LockView::State::free ? "" : ", its lock " + spelled(lock);
}

void add_locks(const Subject& subject, Description& description) {
  for (const LockView& lock : read_locks(subject.view, subject.object)) {
    if (lock.role.empty()) {
      description.facts.update(to_json(lock));
      description.line = spelled(lock);
    } else {
      description.facts["locks"][lock.role] = to_json(lock);
      description.line += spelled_extra(lock);
    }
  }
}

// --- One kind each

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
                         .get<std::int32_t>(offsetof(detail::SemaphoreWord, count));
  if (count < 0) throw Damaged("its count is negative");
  description.facts["permits"] = count;
  description.line = plural(static_cast<std::uint64_t>(count), "permit", "permits");
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
    Json holder = tool::to_json(one);
    holder["permits"] = held;
    holders.push_back(std::move(holder));
    parts.push_back(std::to_string(held) + " with " + (one.alive ? "" : "the dead ") +
                    tool::spelled(who(one)));
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

// Both ends of a ring, of about the same moment.
struct Ends {
  std::uint64_t tail;
  std::uint64_t head;
};
template <class Fits>
Ends read_ends(const Subject& subject, std::uint64_t tail_at, std::uint64_t head_at, Fits fits) {
  const std::uint64_t begin = std::min(tail_at, head_at);
  const std::uint64_t size = std::max(tail_at, head_at) - begin + sizeof(std::uint64_t);
  for (int look = 0;; ++look) {
    const Bytes bytes = subject.view.read(subject.object, begin, size);
    const Ends ends{bytes.get<std::uint64_t>(tail_at - begin),
                    bytes.get<std::uint64_t>(head_at - begin)};
    if (fits(ends)) return ends;
    if (look == kMostLooks) throw Damaged("its ends do not fit together");
  }
}

void add_join(const Subject& subject, Description& description) {
  const std::uint32_t records = subject.view.header().max_processes;
  const Bytes bytes =
      subject.view.read(subject.object, 0, detail::least_bytes(Kind::joinable_queue, records));
  std::uint64_t held = 0;
  std::uint64_t lost = 0;
  for (std::uint32_t i = 0; i < records; ++i) {
    const std::uint64_t at =
        sizeof(detail::QueueWord) + sizeof(detail::JoinWord) + i * sizeof(detail::Account);
    const auto counts =
        detail::counts_in(bytes.get<std::uint64_t>(at + offsetof(detail::Account, counts)));
    const Participant* const owner =
        subject.view.participant(bytes.get<OwnerValue>(at + offsetof(detail::Account, owner)));
    const bool alive = owner != nullptr && owner->alive;
    held += alive ? counts.held : 0;
    lost += counts.lost + (alive ? 0 : std::uint64_t{counts.held});
  }
  description.facts["taken"] = held;
  description.facts["lost"] = lost;
  if (held > 0) description.line += ", " + std::to_string(held) + " being worked on";
  if (lost > 0) description.line += ", " + std::to_string(lost) + " lost with the dead";
}

void describe_queue(const Subject& subject, Description& description) {
  using Word = detail::QueueWord;
  const Bytes bytes = subject.view.read(subject.object, 0, sizeof(Word));
  const auto capacity = bytes.get<std::uint64_t>(offsetof(Word, capacity));
  if (capacity < 1 || capacity > detail::kLargestQueue || capacity > subject.object.bytes / 8)
    throw Damaged("it has room for " + std::to_string(capacity) + " items");
  const detail::RingShape shape(capacity);
  const Ends ends =
      read_ends(subject, offsetof(Word, tail), offsetof(Word, head), [&](const Ends& seen) {
        const std::uint64_t tail = seen.tail & ~detail::kClosed;
        return shape.is_position(tail) && shape.is_position(seen.head) &&
               shape.distance(seen.head, tail) <= capacity;
      });
  const bool closed = (ends.tail & detail::kClosed) != 0;
  const std::uint64_t depth = shape.distance(ends.head, ends.tail & ~detail::kClosed);
  description.facts["items"] = depth;
  description.facts["capacity"] = capacity;
  description.facts["closed"] = closed;
  description.facts["pushed"] = shape.distance(0, ends.tail & ~detail::kClosed);
  description.facts["popped"] = shape.distance(0, ends.head);
  description.line = std::to_string(depth) + " of " + std::to_string(capacity) + " items" +
                     (closed ? ", closed" : "");
  if (subject.object.kind == Kind::joinable_queue) add_join(subject, description);
}

const char* phase_name(std::uint64_t end) {
  switch (detail::phase_of(end)) {
    case detail::EndPhase::awaited:
      return "awaited";
    case detail::EndPhase::held:
      return "held";
    case detail::EndPhase::gone:
      break;
  }
  return "gone";
}

// Who has that end of a pipe.
std::vector<Who> holders(const Subject& subject, const Bytes& bytes, std::uint32_t end) {
  const std::uint64_t records = subject.view.header().max_processes;
  std::vector<Who> result;
  for (const Participant& one : subject.view.participants()) {
    const std::uint64_t at =
        sizeof(detail::PipeWord) + (end * records + one.record) * sizeof(detail::PipeHolder);
    if (one.alive && one.is(bytes.get<OwnerValue>(at))) result.push_back(who(one));
  }
  return result;
}

Ends lane_ends(const Subject& subject, std::uint32_t lane, std::uint64_t ring) {
  using Lane = detail::PipeLane;
  const std::uint64_t at = offsetof(detail::PipeWord, lanes) + lane * sizeof(Lane);
  return read_ends(subject, at + offsetof(Lane, tail), at + offsetof(Lane, head),
                   [&](const Ends& seen) { return seen.tail - seen.head <= ring; });
}

void describe_pipe(const Subject& subject, Description& description) {
  using Word = detail::PipeWord;
  const Bytes bytes = subject.view.read(
      subject.object, 0, detail::least_bytes(Kind::pipe, subject.view.header().max_processes));
  const auto capacity = bytes.get<std::uint64_t>(offsetof(Word, capacity));
  const bool simplex = bytes.get<std::uint32_t>(offsetof(Word, simplex)) != 0;
  if (capacity > subject.object.bytes)
    throw Damaged("it has room for " + std::to_string(capacity) + " bytes");
  const std::uint64_t ring = std::bit_ceil(std::max(capacity, detail::kLeastRing));
  description.facts["capacity"] = capacity;
  description.facts["duplex"] = !simplex;
  std::vector<std::string> parts;
  for (const std::uint32_t end : {0U, 1U}) {
    const char* const name = end == 0 ? "first" : "second";
    const auto phase = bytes.get<std::uint64_t>(offsetof(Word, ends) + end * sizeof(std::uint64_t));
    const std::vector<Who> owners = holders(subject, bytes, end);
    Json facts{{"phase", phase_name(phase)}, {"holders", to_json(owners)}};
    std::string line = std::string(name) + " " + phase_name(phase);
    std::vector<std::string> names;
    names.reserve(owners.size());
    for (const Who& owner : owners) names.push_back(tool::spelled(owner));
    if (!names.empty()) line += " by " + join(names, ", ");
    if (!simplex || end == 1) {
      const Ends ends = lane_ends(subject, end, ring);
      facts["sent"] = ends.tail;
      facts["received"] = ends.head;
      facts["on_the_way"] = ends.tail - ends.head;
      line += ", " + spelled_bytes(ends.tail - ends.head) + " on the way";
    }
    description.facts[name] = std::move(facts);
    parts.push_back(std::move(line));
  }
  description.line = join(parts, "; ");
}

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

Json processes(const SegmentView& view) {
  Json list = Json::array();
  for (const Participant& one : view.participants()) list.push_back(to_json(one));
  return list;
}

}  // namespace

Description describe(const SegmentView& view, const ObjectView& object, std::size_t most_items) {
  const Subject subject{view, object, most_items, waiters_of(view, object)};
  Description description;
  Json& facts = description.facts;
  facts = {{"name", object.name},
           {"kind", detail::kind_name(object.kind)},
           {"type", object.type},
           {"bytes", object.bytes}};
  try {
    std::vector<Who> openers;
    for (const Participant* const one : view.openers(object)) openers.push_back(who(*one));
    facts["open_in"] = to_json(openers);
    describe_kind(subject, description);
    add_locks(subject, description);
  } catch (const Damaged& damaged) {
    facts["damaged"] = damaged.what();
    description.line = "damaged: " + std::string(damaged.what());
  }
  facts["waiting"] = to_json(subject.waiters);
  if (!subject.waiters.empty()) {
    std::vector<std::string> parts;
    for (const Who& waiter : subject.waiters) parts.push_back(tool::spelled(waiter));
    description.line += "; waiting: " + join(parts, "; ");
  }
  return description;
}

Json describe(const SegmentView& view) {
  Json facts{{"name", view.name()},
             {"size", view.header().capacity},
             {"used", view.used()},
             {"memory", view.status().memory},
             {"objects", view.count_live_objects()},
             {"max_objects", view.header().max_objects},
             {"processes", view.count_alive()},
             {"dead", view.count_dead()},
             {"threads", view.threads().size()},
             {"owner", user_name(view.status().user)},
             {"uid", view.status().user},
             {"created", view.header().created},
             {"creator", view.header().creator},
             {"participants", processes(view)}};
  if (!view.damage().empty()) facts["damaged"] = join(view.damage(), "; ");
  return facts;
}

Json to_json(const Who& who) {
  Json facts{{"pid", who.pid}};
  if (who.tid != 0) facts["tid"] = who.tid;
  facts["name"] = who.process;
  return facts;
}

Json to_json(const Participant& process) {
  return {{"pid", process.pid},
          {"name", process.name},
          {"alive", process.alive},
          {"since", process.attached}};
}

std::string spelled_json(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string spelled_bytes(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1023.95 && unit + 1 < std::size(units); ++unit) amount /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", amount, units[unit]);
  return text;
}

std::string spelled_time(std::int64_t unix_time) {
  const std::time_t seconds = unix_time / 1'000'000'000;
  std::tm time{};
  char text[32] = "?";
  if (::localtime_r(&seconds, &time) != nullptr)
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &time);
  return text;
}

std::string user_name(std::uint32_t user) {
  static std::map<std::uint32_t, std::string> names;
  const auto [found, is_new] = names.try_emplace(user, std::to_string(user));
  if (is_new)
    if (const passwd* const entry = ::getpwuid(user)) found->second = printable(entry->pw_name);
  return found->second;
}

}  // namespace shoal::tool
