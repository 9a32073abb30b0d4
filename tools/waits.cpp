// SPDX-License-Identifier: MIT
#include "waits.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "shoal/detail/machine.hpp"

namespace shoal::tool {
namespace {

auto key(const Who& who) { return std::tuple(who.pid, who.tid, who.process); }

auto fingerprint(const Wait& wait) {
  return std::tuple(wait.segment, wait.object, wait.instance, wait.generation, wait.process,
                    wait.waiter.tid, wait.owner, wait.sleepers);
}

// The users' lock in the object, where somebody alive has it.
void note_holder(const SegmentView& view, const ObjectView& object, Wait& wait) {
  for (const LockView& lock : read_locks(view, object)) {
    if (lock.inner || lock.state != LockView::State::held) continue;
    wait.holder = lock.holder;
    wait.owner = lock.owner;
    wait.sleepers = lock.sleepers;
  }
}

}  // namespace

std::vector<Wait> find_waits(const SegmentView& view) {
  std::vector<Wait> waits;
  for (const ThreadView& thread : view.threads()) {
    const ObjectView* const object = thread.waits_for ? view.object(*thread.waits_for) : nullptr;
    if (object == nullptr || !object->damage.empty()) continue;
    Wait wait;
    wait.segment = view.name();
    wait.object = object->name;
    wait.kind = object->kind;
    wait.waiter = who(view, thread);
    wait.instance = view.header().instance;
    wait.generation = object->generation;
    wait.process = thread.owner;
    try {
      note_holder(view, *object, wait);
    } catch (const Damaged&) {
      continue;  // said elsewhere
    }
    waits.push_back(std::move(wait));
  }
  return waits;
}

std::vector<Wait> unchanged(const std::vector<Wait>& first, const std::vector<Wait>& second) {
  std::vector<Wait> both;
  for (const Wait& wait : first)
    if ((wait.sleepers & detail::kSomebodySleeps) != 0 &&
        std::any_of(second.begin(), second.end(),
                    [&](const Wait& other) { return fingerprint(other) == fingerprint(wait); }))
      both.push_back(wait);
  return both;
}

// A thread waits for one lock at a time, so from each there is one way to go.
std::vector<std::vector<Wait>> find_cycles(const std::vector<Wait>& waits) {
  std::map<decltype(key(Who{})), std::size_t> by_waiter;
  for (std::size_t i = 0; i < waits.size(); ++i)
    if (waits[i].holder.pid != 0 && waits[i].holder.tid != 0)
      by_waiter.emplace(key(waits[i].waiter), i);

  std::vector<std::vector<Wait>> cycles;
  std::vector<std::size_t> seen_in(waits.size(), 0);  // the walk that came by; 0: none
  std::size_t walk = 0;
  for (const auto& entry : by_waiter) {
    ++walk;
    auto at = by_waiter.find(entry.first);
    while (at != by_waiter.end() && seen_in[at->second] == 0) {
      seen_in[at->second] = walk;
      at = by_waiter.find(key(waits[at->second].holder));
    }
    if (at == by_waiter.end() || seen_in[at->second] != walk) continue;
    std::vector<Wait> cycle;
    const std::size_t first = at->second;
    do {
      cycle.push_back(waits[at->second]);
      at = by_waiter.find(key(waits[at->second].holder));
    } while (at->second != first);
    cycles.push_back(std::move(cycle));
  }
  return cycles;
}

}  // namespace shoal::tool
