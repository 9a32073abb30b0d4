// SPDX-License-Identifier: MIT
#include "support/attempt.hpp"

#include <stdexcept>

#include "support/patience.hpp"

namespace shoal_test {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using Kind = Verdict::Kind;

constexpr milliseconds kPartnerLife = std::chrono::minutes(1);

Verdict verdict_on(const char* who, int status) {
  if (status == 0) return {};
  return {Kind::wrong, std::string(who) + " ended with status " + std::to_string(status)};
}

}  // namespace

Trace Attempt::record(Act act) {
  Trace trace;
  Tracee tracee = victim(act);
  bool alive = true;
  while (alive && is(Phase::before)) alive = tracee.step();
  while (alive) {
    trace.add({tracee.where(), scene_->state(), tracee.at_system_call()});
    if (is(Phase::after) || trace.last() >= options_.instructions) break;
    alive = tracee.step();
  }
  if (is(Phase::after)) trace.finish(Trace::End::completed);
  if (tracee.asleep()) trace.finish(Trace::End::asleep);
  bury(act, tracee);
  if (!victim_failed_.empty()) throw std::runtime_error(victim_failed_);
  return trace;
}

Killed Attempt::kill(Act act, const Trace& trace, std::size_t stop) {
  Tracee tracee = victim(act);
  const bool through = stop == trace.last() && trace.end() == Trace::End::completed;
  const bool stopped = through ? tracee.run() : take(tracee, trace, stop);
  Killed killed;
  killed.where = stopped ? tracee.where() : 0;
  killed.stray = is(Phase::after) != through;
  killed.state = scene_->state();
  bury(act, tracee);
  return killed;
}

Verdict Attempt::survive() {
  if (!victim_failed_.empty()) return {Kind::wrong, victim_failed_};
  const auto end = Clock::now() + patient(options_.watchdog);
  Verdict verdict = survivor();
  for (Child& partner : partners_) {
    if (verdict.kind != Kind::fine) break;
    if (!partner.ends_by(end)) return {Kind::hang, "a partner"};
    verdict = verdict_on("a partner", partner.exit_status());
  }
  return verdict;
}

Verdict Attempt::survivor() {
  const Shared<std::array<char, 1024>> complaint;
  Child child(
      [&] {
        const std::string text = scene_->survive(fate_);
        text.copy(complaint->data(), complaint->size() - 1);
      },
      options_.watchdog);
  const int status = child.exit_status();
  if (child.timed_out()) return {Kind::hang, "the survivor"};
  if (complaint->front() != '\0') return {Kind::wrong, complaint->data()};
  return verdict_on("the survivor", status);
}

Tracee Attempt::victim(Act act) {
  phase_->store(Phase::before);
  Tracee tracee([this, act] { perform(act); }, options_.watchdog);
  bool alive = tracee.run();
  if (alive && act == Act::operate) {
    start_partners();
    alive = tracee.run();
  }
  if (!alive) throw std::runtime_error("the victim has not come to the operation");
  return tracee;
}

void Attempt::perform(Act act) {
  if (!options_.forks) count_ticks();
  if (act == Act::operate) {
    scene_->prepare();
    mark();
    scene_->approach();
  }
  mark();
  phase_->store(Phase::inside);
  if (act == Act::operate) {
    scene_->operate();
  } else {
    scene_->repair();
  }
  phase_->store(Phase::after);
  mark();
}

void Attempt::start_partners() {
  for (const auto& body : scene_->partners()) {
    partners_.emplace_back(body, kPartnerLife).wait_until_asleep();
  }
}

bool Attempt::take(Tracee& victim, const Trace& trace, std::size_t stop) {
  const Route route = options_.forks ? Route{0, 0, stop} : trace.route(stop);
  if (!victim.run_to(trace.start(), 1)) return false;
  if (route.times > 0 && !victim.run_to(route.address, route.times)) return false;
  for (std::size_t left = route.steps; left > 0 && !is(Phase::after); --left) {
    if (!victim.step()) return false;
  }
  return true;
}

void Attempt::bury(Act act, Tracee& victim) {
  (act == Act::operate ? fate_.completed : fate_.repaired) = is(Phase::after);
  if (victim.ended()) {
    victim_failed_ = "the victim ended by itself, status " + std::to_string(victim.exit_status());
  }
  victim.kill();
}

}  // namespace shoal_test
