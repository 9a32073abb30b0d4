// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "subject.hpp"

namespace shoal::stress {

// A barrier under stress: all participants pass it, round after round.
//
// Oracle: each notes that it comes to a round before it does. Who is let go finds that all others have
// come to it, and has an index that nobody else has in that round. Who is not let go stalls.
//
// Where one is killed, the barrier breaks for all, as it says, if he died inside; else his next life
// breaks it. All meet outside, P0 mends it, and they begin anew: another epoch.
class BarrierSubject : public Subject {
 public:
  [[nodiscard]] std::size_t memory_size() const final;
  void set_up(void* memory, const Plan& plan) final;
  void begin(Participant& me) final;
  void step(Participant& me) final;
  void release() final { abort(); }
  [[nodiscard]] std::string diagnose(const Control& control) final;

 protected:
  [[nodiscard]] virtual std::size_t barrier_size() const { return 0; }
  virtual void set_up_barrier(void* memory, unsigned parties) = 0;
  // Throws BrokenBarrier.
  virtual int arrive_and_wait(Participant& me) = 0;
  virtual void abort() = 0;  // lets all go who wait, and those who come
  virtual void reset() = 0;
  [[nodiscard]] virtual bool is_broken() const = 0;

 private:
  struct Memory;

  void check_all_have_come(Participant& me) const;
  void check_index(Participant& me, int index) const;
  void await_break(const Participant& me) const;
  void meet_outside(Participant& me);
  void mend(const Participant& me, std::uint32_t epoch);

  Memory* memory_ = nullptr;
  unsigned parties_ = 0;
  bool has_kills_ = false;
  bool is_new_ = false;      // in this process: comes in another's place
  std::uint32_t round_ = 0;  // in this process: since the epoch began
};

}  // namespace shoal::stress
