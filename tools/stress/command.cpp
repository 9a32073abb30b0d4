// SPDX-License-Identifier: MIT

// shoal stress: which subjects, how, and what the exit code is.

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <system_error>

#include "catalogue.hpp"
#include "commands.hpp"
#include "os/process.hpp"
#include "run.hpp"
#include "terminal.hpp"

namespace shoal::tool {
namespace {

using stress::Entry;
using stress::Inject;
using stress::Plan;
using stress::Run;

// The command line asks for what cannot be.
struct Misuse : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::vector<unsigned> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cpus;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

// "0-1,3"
std::vector<unsigned> parse_cpus(std::string_view text) {
  const std::vector<unsigned> allowed = allowed_cpus();
  std::vector<unsigned> cpus;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&] {
    unsigned value = 0;
    const auto [rest, error] = std::from_chars(at, end, value);
    if (error != std::errc()) throw Misuse("--cpus: that is no list of CPUs: 0-1,3 is one");
    at = rest;
    return value;
  };
  while (at < end) {
    const unsigned first = number();
    const unsigned last = at < end && *at == '-' ? (++at, number()) : first;
    for (unsigned cpu = first; cpu <= last; ++cpu) {
      if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end())
        throw Misuse("--cpus: there is no CPU " + std::to_string(cpu) + " that we may run on");
      cpus.push_back(cpu);
    }
    if (at < end && *at++ != ',') throw Misuse("--cpus: that is no list of CPUs: 0-1,3 is one");
  }
  return cpus;
}

Inject parse_inject(const std::string& text) {
  for (const Inject inject : {Inject::none, Inject::yield, Inject::delay, Inject::sleep})
    if (stress::spelled(inject) == text) return inject;
  throw Misuse("--inject: it is none, yield, delay or sleep, not " + text);
}

// `named`: asked for by its own name, not as one of many.
Plan plan_for(const Entry& entry, const StressRequest& request, bool named) {
  Plan plan = entry.usual;
  plan.seed = *request.seed;
  if (request.seconds) plan.seconds = *request.seconds;
  if (request.kills) plan.kills = *request.kills;
  if (request.pauses) plan.pauses = *request.pauses;
  if (request.patience) plan.patience = *request.patience;
  if (!request.inject.empty()) plan.inject = parse_inject(request.inject);
  if (!request.cpus.empty()) plan.cpus = parse_cpus(request.cpus);
  if (request.cpus.empty() && entry.needs_two_cpus) plan.cpus = allowed_cpus();
  if (request.processes)
    plan.processes = std::clamp(*request.processes, entry.least_processes, entry.most_processes);
  if (named && request.processes && plan.processes != *request.processes)
    throw Misuse(std::string(entry.name) + " is for " + std::to_string(entry.least_processes) +
                 " to " + std::to_string(entry.most_processes) + " processes");
  if (plan.kills > 0 && !entry.survives_kills) {
    if (named) throw Misuse(std::string(entry.name) + " is not made to survive kills");
    plan.kills = 0;
  }
  return plan;
}

struct Choice {
  const Entry* entry;
  bool named;
};

std::vector<Choice> chosen(const StressRequest& request) {
  std::vector<Choice> choices;
  for (const std::string& name : request.subjects) {
    if (name == "all" || name == "broken") {
      for (const Entry& entry : stress::catalogue())
        if (entry.is_broken() == (name == "broken")) choices.push_back({&entry, false});
    } else if (const Entry* const entry = stress::find(name)) {
      choices.push_back({entry, true});
    } else {
      throw Misuse("there is nothing called '" + name +
                   "' to put under stress: shoal stress --list");
    }
  }
  if (choices.empty()) throw Misuse("what is to be put under stress? shoal stress --list");
  return choices;
}

void tell_progress(const Run& run, const stress::Sample& now) {
  const std::string text = stress::spelled_progress(run, now);
  if (is_terminal()) {
    print("\r\033[K" + text);
  } else if (static_cast<int>(now.seconds * 10) % 10 == 0) {
    print("  " + text + "\n");
  }
}

void execute(Run& run, stress::Subject& subject, const Plan& plan, bool quiet) {
  run.outcome.plan = plan;
  if (!quiet)
    print(coloured(Colour::bold, run.name) + ": " + run.about + "\n  " +
          stress::spelled_plan(plan) + "\n");
  std::function<void(const stress::Sample&, const stress::Outcome&)> progress;
  if (!quiet)
    progress = [&](const stress::Sample& now, const stress::Outcome& outcome) {
      run.outcome.kills = outcome.kills;
      tell_progress(run, now);
    };
  run.outcome = stress::run(subject, plan, progress);
  if (!quiet && is_terminal()) print("\r\033[K");
}

Run run_entry(const Choice& choice, const StressRequest& request) {
  const Entry& entry = *choice.entry;
  const Plan plan = plan_for(entry, request, choice.named);
  Run run{.name = entry.name,
          .about = entry.about,
          .why = entry.is_broken() ? entry.why : "",
          .source = entry.source};
  if (entry.needs_two_cpus && plan.cpus.size() < 2)
    run.skipped = "on one CPU it cannot be seen: it needs two";
  else
    execute(run, *entry.make(), plan, request.json);
  if (!request.json) print(stress::spelled_result(run));
  return run;
}

int list_all() {
  Table table{"NAME", "WHAT IT IS"};
  for (const Entry& entry : stress::catalogue())
    table.add({entry.name, (entry.is_broken() ? "broken: " : "") + std::string(entry.about)});
  print(table.str());
  return kWell;
}

// A broken one that is asked for by its name fails as any lock does; of `broken` it is asked whether
// the tester catches them.
int exit_code(const std::vector<Run>& runs, const std::vector<Choice>& choices) {
  int code = kWell;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].outcome.interrupted_by != 0) return kSignal + runs[i].outcome.interrupted_by;
    if (choices[i].named ? runs[i].has_failed() : !runs[i].is_well()) code = kFailed;
  }
  return code;
}

int run_all(const StressRequest& request) {
  const std::vector<Choice> choices = chosen(request);
  std::vector<Run> runs;
  for (const Choice& choice : choices) {
    runs.push_back(run_entry(choice, request));
    if (runs.back().outcome.interrupted_by != 0) break;
  }
  const int code = exit_code(runs, choices);
  if (!request.json) print(code == kWell ? "PASS\n" : code == kFailed ? "FAIL\n" : "INTERRUPTED\n");
  return code;
}

}  // namespace

int stress(const StressRequest& given) try {
  if (given.list) return list_all();
  StressRequest request = given;
  if (!request.seed) request.seed = os::random_number() >> 32;  // short enough to be typed
  return run_all(request);
} catch (const Misuse& misuse) {
  complain(misuse.what());
  return kUsage;
}

}  // namespace shoal::tool
