// SPDX-License-Identifier: MIT

// shoal stress: which subjects, how, and what the exit code is.

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "catalogue.hpp"
#include "commands.hpp"
#include "os/process.hpp"
#include "plugin.hpp"
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

constexpr std::string_view kAnyCpu = "any";

// "0-1,3", or "any": none in particular
std::vector<unsigned> parse_cpus(std::string_view text) {
  std::vector<unsigned> cpus;
  if (text == kAnyCpu) return cpus;
  const Misuse not_a_list("--cpus: that is no list of CPUs: 0-1,3 is one");
  const std::vector<unsigned> allowed = allowed_cpus();
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&] {
    unsigned value = 0;
    const auto [rest, error] = std::from_chars(at, end, value);
    if (error != std::errc()) throw not_a_list;
    at = rest;
    return value;
  };
  for (bool more = true; more;) {
    const unsigned first = number();
    const unsigned last = at < end && *at == '-' ? (++at, number()) : first;
    if (last < first) throw not_a_list;
    for (unsigned cpu = first; cpu <= last; ++cpu) {
      if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end())
        throw Misuse("--cpus: there is no CPU " + std::to_string(cpu) + " that we may run on");
      cpus.push_back(cpu);
    }
    more = at < end;
    if (more && *at++ != ',') throw not_a_list;
  }
  return cpus;
}

Inject parse_inject(const std::string& text) {
  for (const Inject inject : {Inject::none, Inject::yield, Inject::delay, Inject::sleep})
    if (stress::spelled(inject) == text) return inject;
  throw Misuse("--inject: it is none, yield, delay or sleep, not " + text);
}

// What is to be done, made ready before anything runs: mistakes are told at once.
struct Job {
  Run run;  // with its plan
  std::unique_ptr<stress::Subject> subject;
  bool named = true;  // asked for by its own name, not as one of many
};

void apply(const StressRequest& request, Plan& plan) {
  plan.seed = *request.seed;
  if (request.processes) plan.processes = *request.processes;
  if (request.seconds) plan.seconds = *request.seconds;
  if (request.kills) plan.kills = *request.kills;
  if (request.pauses) plan.pauses = *request.pauses;
  if (request.patience) plan.patience = *request.patience;
  if (!request.inject.empty()) plan.inject = parse_inject(request.inject);
  if (!request.cpus.empty()) plan.cpus = parse_cpus(request.cpus);
}

// Of many, each does what it can of what is asked for.
void fit(const Entry& entry, bool named, Plan& plan) {
  const unsigned asked = plan.processes;
  plan.processes = std::clamp(asked, entry.least_processes, entry.most_processes);
  if (named && plan.processes != asked)
    throw Misuse(std::string(entry.name) + " takes at " +
                 (asked < plan.processes ? "least " : "most ") + std::to_string(plan.processes) +
                 " processes");
  if (plan.kills == 0 || entry.survives_kills) return;
  if (named) throw Misuse(std::string(entry.name) + " is not made to survive kills");
  plan.kills = 0;
}

Job job_for(const Entry& entry, const StressRequest& request, bool named) {
  Job job{{.name = entry.name,
           .about = entry.about,
           .why = entry.is_broken() ? entry.why : "",
           .source = entry.source},
          entry.make(),
          named};
  Plan plan = entry.usual;
  apply(request, plan);
  fit(entry, named, plan);
  if (request.cpus.empty() && entry.needs_two_cpus) plan.cpus = allowed_cpus();
  if (entry.needs_two_cpus && (plan.cpus.empty() ? allowed_cpus() : plan.cpus).size() < 2)
    job.run.skipped = "it needs two CPUs: on one it cannot be seen";
  job.run.outcome.plan = plan;
  return job;
}

Job job_for_plugin(const StressRequest& request) {
  stress::Plugin plugin = stress::load_plugin(request.plugin);
  Job job{{.name = plugin.name, .about = request.plugin}, std::move(plugin.subject)};
  apply(request, job.run.outcome.plan);
  return job;
}

std::vector<Job> prepare(const StressRequest& request) {
  std::vector<Job> jobs;
  for (const std::string& name : request.subjects) {
    if (name == "all" || name == "broken") {
      for (const Entry& entry : stress::catalogue())
        if (entry.is_broken() == (name == "broken")) jobs.push_back(job_for(entry, request, false));
    } else if (const Entry* const entry = stress::find(name)) {
      jobs.push_back(job_for(*entry, request, true));
    } else {
      throw Misuse("there is nothing called '" + name +
                   "' to put under stress: see shoal stress --list");
    }
  }
  if (!request.plugin.empty()) jobs.push_back(job_for_plugin(request));
  if (jobs.empty()) throw Misuse("what is to be put under stress? see shoal stress --list");
  return jobs;
}

// --- Running

// On a terminal a line that changes; elsewhere one a second.
class Progress {
 public:
  explicit Progress(Run& run) : run_(run) {}
  void operator()(const stress::Sample& now, const stress::Outcome& so_far) {
    run_.outcome.kills = so_far.kills;
    const std::string text = stress::spelled_progress(run_, now);
    if (is_terminal()) {
      // One that went on below could not be taken back.
      const auto width = static_cast<std::size_t>(terminal_columns() - 1);
      print("\r\033[K" + text.substr(0, width));
    } else if (now.seconds >= next_line_) {
      print("  " + text + "\n");
      next_line_ += 1;
    }
  }

 private:
  Run& run_;
  double next_line_ = 1;
};

void run_quietly(Job& job) { job.run.outcome = stress::run(*job.subject, job.run.outcome.plan); }

void run_visibly(Job& job) {
  Run& run = job.run;
  print(coloured(Colour::bold, run.name) + ": " + run.about + "\n");
  if (run.skipped.empty()) {
    print("  " + stress::spelled_plan(run.outcome.plan) + "\n");
    run.outcome = stress::run(*job.subject, run.outcome.plan, Progress(run));
    if (is_terminal()) print("\r\033[K");
  }
  print(stress::spelled_result(run));
}

// A broken one that is asked for by its name fails as any lock does; of `broken` it is asked whether
// the tester catches them.
bool is_as_it_should(const Job& job) {
  return job.named ? !job.run.has_failed() : job.run.is_well();
}

int list_all(bool json) {
  if (json) return print(stress::json_list(stress::catalogue())), kWell;
  Table table{"NAME", "WHAT IT IS"};
  for (const Entry& entry : stress::catalogue())
    table.add({entry.name, (entry.is_broken() ? "broken: " : "") + std::string(entry.about)});
  print(table.str());
  return kWell;
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

[[noreturn]] void cannot_write(const std::string& path) {
  throw std::system_error(errno, std::generic_category(), "cannot write " + path);
}
// Before anything runs: it would be a pity to learn it afterwards.
File open_report(const std::string& path) {
  File file(path.empty() ? nullptr : std::fopen(path.c_str(), "w"), std::fclose);
  if (!path.empty() && !file) cannot_write(path);
  return file;
}
void write_report(File file, const std::string& path, const std::string& page) {
  if (std::fputs(page.c_str(), file.get()) < 0 || std::fclose(file.release()) != 0)
    cannot_write(path);
}

int run_all(const StressRequest& request) {
  std::vector<Job> jobs = prepare(request);
  File report = open_report(request.report);
  std::vector<Run> runs;
  int code = kWell;
  for (Job& job : jobs) {
    if (!request.json)
      run_visibly(job);
    else if (job.run.skipped.empty())
      run_quietly(job);
    if (!is_as_it_should(job)) code = kFailed;
    runs.push_back(job.run);
    if (const int signal = job.run.outcome.interrupted_by; signal != 0) {
      code = kSignal + signal;
      break;
    }
  }
  const char* const verdict = code == kWell ? "PASS" : code == kFailed ? "FAIL" : "INTERRUPTED";
  if (report) write_report(std::move(report), request.report, stress::page_report(runs, verdict));
  if (request.json)
    print(stress::json_report(runs, verdict));
  else
    print(coloured(code == kWell ? Colour::green : Colour::red, verdict) + "\n");
  return code;
}

}  // namespace

int stress(const StressRequest& request) try {
  if (request.list) return list_all(request.json);
  StressRequest seeded = request;
  if (!seeded.seed) seeded.seed = os::random_number() >> 32;  // short enough to be typed
  return run_all(seeded);
} catch (const Misuse& misuse) {
  complain(misuse.what());
  return kUsage;
} catch (const stress::BadPlugin& bad) {
  complain(bad.what());
  return kUsage;
}

}  // namespace shoal::tool
