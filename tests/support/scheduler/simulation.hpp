// SPDX-License-Identifier: MIT
#pragma once

// One run of a program: its participants as fibers, one step at a time.
//
// A step is one atomic operation or one call of the kernel, with everything the participant does
// on its own until its next one. Before each step the strategy is asked who goes next.
//
//   state      meaning                                        becomes
//   ready      can take its next step                         any of the others
//   paused     has looked again and again, seen no change     ready, once somebody changed
//   something
//              and said pause()                               or nobody else can run
//   asleep     in sleep()                                     ready: woken, or its time is over
//   finished   its function has returned; still alive         -
//   dead       killed: never runs again, alive() is false     -
//
// Time stands still while anybody can run. When nobody can, the paused look again; and when that
// has not helped either, the sleep that ends first ends. Unless somebody was killed or the options
// expect it, that is a violation: a wake-up was lost.
//
// Kills are offered where they can make a difference: after a step of the one to be killed, and
// wherever somebody has just looked or acted beyond memory (alive, wake, the end of a sleep).
// Between these places a kill commutes with every step of the others. Participants of one owner value
// are a process: a kill is of all of them at once, and of none while one of them is protected.

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "support/scheduler/fiber.hpp"
#include "support/scheduler/memory.hpp"
#include "support/scheduler/options.hpp"
#include "support/scheduler/program.hpp"
#include "support/scheduler/strategy.hpp"

namespace shoal_test {

class Simulation {
 public:
  Simulation(Program& program, const Options& options);

  // Runs the program once, afresh. What happened can be asked until the next run.
  void run(Strategy& strategy);

  const std::string& violation() const { return violation_; }
  const Schedule& schedule() const { return schedule_; }
  const Outcome& outcome() const { return outcome_; }
  std::uint64_t fingerprint() const;

  // The simulation whose participant is running right now; nullptr outside of participants.
  static Simulation* current() { return current_; }

  // The rest is called by participants.

  void step();
  [[noreturn]] void fail(std::string_view message);

  std::uint64_t load(const void* address, std::uint64_t newest, std::memory_order order);
  void store(const void* address, std::uint64_t newest, std::uint64_t value,
             std::memory_order order);
  void update(const void* address, std::uint64_t newest, std::uint64_t value,
              std::memory_order order);
  void observe(const void* address, std::uint64_t newest, std::memory_order order);
  void forget(const void* address) { memory_.forget(address); }

  std::int64_t now() const { return now_; }
  void pause();
  void fence();
  bool barrier();
  // `look` is called when the kernel compares; true if the word is as expected.
  template <class Look>
  void sleep(const void* address, Look look, std::int64_t nanoseconds);
  void wake(const void* address, int sleepers);
  bool alive(std::uint64_t owner);
  void set_killable(bool killable);

 private:
  enum class State : std::uint8_t { ready, paused, asleep, finished, dead };
  static constexpr std::size_t kStates = 5;

  struct Participant {
    Fiber fiber;
    Simulation* simulation = nullptr;
    int number = 0;
    bool started = false;
    int protection = 0;              // > 0: may not be killed
    int fruitless_looks = 0;         // pauses in a row without a change by others
    std::uint64_t changes_seen = 0;  // by others, at the last pause
    const void* word = nullptr;      // asleep on
    std::uint64_t ticket = 0;        // order of falling asleep
    std::int64_t wakes_at = 0;
  };

  static constexpr std::int64_t kForEver = std::numeric_limits<std::int64_t>::max();

  static void enter(void* argument);
  Participant& running() { return participants_[static_cast<std::size_t>(running_)]; }
  Participant& at(int number) { return participants_[static_cast<std::size_t>(number)]; }
  const Participant& at(int number) const {
    return participants_[static_cast<std::size_t>(number)];
  }
  Crowd in(State state) const { return crowds_[static_cast<std::size_t>(state)]; }
  void move(int number, State state);

  void prepare();
  void start_participants();
  void after_step();
  void switch_to_next(Fiber& from);
  int next();
  bool over() const { return (in(State::finished) | in(State::dead)) == Crowd::all(count_); }

  Offers offers() const;
  Crowd enabled() const;
  Crowd killable() const;
  Crowd process_of(int number) const { return processes_[static_cast<std::size_t>(number)]; }
  Crowd asleep_for_a_time() const;
  Moment moment() const { return {outcome_.steps, running_, schedule_.size()}; }
  void take_step(int number);
  void kill(int number);
  void end_sleep(Participant& sleeper);
  void let_time_pass();
  bool resume_paused();
  void end_first_sleep();

  int location(const void* address, std::uint64_t newest);
  void fall_asleep(const void* address, std::int64_t nanoseconds);
  void violate(std::string message);
  void leave();

  static inline Simulation* current_ = nullptr;

  Program& program_;
  const Options options_;
  const int count_;
  const bool has_invariant_;
  Strategy* strategy_ = nullptr;
  Memory memory_;
  Fiber main_;
  std::array<Participant, kMaxParticipants> participants_;
  std::array<Crowd, kStates> crowds_;  // each participant is in one
  Crowd protected_;                    // may not be killed
  // Of each participant: who has its owner value.
  std::array<Crowd, kMaxParticipants> processes_;

  // Of the current run:
  int running_ = -1;       // who took the last step
  bool yielding_ = false;  // and has paused since: to go on with another is no preemption
  bool observed_ = true;   // the last step looked or acted beyond memory
  int preemptions_left_ = 0;
  int kills_left_ = 0;
  int stale_reads_left_ = 0;
  int early_timeouts_left_ = 0;
  int idle_rounds_ = 0;
  int idle_rounds_without_change_ = 0;
  std::int64_t now_ = 0;
  std::uint64_t next_ticket_ = 0;
  std::string violation_;
  Schedule schedule_;
  Outcome outcome_;
};

template <class Look>
void Simulation::sleep(const void* address, Look look, std::int64_t nanoseconds) {
  step();
  memory_.full_barrier(running_);
  if (look() && nanoseconds > 0) {
    fall_asleep(address, nanoseconds);
  } else {
    pause();  // a loop around a sleep that is none is a spin
  }
}

}  // namespace shoal_test
