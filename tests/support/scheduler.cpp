// SPDX-License-Identifier: MIT
#include "support/scheduler.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <ostream>
#include <unordered_set>

namespace shoal_test {

namespace {

constexpr const char* kVariable = "SHOAL_SCHEDULE";

// Runs and what they add up to.
class Exploration {
 public:
  Exploration(std::string_view name, Program& program, const Options& options)
      : simulation_(std::make_unique<Simulation>(program, options)) {
    report_.name = name;
    report_.mode = options.mode;
    report_.seed = options.seed;
  }

  // One run; true if it broke nothing.
  bool run(Strategy& strategy) {
    simulation_->run(strategy);
    const Outcome& outcome = simulation_->outcome();
    ++report_.schedules;
    report_.kills += static_cast<std::uint64_t>(outcome.kills);
    report_.stale_reads += static_cast<std::uint64_t>(outcome.stale_reads);
    report_.timeouts += static_cast<std::uint64_t>(outcome.timeouts);
    report_.max_steps = std::max(report_.max_steps, outcome.steps);
    final_states_.insert(simulation_->fingerprint());
    report_.violation = simulation_->violation();
    if (!report_.passed()) report_.schedule = to_text(simulation_->schedule());
    return report_.passed();
  }

  int max_steps() const { return report_.max_steps; }
  int last_steps() const { return simulation_->outcome().steps; }
  std::uint64_t schedules() const { return report_.schedules; }
  void violate(std::string message) { report_.violation = std::move(message); }

  Report finish(bool completed) {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin_;
    report_.completed = completed;
    report_.final_states = final_states_.size();
    report_.seconds = taken.count();
    return std::move(report_);
  }

 private:
  std::unique_ptr<Simulation> simulation_;
  std::unordered_set<std::uint64_t> final_states_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  Report report_;
};

Report explore_all(Exploration& exploration, const Options& options) {
  Exhaustive strategy;
  while (exploration.run(strategy)) {
    if (!strategy.advance()) return exploration.finish(true);
    if (exploration.schedules() >= options.schedules) break;
  }
  return exploration.finish(false);
}

Report explore_at_random(Exploration& exploration, int participants, const Options& options) {
  constexpr int kFirstGuess = 16;  // steps of a run, before the first has shown
  Pct strategy(options.seed, participants, options.depth, options.kills);
  while (exploration.schedules() < options.schedules) {
    strategy.advance(std::max(kFirstGuess, exploration.max_steps()),
                     std::max(kFirstGuess, exploration.last_steps()));
    if (!exploration.run(strategy)) return exploration.finish(false);
  }
  return exploration.finish(true);
}

std::string program_name() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "the test program" : path.string();
}

}  // namespace

Report explore(std::string_view name, Program& program, const Options& options) {
  if (const char* wanted = std::getenv(kVariable)) {
    const std::string_view text = wanted;
    const std::size_t split = text.rfind('=');
    if (split != text.npos && text.substr(0, split) == name) {
      return replay(name, program, text.substr(split + 1), options);
    }
    return Exploration(name, program, options).finish(false);
  }
  Exploration exploration(name, program, options);
  return options.mode == Mode::pct ? explore_at_random(exploration, program.participants(), options)
                                   : explore_all(exploration, options);
}

Report replay(std::string_view name, Program& program, std::string_view schedule,
              const Options& options) {
  Replay strategy(schedule_from(schedule));
  Exploration exploration(name, program, options);
  exploration.run(strategy);
  if (strategy.strayed()) exploration.violate("the schedule does not fit this model and options");
  return exploration.finish(false);
}

std::ostream& operator<<(std::ostream& out, const Report& report) {
  out << report.name << ": " << report.schedules << " schedules ("
      << (report.completed ? "complete" : "incomplete") << "), " << report.final_states
      << " final states, " << report.kills << " kills, " << report.stale_reads << " stale reads, "
      << report.timeouts << " timeouts, at most " << report.max_steps << " steps, "
      << report.seconds << " s";
  if (report.mode == Mode::pct) out << ", seed " << report.seed;
  if (report.passed()) return out;
  return out << "\n  violation: " << report.violation << "\n  schedule:  " << report.schedule
             << "\n  replay:    " << kVariable << "='" << report.name << "=" << report.schedule
             << "' " << program_name();
}

}  // namespace shoal_test
