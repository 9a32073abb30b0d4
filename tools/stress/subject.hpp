// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "participant.hpp"
#include "plan.hpp"

namespace shoal::stress {

// A Subject is what `shoal stress` puts under load: a type of shoal's, a lock of a plugin's, or an
// algorithm that is wrong; together with the oracle that tells whether it did what it should.
//
//   class Counting : public Subject {
//     struct Memory { std::atomic<std::uint64_t> counter; };
//     std::size_t memory_size() const override { return sizeof(Memory); }
//     void set_up(void* memory, const Plan&) override { memory_ = new (memory) Memory(); }
//     void step(Participant& me) override {
//       me.timed([&] { lock_.lock(); });            // what is measured as a wait
//       const auto seen = load(memory_->counter);
//       me.pause();                                 // where an interruption would hurt most
//       if (load(memory_->counter) != seen) me.fail("somebody else was in the section");
//       ...
//     }
//   };
//
// The engine forks the participants, and calls each function where it says below. What participants
// share is in `memory`, at the same address in all of them, and nowhere else; handles of shoal's made
// in set_up() are valid in them. Memory for an oracle holds atomics, accessed relaxed: anything
// stronger would be a fence that the algorithm under test may lack.
//
// Where the plan has kills, any participant may end at any instruction of step(), by SIGKILL, and
// another life of the same index begins then, in a new process. Its oracle must allow for what was
// cut off: Participant::is_condemned() tells whether somebody may be dead, before it is told by what
// is under test; killed() is called when it is.
class Subject {
 public:
  Subject() = default;
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  virtual ~Subject() = default;

  // Bytes of zeroed shared memory, aligned to a page.
  [[nodiscard]] virtual std::size_t memory_size() const = 0;
  // Once, in the engine's process, before there are participants.
  virtual void set_up(void* memory, const Plan& plan) = 0;

  // --- In a participant's process

  // At the beginning of each of its lives.
  virtual void begin(Participant&) {}
  // One operation, or a round of them that belong together; one step of progress. Again and again
  // until Participant::stopping(). What it throws is a failure.
  virtual void step(Participant& me) = 0;

  // --- In the engine's process

  // That participant has been killed, and its end has been waited for; its next life has not begun.
  virtual void killed(unsigned /*index*/) {}
  // The time is over, and participants leave after their current step: lets those go who wait for
  // what nobody may come to do any more (close the queue, abort the barrier, release permits).
  virtual void release() {}
  // Somebody has not got on for too long, and this is a failure: what there is to say of it, or
  // nothing. "P1 was killed holding it"
  [[nodiscard]] virtual std::string diagnose(const Control&) { return {}; }
  // All participants have left by themselves: what is wrong with the sums, or nothing.
  [[nodiscard]] virtual std::string check() { return {}; }
};

}  // namespace shoal::stress
