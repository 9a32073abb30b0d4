// SPDX-License-Identifier: MIT
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kind_description.hpp"
#include "kinds.hpp"
#include "shoal/detail/join_word.hpp"
#include "shoal/detail/pipe_word.hpp"
#include "shoal/detail/queue_word.hpp"
#include "spelling.hpp"

// What has two ends that run: queues and pipes.
namespace shoal::tool {
namespace {

using detail::Kind;
using detail::OwnerValue;

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

}  // namespace

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

namespace {

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

}  // namespace

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
    for (const Who& owner : owners) names.push_back(spelled(owner));
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

}  // namespace shoal::tool
