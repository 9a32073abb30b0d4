// SPDX-License-Identifier: MIT
#pragma once

// Who is at the two ends of a pipe; the words are in shoal/detail/pipe_word.hpp.
//
// What each step leaves behind when its process is killed right after it:
//
//   take    holder                   a dead holder: as before
//           end = held               the same; who looks closely says: gone
//           other end = awaited      the same
//   leave   holder = 0               nobody alive: the same
//           end = gone               sleepers find out when their slices end
//
// Memory-order pairs.
//   E1 -> E2   who leaves an end has sent before it takes its name off (release); who misses that
//              (acquire), and looks at tail again, sees what it sent. Likewise the dead: the kernel
//              drops their lock after their last store.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/wait.hpp"
#include "core/world.hpp"
#include "shoal/detail/pipe_word.hpp"

namespace shoal::core {

template <class World>
using PipeWordOf = detail::BasicPipeWord<typename World::Atomics>;

template <class World>
class PipeEnds {
 public:
  using Holder = typename World::template Atomic<OwnerValue>;
  // `holders`: those of the first end, then those of the second.
  PipeEnds(World& world, PipeWordOf<World>& word, std::span<Holder> holders)
      : world_(world), word_(word), holders_(holders) {}

  // Requires the directory lock. False where a live process holds it, and be it this one.
  bool take(int end, OwnerValue me) {
    if (has_live_holder(end)) return false;
    const bool was_held = phase(end) != detail::EndPhase::awaited;
    holder(end, me).store(me, std::memory_order_release);
    turn(end, detail::EndPhase::held);
    // Both had gone: a new beginning, in which the other one is not missed but waited for.
    if (was_held && is_gone(1 - end)) turn(1 - end, detail::EndPhase::awaited);
    return true;
  }

  // Requires the directory lock. The child that is about to be made shares what its parent holds.
  void share(OwnerValue parent, OwnerValue child) {
    for (const int end : {0, 1}) {
      if (!is_held_by(end, parent)) continue;
      holder(end, child).store(child, std::memory_order_release);
      turn(end, detail::EndPhase::held);
    }
  }

  // Also what burial does.
  void leave(int end, OwnerValue who) {
    if (!is_held_by(end, who)) return;
    holder(end, who).store(detail::kNobody, std::memory_order_release);  // E1
    static_cast<void>(is_gone(end));
    wake_all();
  }

  bool is_held_by(int end, OwnerValue who) {
    return holder(end, who).load(std::memory_order_acquire) == who;
  }
  // As far as anybody has noticed.
  bool looks_gone(int end) const { return phase(end) == detail::EndPhase::gone; }
  // Asks the kernel.
  bool is_gone(int end) {
    for (;;) {
      std::uint64_t seen = word_.ends[end].load(std::memory_order_acquire);
      if (detail::phase_of(seen) != detail::EndPhase::held)
        return detail::phase_of(seen) == detail::EndPhase::gone;
      if (has_live_holder(end)) return false;
      if (word_.ends[end].compare_exchange_strong(
              seen, detail::next_end(seen, detail::EndPhase::gone), std::memory_order_seq_cst,
              std::memory_order_relaxed))
        return true;
    }
  }

  // Whether the flags say that somebody sleeps or not: this is no fast path.
  void wake_all() {
    world_.fence();  // M1
    for (auto& lane : word_.lanes) {
      core::wake(world_, lane.data_sleepers, kEverybody);
      core::wake(world_, lane.space_sleepers, kEverybody);
    }
  }

 private:
  detail::EndPhase phase(int end) const {
    return detail::phase_of(word_.ends[end].load(std::memory_order_acquire));
  }
  std::size_t processes() const { return holders_.size() / 2; }
  Holder& holder(int end, OwnerValue who) {
    return holders_[static_cast<std::size_t>(end) * processes() + detail::record_of(who)];
  }
  bool has_live_holder(int end) {
    for (Holder& holder :
         holders_.subspan(static_cast<std::size_t>(end) * processes(), processes()))
      if (const OwnerValue who = holder.load(std::memory_order_acquire);  // E2
          who != detail::kNobody && world_.alive(who))
        return true;
    return false;
  }
  void turn(int end, detail::EndPhase phase) {
    std::uint64_t seen = word_.ends[end].load(std::memory_order_relaxed);
    while (!word_.ends[end].compare_exchange_strong(seen, detail::next_end(seen, phase),
                                                    std::memory_order_seq_cst,
                                                    std::memory_order_relaxed)) {
    }
  }

  World& world_;
  PipeWordOf<World>& word_;
  const std::span<Holder> holders_;
};

}  // namespace shoal::core
