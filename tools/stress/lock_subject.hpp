// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "section.hpp"
#include "subject.hpp"

namespace shoal::stress {

// A lock under stress: each step takes it, visits the section that it protects, and gives it back.
class LockSubject : public Subject {
 public:
  [[nodiscard]] std::size_t memory_size() const final { return lock_at() + lock_size(); }
  void set_up(void* memory, const Plan& plan) final {
    section_.set_up(memory, plan);
    set_up_lock(static_cast<std::byte*>(memory) + lock_at(), plan);
  }
  void step(Participant& me) override {
    rest(me);
    const bool told = me.timed([&] { return lock(me); });
    section_.visit(me, told, is_silent());
    unlock(me);
  }
  [[nodiscard]] std::string diagnose(const Control& control) override {
    return section_.diagnose(control);
  }
  [[nodiscard]] std::string check() final { return section_.check(); }

 protected:
  // Bytes of shared memory that the lock itself needs; aligned to 4096 and zeroed.
  [[nodiscard]] virtual std::size_t lock_size() const = 0;
  virtual void set_up_lock(void* memory, const Plan& plan) = 0;
  // Did the lock say that who held it before died holding it?
  virtual bool lock(Participant& me) = 0;
  virtual void unlock(Participant& me) = 0;
  // Before it is taken: nothing, that is, as soon as it can be.
  virtual void rest(Participant&) {}
  // It says nothing of the dead, and need not.
  [[nodiscard]] virtual bool is_silent() const { return true; }
  [[nodiscard]] const Section& section() const { return section_; }

 private:
  static std::size_t lock_at() {
    constexpr std::size_t alignment = 4096;
    return (Section::memory_size() + alignment - 1) / alignment * alignment;
  }
  Section section_;
};

}  // namespace shoal::stress
