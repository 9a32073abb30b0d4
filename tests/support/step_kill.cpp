// SPDX-License-Identifier: MIT
#include "support/step_kill.hpp"

#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <stdexcept>
#include <unordered_set>

#include "support/attempt.hpp"
#include "support/child.hpp"
#include "support/shared.hpp"
#include "support/symbol.hpp"

namespace shoal_test {
namespace {

using Clock = std::chrono::steady_clock;

// Whether no other stage on this machine has it, nor will until this process ends.
bool reserve(std::size_t cpu) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name =
      "shoal-step-kill-" + std::to_string(cpu);  // no file: the first byte is 0
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const int kept = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto size = offsetof(sockaddr_un, sun_path) + 1 + name.size();
  if (::bind(kept, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size)) == 0)
    return true;
  ::close(kept);
  return false;
}

bool stay_on(std::size_t cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  return ::sched_setaffinity(0, sizeof only, &only) == 0;
}

// A step costs several times as much where tracer and victim are on different CPUs, and many times as
// much where another stage is on the same one.
void stay_on_one_cpu() {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (std::size_t cpu = 0; cpu < std::size_t{CPU_SETSIZE}; ++cpu)
    if (CPU_ISSET(cpu, &allowed) && reserve(cpu) && stay_on(cpu)) return;
}

// What happens in the stage.
class Sweep {
 public:
  Sweep(const std::string& name, const SceneFactory& make, const StepOptions& options,
        StepReport& report)
      : name_(name), make_(make), options_(options), report_(report) {}

  void kill_once() {
    const Trace trace = first_walk();
    for (const std::size_t stop : trace.points(options_.points)) {
      if (given_up()) return;
      Attempt attempt(make_, options_);
      const Killed killed = attempt.kill(Act::operate, trace, stop);
      conclude(attempt, killed, std::to_string(stop));
    }
  }

  void kill_twice() {
    const Trace trace = first_walk();
    const std::vector<std::size_t> stops = trace.points(options_.points);
    for (std::size_t i = 0; i < stops.size(); i += options_.stride) kill_repairs(trace, stops[i]);
  }

 private:
  Trace first_walk() {
    Trace trace = Attempt(make_, options_).record(Act::operate);
    // On a busy machine one may be longer than most: the clock was being set as it was read, say.
    Trace other = Attempt(make_, options_).record(Act::operate);
    if (other.last() < trace.last()) trace = std::move(other);
    report_.instructions = trace.last();
    report_.changes = trace.changes();
    return trace;
  }

  void kill_repairs(const Trace& trace, std::size_t first) {
    const Trace repair = walk_of_repair(trace, first);
    for (const std::size_t second : repair.points(options_.points)) {
      if (given_up()) return;
      Attempt attempt(make_, options_);
      const bool stray = attempt.kill(Act::operate, trace, first).stray;
      Killed killed = attempt.kill(Act::repair, repair, second);
      killed.stray |= stray;
      conclude(attempt, killed, std::to_string(first) + " and " + std::to_string(second));
    }
  }

  Trace walk_of_repair(const Trace& trace, std::size_t first) {
    Attempt attempt(make_, options_);
    attempt.kill(Act::operate, trace, first);
    return attempt.record(Act::repair);
  }

  void conclude(Attempt& attempt, const Killed& killed, const std::string& point) {
    ++report_.points;
    report_.completed += attempt.fate().completed;
    report_.strays += killed.stray;
    states_.insert(killed.state);
    report_.states = states_.size();
    const Verdict verdict = attempt.survive();
    report_.hangs += verdict.kind == Verdict::Kind::hang;
    report_.wrong += verdict.kind == Verdict::Kind::wrong;
    if (verdict.kind != Verdict::Kind::fine) complain(verdict, killed, point);
  }

  void complain(const Verdict& verdict, const Killed& killed, const std::string& point) const {
    constexpr std::size_t kShown = 3;
    if (report_.hangs + report_.wrong > kShown) return;
    std::fprintf(stderr, "step-kill %s: killed after %s instructions, at %s: %s%s\n", name_.c_str(),
                 point.c_str(), killed.where == 0 ? "rest" : symbol_at(killed.where).c_str(),
                 verdict.kind == Verdict::Kind::hang ? "hang: " : "", verdict.text.c_str());
  }

  bool given_up() const { return report_.hangs + report_.wrong >= options_.failures; }

  const std::string& name_;
  const SceneFactory& make_;
  const StepOptions& options_;
  StepReport& report_;
  std::unordered_set<std::uint64_t> states_;
};

void print(const std::string& name, const StepReport& report) {
  const double points = report.points == 0 ? 1.0 : static_cast<double>(report.points);
  std::printf("step-kill %s: %zu instructions, %zu changes, %zu points, %zu states, ", name.c_str(),
              report.instructions, report.changes, report.points, report.states);
  std::printf("%zu hangs, %zu wrong, %zu strays, %.2f ms a point\n", report.hangs, report.wrong,
              report.strays, report.seconds * 1000.0 / points);
  std::fflush(stdout);
}

StepReport on_stage(const std::string& name, const SceneFactory& make, const StepOptions& options,
                    void (Sweep::*act)()) {
  const auto start = Clock::now();
  const Shared<StepReport> report;
  Child stage(
      [&] {
        stay_on_one_cpu();
        (Sweep(name, make, options, *report).*act)();
      },
      options.deadline);
  const bool ended_well = stage.succeeds();
  report->seconds = std::chrono::duration<double>(Clock::now() - start).count();
  print(name, *report);
  if (!ended_well) throw std::runtime_error("step-kill " + name + ": the stage failed");
  return *report;
}

}  // namespace

StepReport step_kill(const std::string& name, const SceneFactory& make,
                     const StepOptions& options) {
  return on_stage(name, make, options, &Sweep::kill_once);
}

StepReport step_kill_repair(const std::string& name, const SceneFactory& make,
                            const StepOptions& options) {
  return on_stage(name, make, options, &Sweep::kill_twice);
}

}  // namespace shoal_test
