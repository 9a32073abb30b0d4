// SPDX-License-Identifier: MIT
#include "support/scheduler/simulation.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace shoal_test {

namespace {

constexpr std::int64_t kBeginning = 1'000'000'000;  // of time, in nanoseconds: 0 may mean never

}  // namespace

Simulation::Simulation(Program& program, const Options& options)
    : program_(program), options_(options), count_(program.participants()) {
  for (int i = 0; i < count_; ++i) {
    at(i).simulation = this;
    at(i).number = i;
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
    participant.state = State::ready;
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
  self.state = State::finished;
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
  if (!program_.has_invariant()) return;
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

bool Simulation::over() const {
  return std::all_of(
      participants_.begin(), participants_.begin() + count_, [](const Participant& participant) {
        return participant.state == State::finished || participant.state == State::dead;
      });
}

bool Simulation::enabled(Participant& participant) const {
  return participant.state == State::ready ||
         (participant.state == State::paused &&
          memory_.changes_by_others(participant.number) != participant.changes_seen);
}

// Who takes the next step; -1 when the run is over.
int Simulation::next() {
  while (violation_.empty()) {
    offers_ = 0;
    offer_steps();
    if (offers_ == 0) {
      if (over()) return -1;
      let_time_pass();
      continue;
    }
    offer_kills();
    const Choice choice = offered_[decide()];
    schedule_.push_back(choice);
    if (choice.kind == Choice::Kind::kill) {
      kill(choice.participant);
      continue;
    }
    if (choice.kind == Choice::Kind::timeout) {
      --early_timeouts_left_;
      end_sleep(at(choice.participant));
    }
    take_step(choice.participant);
    return choice.participant;
  }
  return -1;
}

// Choices.

void Simulation::offer(Choice::Kind kind, int participant) {
  offered_[offers_++] = {kind, static_cast<std::uint8_t>(participant)};
}

void Simulation::offer_steps() {
  const bool can_go_on = running_ >= 0 && enabled(running());
  if (can_go_on) offer(Choice::Kind::step, running_);
  if (can_go_on && !yielding_ && preemptions_left_ == 0) return;
  for (int i = 0; i < count_; ++i) {
    if (i != running_ && enabled(at(i))) offer(Choice::Kind::step, i);
  }
  if (early_timeouts_left_ == 0 || offers_ == 0) return;
  for (int i = 0; i < count_; ++i) {
    if (at(i).state == State::asleep && at(i).wakes_at != kForEver) {
      offer(Choice::Kind::timeout, i);
    }
  }
}

void Simulation::offer_kills() {
  if (kills_left_ == 0) return;
  for (int i = 0; i < count_; ++i) {
    const Participant& participant = at(i);
    const bool can_die = participant.state != State::dead && participant.state != State::finished &&
                         participant.protection == 0;
    if (can_die && (observed_ || i == running_)) offer(Choice::Kind::kill, i);
  }
}

std::size_t Simulation::decide() {
  if (offers_ == 1) return 0;
  return strategy_->choose({offered_.data(), offers_},
                           {outcome_.steps, running_, schedule_.size()});
}

void Simulation::take_step(int number) {
  if (running_ >= 0 && number != running_ && !yielding_ && enabled(running())) --preemptions_left_;
  running_ = number;
  yielding_ = false;
  observed_ = false;
  at(number).state = State::ready;
}

void Simulation::kill(int number) {
  at(number).state = State::dead;
  outcome_.killed[static_cast<std::size_t>(number)] = true;
  ++outcome_.kills;
  --kills_left_;
  memory_.note_change();
}

}  // namespace shoal_test
