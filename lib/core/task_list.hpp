// SPDX-License-Identifier: MIT
#pragma once

// Tasks that one process hands in, its workers do, and it takes back: once each, in the order in
// which they were handed in, whichever worker is killed.
//
//   state of a slot     meaning                               who may change it
//   ready, id           handed in                             a worker, to claimed; the master, to
//                                                             finished: it is not wanted any more
//   claimed, id, w      worker w does it                      w, to finished; who buries w, to lost
//   finished, id        done                                  the master, when it has taken it back
//   lost, id            w died                                likewise
//
// Task `id` is in slot id mod slots; the master hands it in when the one before it in that slot has
// been taken back. `next` is the first that may be ready, and lags behind: whoever finds it claimed
// moves it on. So a claim is one compare-and-swap, which says who made it, and a worker killed
// before it or after it leaves the list as sound as it was.
//
// A worker notes the task it is going to claim in a word of its own (T1) before it claims it (T2).
// Who buries the worker, which has ended by then, finds there what it may have held: claimed by it,
// and not finished, is lost. Finished, and perhaps not told yet, is told again.
//
// done: a bit for each slot, set when its task is finished or lost, and taken by the master. It may be
// set again for nothing: the state decides.
//
// Crews: workers that have the memory which newer tasks need come while older ones are still at work,
// and may only be as many as there is room for. An older worker notes a task (T1), then looks whether
// its time is over (N2); newer ones look at the older ones' notes (N4) when their time has come (N3):
// all of it sequentially consistent. So what is noted later than that look is not claimed, and room
// only grows.
//
// C1 -> C2: a worker sets the bit, then looks whether the master sleeps; the master says that it
// sleeps, then looks at the bits: each with a full barrier in between. Likewise S1 -> S2, of tasks
// handed in and idle workers.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "core/wait.hpp"

namespace shoal::core {

using TaskId = std::uint64_t;

enum class TaskPhase : std::uint64_t { none, ready, claimed, finished, lost };

using TaskState = std::uint64_t;
inline constexpr std::uint32_t kMostWorkers = 1 << 13;
inline constexpr TaskState task_state(TaskPhase phase, TaskId id, std::uint32_t worker = 0) {
  return id << 16 | TaskState{worker} << 3 | static_cast<TaskState>(phase);
}
inline constexpr TaskPhase phase_of(TaskState state) { return static_cast<TaskPhase>(state & 7); }
inline constexpr TaskId task_of(TaskState state) { return state >> 16; }

// What a master waits for: to be told of every task, or of one.
inline constexpr std::uint64_t kAnyTask = 0;
inline constexpr std::uint64_t only_task(TaskId id) { return id + 1; }

// A worker's note of the task that it claims.
inline constexpr std::uint64_t kNoTask = 0;
inline constexpr std::uint64_t note_of(TaskId id) { return id + 1; }

template <class World>
struct TaskListWords {
  template <class T>
  using Atomic = typename World::template Atomic<T>;

  alignas(64) Atomic<TaskId> submitted{};       // all below have been handed in
  Atomic<std::uint32_t> closing{};              // no more will be; idle workers leave
  Atomic<std::uint64_t> crew{};                 // workers of those before it leave
  Atomic<std::uint32_t> entering{};             // on which workers sleep that have no room yet
  alignas(64) Atomic<TaskId> next{};            // all below have been claimed
  alignas(64) Atomic<std::uint32_t> idle{};     // on which workers sleep
  alignas(64) Atomic<std::uint32_t> waiting{};  // on which the master sleeps
  Atomic<std::uint64_t> wanted{};               // of which task it is to be told then
};

// Slot has the word `state`, and `crew`, which is written before it is handed in: that of the workers
// who have the memory that the task needs. Those of later crews have it too.
template <class World, class Slot>
class TaskList {
 public:
  template <class T>
  using Atomic = typename World::template Atomic<T>;
  using Words = TaskListWords<World>;

  // Both counts are powers of two, the slots 64 for each word of bits.
  TaskList(Words& words, std::span<Slot> slots, std::span<Atomic<std::uint64_t>> done)
      : words_(words), slots_(slots), done_(done) {}

  Words& words() const { return words_; }
  Slot& slot(TaskId id) const { return slots_[id & (slots_.size() - 1)]; }
  [[nodiscard]] std::uint64_t slots() const { return slots_.size(); }

  // --- The master

  // Hands in a task, which is in its slot.
  void submit(World& world, TaskId id) const {
    slot(id).state.store(task_state(TaskPhase::ready, id), std::memory_order_relaxed);
    words_.submitted.store(id + 1, std::memory_order_release);  // S1
    world.fence();
    if ((words_.idle.load(std::memory_order_relaxed) & detail::kSomebodySleeps) != 0)  // S2
      core::wake(world, words_.idle, 1);
  }
  // Takes one back that nobody does yet. False where somebody does, or has.
  [[nodiscard]] bool cancel(TaskId id) const {
    TaskState ready = task_state(TaskPhase::ready, id);
    return slot(id).state.compare_exchange_strong(ready, task_state(TaskPhase::finished, id),
                                                  std::memory_order_acquire);
  }
  void close(World& world) const {
    words_.closing.store(1, std::memory_order_release);
    rouse(world);
  }
  void change_crew(World& world, std::uint64_t crew) const {
    words_.crew.store(crew, std::memory_order_seq_cst);  // N3
    rouse(world);
    let_enter(world);
  }
  // Calls take(id) for each that has been finished or lost since it was last asked, of those from
  // `oldest` on.
  template <class Take>
  void take_done(TaskId oldest, Take take) const {
    const TaskId end = words_.submitted.load(std::memory_order_relaxed);
    if (oldest == end) return;
    const std::uint64_t first = oldest / 64;
    const std::uint64_t count = std::min<std::uint64_t>((end - 1) / 64 - first + 1, done_.size());
    for (std::uint64_t i = 0; i < count; ++i) take_word((first + i) & (done_.size() - 1), take);
  }
  // Says of which task the master is to be told when it sleeps. True: of another than until now; it
  // has to look again then, for what has come before that was not told.
  bool want(std::uint64_t wanted) const {
    return words_.wanted.exchange(wanted, std::memory_order_seq_cst) != wanted;
  }

  // --- A worker

  // Waits until its crew's time has come and has_room() says that it may work, which it may then for
  // good. has_room() looks at the notes of older workers, sequentially consistent (N4).
  template <class HasRoom>
  void enter(World& world, std::uint64_t crew, HasRoom has_room) const {
    core::wait(world, words_.entering, detail::kForever, [&](Glance) {
      const std::uint64_t now = words_.crew.load(std::memory_order_seq_cst);
      return now > crew || (now == crew && has_room()) ? Look::done : Look::wait;
    });
  }
  // Waits for a task, which is the worker's then. Nothing: it is to leave.
  std::optional<TaskId> claim(World& world, Atomic<std::uint64_t>& note, std::uint32_t worker,
                              std::uint64_t crew) const {
    std::optional<TaskId> claimed;
    core::wait(world, words_.idle, detail::kForever, [&](Glance) {
      if (words_.crew.load(std::memory_order_acquire) > crew) return Look::done;
      const bool closing = words_.closing.load(std::memory_order_acquire) != 0;
      claimed = try_claim(note, worker, crew);
      return claimed || closing ? Look::done : Look::wait;
    });
    // A wake may have been spent on this worker while others sleep.
    if (claimed)
      core::pass_on(world, words_.idle, has_more());
    else
      leave(world, note);
    return claimed;
  }
  // It is done, and the result where the master will look for it.
  void finish(World& world, Atomic<std::uint64_t>& note, TaskId id) const {
    slot(id).state.store(task_state(TaskPhase::finished, id), std::memory_order_release);
    tell(world, id);
    note.store(kNoTask, std::memory_order_relaxed);
  }

  // --- Who has waited for a worker's end

  // Calls lose(slot) before a task that it has lost is given back.
  template <class Lose>
  void bury(World& world, Atomic<std::uint64_t>& note, std::uint32_t worker, Lose lose) const {
    const std::uint64_t noted = note.load(std::memory_order_acquire);
    if (noted != kNoTask) bury_claim(world, noted - 1, worker, lose);
    note.store(kNoTask, std::memory_order_release);
    let_enter(world);
  }

 private:
  template <class Lose>
  void bury_claim(World& world, TaskId id, std::uint32_t worker, Lose lose) const {
    Slot& held = slot(id);
    if (held.state.load(std::memory_order_acquire) == task_state(TaskPhase::claimed, id, worker)) {
      lose(held);
      held.state.store(task_state(TaskPhase::lost, id), std::memory_order_release);
    }
    if constexpr (World::kMutant != Mutant::burial_says_nothing) tell(world, id);
  }

  void leave(World& world, Atomic<std::uint64_t>& note) const {
    note.store(kNoTask, std::memory_order_release);  // it may have noted what another one claimed
    rouse(world);
    let_enter(world);
  }

  std::optional<TaskId> try_claim(Atomic<std::uint64_t>& note, std::uint32_t worker,
                                  std::uint64_t crew) const {
    for (;;) {
      TaskId id = words_.next.load(std::memory_order_acquire);
      if (id >= words_.submitted.load(std::memory_order_acquire)) return std::nullopt;
      TaskState state = task_state(TaskPhase::ready, id);
      bool is_mine = false;
      if (slot(id).state.load(std::memory_order_acquire) == state) {
        // Looked at before the claim: the crew may have changed since the worker asked.
        if (slot(id).crew > crew) return std::nullopt;
        constexpr bool too_late = World::kMutant == Mutant::note_after_claim;
        if (!too_late) note.store(note_of(id), std::memory_order_seq_cst);  // T1
        if (World::kMutant != Mutant::claim_without_a_look &&
            words_.crew.load(std::memory_order_seq_cst) > crew)  // N2
          return std::nullopt;
        is_mine = slot(id).state.compare_exchange_strong(  // T2
            state, task_state(TaskPhase::claimed, id, worker), std::memory_order_acq_rel);
      }
      if (World::kMutant == Mutant::note_after_claim && is_mine)
        note.store(note_of(id), std::memory_order_release);
      TaskId expected = id;
      words_.next.compare_exchange_strong(expected, id + 1, std::memory_order_acq_rel);
      if (is_mine) return id;
    }
  }

  [[nodiscard]] bool has_more() const {
    return words_.next.load(std::memory_order_relaxed) <
           words_.submitted.load(std::memory_order_relaxed);
  }

  void tell(World& world, TaskId id) const {
    const std::uint64_t index = id & (slots_.size() - 1);
    done_[index / 64].fetch_or(std::uint64_t{1} << index % 64, std::memory_order_seq_cst);  // C1
    world.fence();
    if ((words_.waiting.load(std::memory_order_seq_cst) & detail::kSomebodySleeps) == 0)
      return;  // C2
    const std::uint64_t wanted = words_.wanted.load(std::memory_order_seq_cst);
    if (wanted == kAnyTask || wanted == only_task(id))
      core::wake(world, words_.waiting, kEverybody);
  }

  void rouse(World& world) const { wake_all(world, words_.idle); }
  void let_enter(World& world) const { wake_all(world, words_.entering); }
  void wake_all(World& world, Atomic<std::uint32_t>& word) const {
    world.fence();
    if ((word.load(std::memory_order_relaxed) & detail::kSomebodySleeps) != 0)
      core::wake(world, word, kEverybody);
  }

  template <class Take>
  void take_word(std::uint64_t word, Take& take) const {
    if (done_[word].load(std::memory_order_relaxed) == 0) return;
    std::uint64_t bits = done_[word].exchange(0, std::memory_order_acq_rel);
    for (std::uint64_t bit = 0; bits != 0; ++bit, bits >>= 1) {
      if ((bits & 1) == 0) continue;
      const TaskState state = slots_[word * 64 + bit].state.load(std::memory_order_acquire);
      const TaskPhase phase = phase_of(state);
      if (phase == TaskPhase::finished || phase == TaskPhase::lost) take(task_of(state));
    }
  }

  Words& words_;
  const std::span<Slot> slots_;
  const std::span<Atomic<std::uint64_t>> done_;
};

}  // namespace shoal::core
