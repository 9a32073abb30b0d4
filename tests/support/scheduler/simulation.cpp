// SPDX-License-Identifier: MIT
#include "support/scheduler/simulation.hpp"

#include <exception>
#include <utility>

namespace shoal_test {

namespace {

constexpr std::int64_t kBeginning = 1'000'000'000;  // of time, in nanoseconds: 0 may mean never

}  // namespace

Simulation::Simulation(Program& program, const Options& options)
    : program_(program),
      options_(options),
      count_(program.participants()),
      has_invariant_(program.has_invariant()) {
  for (int i = 0; i < count_; ++i) {
    at(i).simulation = this;
    at(i).number = i;
    for (int other = 0; other < count_; ++other) {
      Crowd& process = processes_[static_cast<std::size_t>(i)];
      if (program.owner(other) == program.owner(i)) process = process | Crowd::of(other);
    }
  }
}

// A run.

void Simulation::run(Strategy& strategy) {
  strategy_ = &strategy;
  prepare();
  start_participants();
  if (violation_.empty()) switch_to_next(main_);
  current_ = nullptr;
  if (violation_.empty()) violation_ = program_.check(outcome_);
}

void Simulation::prepare() {
  program_.construct();
  memory_.reset(count_);
  crowds_ = {};
  crowds_[static_cast<std::size_t>(State::ready)] = Crowd::all(count_);
  protected_ = {};
  running_ = -1;
  yielding_ = false;
  observed_ = true;
  preemptions_left_ = options_.mode == Mode::pct ? options_.steps : options_.preemptions;
  kills_left_ = options_.kills;
  stale_reads_left_ = options_.stale_reads;
  early_timeouts_left_ = options_.early_timeouts;
  idle_rounds_ = 0;
  idle_rounds_without_change_ = 0;
  now_ = kBeginning;
  next_ticket_ = 0;
  violation_.clear();
  schedule_.clear();
  outcome_ = {};
}

// Each participant runs up to its first step, and waits there for its turn.
void Simulation::start_participants() {
  for (int i = 0; i < count_ && violation_.empty(); ++i) {
    Participant& participant = at(i);
    participant.started = false;
    participant.protection = 0;
    participant.fruitless_looks = 0;
    participant.changes_seen = 0;
    participant.fiber.start(&enter, &participant);
    running_ = i;
    current_ = this;
    Fiber::change(main_, participant.fiber);
  }
  running_ = -1;
  yielding_ = false;
}

void Simulation::enter(void* argument) {
  Participant& self = *static_cast<Participant*>(argument);
  Simulation& simulation = *self.simulation;
  try {
    simulation.program_.run(self.number);
  } catch (const std::exception& error) {
    simulation.violate(std::string("a participant threw: ") + error.what());
  }
  simulation.move(self.number, State::finished);
  if (!self.started || !simulation.violation_.empty()) simulation.leave();
  simulation.after_step();
  simulation.switch_to_next(self.fiber);
}

void Simulation::leave() { Fiber::change(running().fiber, main_); }

void Simulation::violate(std::string message) {
  if (violation_.empty()) violation_ = std::move(message);
}

void Simulation::fail(std::string_view message) {
  violate(std::string(message));
  leave();
  std::terminate();  // nobody changes back to a run that is over
}

std::uint64_t Simulation::fingerprint() const {
  std::uint64_t dead = 0;
  for (const bool killed : outcome_.killed) dead = dead * 2 + (killed ? 1 : 0);
  return memory_.fingerprint() + dead;
}

// Steps.

void Simulation::step() {
  Participant& self = running();
  if (!self.started) {
    self.started = true;
    leave();
  } else {
    after_step();
    switch_to_next(self.fiber);
  }
  if (++outcome_.steps > options_.steps) fail("hang: the run takes too many steps");
}

void Simulation::after_step() {
  if (!has_invariant_) return;
  current_ = nullptr;  // so that it looks at memory as it is
  std::string broken = program_.invariant();
  current_ = this;
  if (broken.empty()) return;
  violate(std::move(broken));  // and leave nothing on a stack that is not unwound
  leave();
}

// Goes on with whoever is next, or ends the run. Returns when `from` is next.
void Simulation::switch_to_next(Fiber& from) {
  const int number = next();
  Fiber& to = number < 0 ? main_ : at(number).fiber;
  if (&to != &from) Fiber::change(from, to);
}

// To another state.
void Simulation::move(int number, State state) {
  for (Crowd& crowd : crowds_) crowd = crowd - Crowd::of(number);
  Crowd& there = crowds_[static_cast<std::size_t>(state)];
  there = there | Crowd::of(number);
}

// Who takes the next step; -1 when the run is over.
int Simulation::next() {
  while (violation_.empty()) {
    const Offers offered = offers();
    if (offered.empty()) {
      if (over()) return -1;
      let_time_pass();
      continue;
    }
    const Choice choice = offered.is_one() ? offered[0] : strategy_->choose(offered, moment());
    schedule_.emplace_back(choice.kind, choice.participant);
    if (choice.kind == Choice::Kind::kill) {
      kill(choice.participant);
      continue;
    }
    if (choice.kind == Choice::Kind::timeout) {
      --early_timeouts_left_;
      end_sleep(at(choice.participant));
    }
    const bool could_go_on = !offered.goes_on.empty() && !yielding_;
    if (could_go_on && choice.participant != running_) --preemptions_left_;
    take_step(choice.participant);
    return choice.participant;
  }
  return -1;
}

// Choices.

Offers Simulation::offers() const {
  const Crowd last = running_ < 0 ? Crowd() : Crowd::of(running_);
  const Crowd everybody = enabled();
  Offers offers;
  offers.goes_on = everybody & last;
  if (kills_left_ > 0) offers.kills = observed_ ? killable() : killable() & last;
  if (!offers.goes_on.empty() && !yielding_ && preemptions_left_ == 0) return offers;
  offers.others = everybody - last;
  if (early_timeouts_left_ > 0) offers.timeouts = asleep_for_a_time();
  return offers;
}

// Who could take a step.
Crowd Simulation::enabled() const {
  Crowd crowd = in(State::ready);
  for (const int number : in(State::paused)) {
    if (memory_.changes_by_others(number) != at(number).changes_seen) {
      crowd = crowd | Crowd::of(number);
    }
  }
  return crowd;
}

Crowd Simulation::killable() const {
  Crowd crowd = in(State::ready) | in(State::paused) | in(State::asleep);
  for (const int number : protected_) crowd = crowd - process_of(number);
  return crowd;
}

Crowd Simulation::asleep_for_a_time() const {
  Crowd crowd;
  for (const int number : in(State::asleep)) {
    if (at(number).wakes_at != kForEver) crowd = crowd | Crowd::of(number);
  }
  return crowd;
}

void Simulation::take_step(int number) {
  running_ = number;
  yielding_ = false;
  observed_ = false;
  if (!in(State::ready).has(number)) move(number, State::ready);
}

void Simulation::kill(int number) {
  for (const int thread : process_of(number) - in(State::finished)) {
    move(thread, State::dead);
    outcome_.killed[static_cast<std::size_t>(thread)] = true;
  }
  ++outcome_.kills;
  --kills_left_;
  memory_.note_change();
}

}  // namespace shoal_test
