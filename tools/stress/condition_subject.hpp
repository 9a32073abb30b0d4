// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "subject.hpp"

namespace shoal::stress {

// A condition under stress: P0 makes tickets for some of those who wait, and notifies as many; each
// of the others waits for one.
//
// Oracle: P0 goes on when all tickets are taken: where a notify is lost, it stalls. And who comes back
// notified must find a ticket, else one too many was woken: tickets are for those only who have waited.
// Where participants are killed or everybody is woken at once, this cannot be said: then who comes
// may take a ticket that is there without waiting, for the one whom it was for may be dead.
class ConditionSubject : public Subject {
 public:
  [[nodiscard]] std::size_t memory_size() const final;
  void set_up(void* memory, const Plan& plan) final;
  void begin(Participant& me) final;
  void step(Participant& me) final;
  void release() final;
  [[nodiscard]] std::string diagnose(const Control& control) final;
  [[nodiscard]] std::string check() final;

 protected:
  [[nodiscard]] virtual std::size_t condition_size() const { return 0; }
  virtual void set_up_condition(void* memory, const Plan& plan) = 0;
  virtual void lock() = 0;
  virtual void unlock() = 0;
  // Requires the lock, and has it again when it returns. False where it was not notified.
  virtual bool wait(Participant& me) = 0;
  virtual bool wait_briefly(Participant& me) { return wait(me); }  // gives up
  virtual void notify(int n) = 0;
  virtual void notify_all() = 0;
  // Wakes just as many as it is to.
  [[nodiscard]] virtual bool is_exact() const = 0;

 private:
  struct Memory;

  void hand_out(Participant& me);
  unsigned lock_with_waiters(Participant& me);
  [[nodiscard]] unsigned count_waiters(const Participant& me) const;
  void take_ticket(Participant& me);
  void await_ticket(Participant& me);
  void await_notify(Participant& me);
  bool wait_as_waiter(Participant& me);
  [[nodiscard]] std::uint64_t tickets() const;

  Memory* memory_ = nullptr;
  bool has_kills_ = false;
  bool may_barge_ = false;
};

}  // namespace shoal::stress
