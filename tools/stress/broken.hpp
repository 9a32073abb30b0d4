// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "lock_subject.hpp"
#include "os/cpu.hpp"

// What locks that are wrong have in common.
namespace shoal::stress {

constexpr std::int64_t kAnHour = 3'600'000'000'000;  // in nanoseconds

using Word = std::atomic<std::uint32_t>;

// Waits for something that is going to happen at once, or as soon as somebody has a CPU.
template <class Condition>
void spin_while(Condition&& condition) {
  for (unsigned i = 1; condition(); ++i) i % 256 == 0 ? os::yield() : os::pause();
}

// Its words on cache lines of their own, as one would have them.
template <class State>
class WordLock : public LockSubject {
  [[nodiscard]] std::size_t lock_size() const override { return sizeof(State); }
  void set_up_lock(void* memory, const Plan&) override { state_ = ::new (memory) State(); }

 protected:
  [[nodiscard]] State& state() const { return *state_; }

 private:
  State* state_ = nullptr;
};

struct alignas(64) Line {
  Word word;
};

// --- How they are put under stress

inline constexpr double kBrokenSeconds = 2;
// That they are wrong is known: there is no harm in believing so early. Of those who spin only the
// time counts that all of them had.
inline constexpr double kBrokenPatience = 0.25;
inline constexpr double kSpinningPatience = 0.1;

// Interrupted where it matters: one CPU is enough.
inline Plan interrupted(unsigned processes, double patience = kBrokenPatience) {
  return {.processes = processes,
          .seconds = kBrokenSeconds,
          .inject = Inject::yield,
          .patience = patience};
}
// At full speed, so that they meet.
inline Plan undisturbed(unsigned processes) {
  return {.processes = processes, .seconds = kBrokenSeconds, .patience = kBrokenPatience};
}

template <class S>
std::unique_ptr<Subject> make() {
  return std::make_unique<S>();
}

}  // namespace shoal::stress
