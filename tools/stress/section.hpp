// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "participant.hpp"
#include "plan.hpp"

namespace shoal::stress {

// What a lock protects, and what tells whether it did: a word that says who is inside, and a counter
// that loses updates as soon as two are.
//
// It is made of relaxed atomics: plain moves, no fence. A holder that is killed leaves a log from
// which the next one learns how far he got, so that sums are exact with kills too.
class Section {
 public:
  struct Memory;
  static std::size_t memory_size();
  void set_up(void* memory, const Plan& plan);

  // By the holder. `told`: the lock said that the one before died holding it. `silent`: it is one that
  // does not tell.
  void visit(Participant& me, bool told, bool silent) const;
  // Who is inside, for a stall's explanation.
  [[nodiscard]] std::string diagnose(const Control& control) const;
  // When all have left: the updates that are missing, or nothing.
  [[nodiscard]] std::string check() const;

 private:
  void enter(Participant& me, bool told, bool silent) const;
  void settle(unsigned dead) const;
  void audit(Participant& me) const;
  [[nodiscard]] std::string sum() const;

  Memory* memory_ = nullptr;
  unsigned processes_ = 0;
};

}  // namespace shoal::stress
