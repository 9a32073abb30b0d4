// SPDX-License-Identifier: MIT
#include "lock_view.hpp"

#include <cstddef>
#include <cstring>

#include "kinds.hpp"
#include "shoal/detail/array_word.hpp"
#include "shoal/detail/bounded_word.hpp"
#include "shoal/detail/join_word.hpp"
#include "shoal/detail/lock_word.hpp"
#include "shoal/detail/obituary.hpp"
#include "shoal/detail/pipe_word.hpp"
#include "shoal/detail/queue_word.hpp"
#include "shoal/detail/value_word.hpp"

namespace shoal::tool {
namespace {

using detail::Kind;
using detail::LockWord;
using detail::OwnerValue;

struct Place {
  std::uint64_t at;
  const char* role;
  bool inner;
};

std::vector<Place> places_in(Kind kind) {
  using detail::PipeLane;
  constexpr std::uint64_t lane = offsetof(detail::PipeWord, lanes);
  switch (kind) {
    case Kind::lock:
    case Kind::rlock:
      return {{0, "", false}};
    case Kind::value:
      return {{0, "lock", false}, {offsetof(detail::ValueWord, writer), "writer", true}};
    case Kind::array:
      return {{0, "lock", false}, {offsetof(detail::ArrayWord, writer), "writer", true}};
    case Kind::bounded_semaphore:
      return {{0, "inner", true}};
    case Kind::joinable_queue:
      return {{sizeof(detail::QueueWord), "inner", true}};
    case Kind::pipe:
      return {{lane + offsetof(PipeLane, send_lock), "first.send", true},
              {lane + offsetof(PipeLane, recv_lock), "second.recv", true},
              {lane + sizeof(PipeLane) + offsetof(PipeLane, send_lock), "second.send", true},
              {lane + sizeof(PipeLane) + offsetof(PipeLane, recv_lock), "first.recv", true}};
    case Kind::semaphore:
    case Kind::event:
    case Kind::condition:
    case Kind::barrier:
    case Kind::queue:
    case Kind::none:
      break;
  }
  return {};
}

// Nobody, where the words are not about that death.
Who obituary(const Bytes& bytes, OwnerValue dead) {
  std::uint32_t facts[detail::Facts::kCount];
  for (std::size_t i = 0; i < detail::Facts::kCount; ++i) {
    const auto word =
        bytes.get<std::uint64_t>(offsetof(LockWord, obituary) + i * sizeof(std::uint64_t));
    if (static_cast<std::uint32_t>(word) != static_cast<std::uint32_t>(dead)) return {};
    facts[i] = static_cast<std::uint32_t>(word >> 32);
  }
  char name[sizeof facts - 2 * sizeof facts[0] + 1] = {};
  std::memcpy(name, &facts[2], sizeof name - 1);
  return {facts[0], facts[1], printable(name)};
}

std::uint32_t holder_tid(const Bytes& bytes, OwnerValue owner) {
  const auto note = bytes.get<std::uint64_t>(offsetof(LockWord, holder));
  return static_cast<std::uint32_t>(note) == static_cast<std::uint32_t>(owner)
             ? detail::holder_tid(note)
             : 0;
}

LockView read_lock(const SegmentView& view, const ObjectView& object, const Place& place) {
  const Bytes bytes = view.read(object, place.at, sizeof(LockWord));
  LockView lock;
  lock.role = place.role;
  lock.inner = place.inner;
  lock.owner = bytes.get<OwnerValue>(offsetof(LockWord, owner));
  lock.sleepers = bytes.get<std::uint32_t>(offsetof(LockWord, sleepers));
  lock.inherits = place.inner || bytes.get<std::uint32_t>(offsetof(LockWord, inherits)) != 0;
  if (lock.owner == detail::kNobody) return lock;
  lock.inherited = detail::is_inherited(lock.owner);
  if (object.kind == Kind::rlock) lock.depth = bytes.get<std::uint32_t>(offsetof(LockWord, depth));
  if (detail::is_abandoned(lock.owner)) {
    lock.state = LockView::State::abandoned;
    lock.holder = obituary(bytes, detail::owner_of(lock.owner));
    return lock;
  }
  const Participant* const process = view.participant(lock.owner);
  lock.state = process != nullptr && process->alive ? LockView::State::held : LockView::State::left;
  if (process != nullptr) lock.holder = who(*process);
  lock.holder.tid = holder_tid(bytes, lock.owner);
  return lock;
}

// Whether the process named has come since the tables were read; then it is alive, or gone again.
bool is_unknown(const SegmentView& view, const LockView& lock) {
  return lock.state == LockView::State::left && view.participant(lock.owner) == nullptr;
}

}  // namespace

std::string spelled(const Who& who) {
  if (who.pid == 0) return "a process that is gone";
  std::string text = "process " + std::to_string(who.pid);
  if (!who.process.empty()) text += " (" + who.process + ")";
  if (who.tid != 0 && who.tid != who.pid) text += ", thread " + std::to_string(who.tid);
  return text;
}

const char* state_name(LockView::State state) {
  switch (state) {
    case LockView::State::free:
      return "free";
    case LockView::State::held:
      return "held";
    case LockView::State::left:
      return "held by the dead";
    case LockView::State::abandoned:
      break;
  }
  return "abandoned";
}

std::vector<LockView> read_locks(const SegmentView& view, const ObjectView& object) {
  std::vector<LockView> locks;
  for (const Place& place : places_in(object.kind)) {
    LockView lock = read_lock(view, object, place);
    for (int look = 0; look < 3 && is_unknown(view, lock); ++look)
      lock = read_lock(view, object, place);
    locks.push_back(std::move(lock));
  }
  return locks;
}

Who who(const Participant& process) { return {process.pid, 0, process.name}; }

Who who(const SegmentView& view, const ThreadView& thread) {
  const Participant* const process = view.participant(thread.owner);
  Who result = process != nullptr ? who(*process) : Who{};
  result.tid = thread.tid;
  return result;
}

std::vector<Who> waiters_of(const SegmentView& view, const ObjectView& object) {
  std::vector<Who> waiters;
  for (const ThreadView& thread : view.threads())
    if (thread.waits_for == object.index || thread.condition == object.index)
      waiters.push_back(who(view, thread));
  return waiters;
}

}  // namespace shoal::tool
