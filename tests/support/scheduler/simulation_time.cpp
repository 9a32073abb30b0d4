// SPDX-License-Identifier: MIT
//
// Of a simulation: what happens when nobody can run.

#include <algorithm>

#include "support/scheduler/simulation.hpp"

namespace shoal_test {

namespace {

constexpr int kIdleRoundsBeforeSleepsEnd = 4;
constexpr std::int64_t kIdleRound = 1'000'000;  // nanoseconds

}  // namespace

void Simulation::end_sleep(Participant& sleeper) {
  move(sleeper.number, State::ready);
  now_ = std::max(now_, sleeper.wakes_at);
  ++outcome_.timeouts;
  observed_ = true;
  memory_.note_change();
}

void Simulation::let_time_pass() {
  if (++idle_rounds_ > options_.idle_rounds) return violate("hang: everybody waits in vain");
  if (++idle_rounds_without_change_ <= kIdleRoundsBeforeSleepsEnd && resume_paused()) return;
  idle_rounds_without_change_ = 0;
  end_first_sleep();
}

bool Simulation::resume_paused() {
  const Crowd paused = in(State::paused);
  for (const int number : paused) move(number, State::ready);
  if (!paused.empty()) now_ += kIdleRound;
  return !paused.empty();
}

void Simulation::end_first_sleep() {
  Participant* first = nullptr;
  for (const int number : asleep_for_a_time()) {
    if (first == nullptr || at(number).wakes_at < first->wakes_at) first = &at(number);
  }
  if (first == nullptr) {
    if (!resume_paused()) violate("hang: everybody sleeps for ever");
    return;
  }
  if (outcome_.kills == 0 && !options_.timeouts_expected) {
    return violate(std::string("lost wake-up: ") + static_cast<char>('a' + first->number) +
                   " sleeps, and nobody is left who would wake it");
  }
  end_sleep(*first);
}

}  // namespace shoal_test
