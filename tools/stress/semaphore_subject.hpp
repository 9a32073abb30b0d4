// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "subject.hpp"

namespace shoal::stress {

// A semaphore under stress: each step acquires a permit, keeps it for a moment, and gives it back.
//
// Oracle: each participant notes that it begins, and that it ceases, to hold a permit. Where two
// readings of all notes find the same, they were all true at one moment; never may more hold one than
// there are permits. Who is condemned does not count: he may be dead, and another have his permit.
class SemaphoreSubject : public Subject {
 public:
  [[nodiscard]] std::size_t memory_size() const final;
  void set_up(void* memory, const Plan& plan) final;
  void begin(Participant& me) final;
  void step(Participant& me) final;
  [[nodiscard]] std::string diagnose(const Control& control) final;

 protected:
  static constexpr unsigned kMostKinds = 2;

  // Bytes of shared memory that it needs; aligned and zeroed.
  [[nodiscard]] virtual std::size_t semaphore_size() const { return 0; }
  virtual void set_up_semaphore(void* memory, const Plan& plan, int permits) = 0;
  // There may be several, each with as many permits; a step uses one of them.
  [[nodiscard]] virtual unsigned kinds() const { return 1; }
  virtual void acquire(Participant& me, unsigned kind) = 0;
  virtual void give_back(unsigned kind) = 0;

  [[nodiscard]] int permits() const { return permits_; }

 private:
  struct Memory;

  [[nodiscard]] std::string find_too_many(const Participant& me, unsigned kind) const;

  Memory* memory_ = nullptr;
  unsigned processes_ = 0;
  int permits_ = 0;
};

}  // namespace shoal::stress
