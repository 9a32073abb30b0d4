// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "subject.hpp"

namespace shoal::stress {

// An event under stress: P0 sets it and clears it at once, again and again; all others wait.
//
// Oracle: P0 raises `pulse` before it sets the event, and does so only when all others wait, as the
// event says. Each of them must come back, having seen the pulse, before P0 goes on: else it stalls.
// And nobody may come back in between. Of who is condemned nothing is expected.
class EventSubject : public Subject {
 public:
  [[nodiscard]] std::size_t memory_size() const final;
  void set_up(void* memory, const Plan& plan) final;
  void begin(Participant& me) final;
  void step(Participant& me) final { me.index() == 0 ? pulse(me) : wait(me); }
  void release() final { set(); }
  [[nodiscard]] std::string diagnose(const Control& control) final;

 protected:
  [[nodiscard]] virtual std::size_t event_size() const { return 0; }
  virtual void set_up_event(void* memory) = 0;
  virtual void set() = 0;
  virtual void clear() = 0;
  virtual void await(Participant& me) = 0;
  // How many wait, and live.
  [[nodiscard]] virtual unsigned waiting() const = 0;

 private:
  struct Memory;

  void pulse(Participant& me);
  void settle(const Participant& me);
  void wait(Participant& me);
  [[nodiscard]] bool is_settled() const;
  void note(const Participant& me, std::uint32_t pulse) const;
  [[nodiscard]] std::uint64_t note_of(unsigned index) const;

  Memory* memory_ = nullptr;
  unsigned processes_ = 0;
};

}  // namespace shoal::stress
