// SPDX-License-Identifier: MIT
//
// Of a simulation: what a step of a participant does, on atomics and in the kernel.

#include <algorithm>

#include "support/scheduler/simulation.hpp"

namespace shoal_test {

namespace {

// A look without a change costs nothing to repeat once: code that looks and then sleeps must get
// to sleep. Whoever looks more often is spinning.
constexpr int kFruitlessLooks = 1;

constexpr int kMaxAges = 24;  // of one load; what is older still is not offered

}  // namespace

int Simulation::location(const void* address, std::uint64_t newest) {
  const int location = memory_.locate(address, newest);
  if (location < 0) fail("the model has too many atomics");
  return location;
}

std::uint64_t Simulation::load(const void* address, std::uint64_t newest, std::memory_order order) {
  const int where = location(address, newest);
  const int older = stale_reads_left_ == 0 ? 0 : memory_.older(running_, where, order);
  std::size_t age = 0;
  if (older > 0) {
    const auto ages = static_cast<std::size_t>(std::min(older + 1, kMaxAges));
    age = strategy_->choose_age(ages, moment());
  }
  if (age > 0) {
    --stale_reads_left_;
    ++outcome_.stale_reads;
    schedule_.back().age = age;
  }
  return memory_.read(running_, where, static_cast<int>(age), order);
}

void Simulation::store(const void* address, std::uint64_t newest, std::uint64_t value,
                       std::memory_order order) {
  memory_.write(running_, location(address, newest), value, order);
}

void Simulation::update(const void* address, std::uint64_t newest, std::uint64_t value,
                        std::memory_order order) {
  memory_.update(running_, location(address, newest), value, order);
}

void Simulation::observe(const void* address, std::uint64_t newest, std::memory_order order) {
  memory_.read(running_, location(address, newest), 0, order);
}

// The kernel.

void Simulation::pause() {
  if (yielding_) step();  // nothing but pauses: these are steps, too
  Participant& self = running();
  memory_.catch_up(running_);
  const std::uint64_t changes = memory_.changes_by_others(running_);
  self.fruitless_looks = changes == self.changes_seen ? self.fruitless_looks + 1 : 0;
  self.changes_seen = changes;
  if (self.fruitless_looks > kFruitlessLooks) move(self.number, State::paused);
  yielding_ = true;
}

void Simulation::fence() {
  step();
  memory_.full_barrier(running_);
}

bool Simulation::barrier() {
  step();
  ++outcome_.barriers;
  if (options_.barrier_works) memory_.full_barrier_everywhere();
  return options_.barrier_works;
}

void Simulation::fall_asleep(const void* address, std::int64_t nanoseconds) {
  Participant& self = running();
  ++outcome_.sleeps;
  move(self.number, State::asleep);
  self.word = address;
  self.ticket = next_ticket_++;
  self.wakes_at = nanoseconds > kForEver - now_ ? kForEver : now_ + nanoseconds;
  after_step();
  switch_to_next(self.fiber);
  ++outcome_.steps;
  memory_.full_barrier(self.number);
}

void Simulation::wake(const void* address, int sleepers) {
  step();
  ++outcome_.wakes;
  observed_ = true;
  memory_.full_barrier(running_);
  for (; sleepers > 0; --sleepers) {
    Participant* oldest = nullptr;
    for (const int number : in(State::asleep)) {
      Participant& participant = at(number);
      if (participant.word != address) continue;
      if (oldest == nullptr || participant.ticket < oldest->ticket) oldest = &participant;
    }
    if (oldest == nullptr) return;
    move(oldest->number, State::ready);
  }
}

bool Simulation::alive(std::uint64_t owner) {
  step();
  observed_ = true;
  memory_.full_barrier(running_);
  for (int i = 0; i < count_; ++i) {
    if (program_.owner(i) != owner) continue;
    const Crowd dead = process_of(i) & in(State::dead);
    return dead.empty();
  }
  return false;
}

void Simulation::set_killable(bool killable) {
  int& protection = running().protection;
  protection += killable ? -1 : 1;
  const Crowd self = Crowd::of(running_);
  protected_ = protection > 0 ? protected_ | self : protected_ - self;
}

}  // namespace shoal_test
