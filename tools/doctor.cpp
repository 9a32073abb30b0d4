// SPDX-License-Identifier: MIT

// shoal doctor: who waits for whom, what the dead have left, what is damaged; and, when told to,
// what the library does about it.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "commands.hpp"
#include "description.hpp"
#include "kinds.hpp"
#include "shoal/detail/lock_handle.hpp"
#include "shoal/shoal.hpp"
#include "terminal.hpp"
#include "waits.hpp"

namespace shoal::tool {
namespace {

using Clock = std::chrono::steady_clock;

// Between two looks at what may be a deadlock.
constexpr std::chrono::milliseconds kBetweenLooks{100};
// How long a repair may take, that is, wait for somebody alive.
constexpr unsigned kRepairSeconds = 5;

enum class Gravity { problem, note };

struct Finding {
  Gravity gravity;
  std::string what;  // for programs: "deadlock", "abandoned lock", ...
  std::string segment;
  std::string object;
  std::string text;
  std::string advice;
  Json cycle = nullptr;
  bool can_be_repaired = false;
};

struct Diagnosis {
  std::vector<std::string> looked_at;
  std::vector<Finding> findings;
  std::vector<Wait> waits;
  int code = kWell;  // of what could not be looked at
};

std::string quoted(const Wait& wait) {
  return std::string(detail::kind_name(wait.kind)) + " '" + wait.object + "' of segment '" +
         wait.segment + "'";
}

// --- What the dead have left, and damage

void examine_locks(const SegmentView& view, const ObjectView& object, Diagnosis& diagnosis) {
  for (const LockView& lock : read_locks(view, object)) {
    if (lock.state != LockView::State::left && lock.state != LockView::State::abandoned) continue;
    if (lock.inner) continue;  // mended by whoever comes next
    Finding finding{Gravity::problem, "abandoned lock", view.name(), object.name, "", ""};
    finding.text = std::string(detail::kind_name(object.kind)) + " '" + object.name +
                   "' is abandoned: " + spelled(lock.holder) + " died holding it";
    if (lock.inherits) {
      finding.gravity = Gravity::note;
      finding.advice = "the next to lock it has it, and is told by inherited()";
    } else {
      finding.advice =
          "its users get OwnerDied until one of them calls recover() and makes sound what it "
          "protects; shoal doctor --repair only declares that sound";
      finding.can_be_repaired = true;
    }
    diagnosis.findings.push_back(std::move(finding));
  }
}

void examine_object(const SegmentView& view, const ObjectView& object, Diagnosis& diagnosis) {
  const Json facts = describe(view, object, 0).facts;
  if (const auto damaged = facts.find("damaged"); damaged != facts.end())
    diagnosis.findings.push_back(
        {Gravity::problem, "damage", view.name(), object.name,
         std::string(detail::kind_name(object.kind)) + " '" + object.name +
             "': " + damaged->get<std::string>(),
         "who opens it is told Corrupted; erase it, or remove the segment"});
  if (facts.value("broken", false))
    diagnosis.findings.push_back({Gravity::note, "broken barrier", view.name(), object.name,
                                  "barrier '" + object.name + "' is broken",
                                  "its users get BrokenBarrier until one of them calls reset()"});
  if (!facts.contains("damaged")) examine_locks(view, object, diagnosis);
}

void examine_view(const SegmentView& view, Diagnosis& diagnosis) {
  for (const std::string& damage : view.damage())
    diagnosis.findings.push_back({Gravity::problem, "damage", view.name(), "", damage,
                                  "shoal rm takes the segment away once nobody needs it"});
  if (view.count_dead() > 0) {
    Finding finding{Gravity::note, "dead processes", view.name(), "", "", ""};
    finding.text = std::to_string(view.count_dead()) +
                   (view.count_dead() == 1 ? " process has" : " processes have") +
                   " died in it, and nobody has come since to bury them";
    finding.advice = "the library does that when it needs their places";
    finding.can_be_repaired = true;
    diagnosis.findings.push_back(std::move(finding));
  }
  for (const ObjectView& object : view.objects())
    if (object.is_live() && object.damage.empty()) examine_object(view, object, diagnosis);
  const std::vector<Wait> waits = find_waits(view);
  diagnosis.waits.insert(diagnosis.waits.end(), waits.begin(), waits.end());
}

void examine_one(const std::string& name, bool asked_for, Diagnosis& diagnosis) {
  try {
    const SegmentView view(name);
    diagnosis.looked_at.push_back(name);
    examine_view(view, diagnosis);
  } catch (const Damaged& damaged) {
    diagnosis.looked_at.push_back(name);
    diagnosis.findings.push_back({Gravity::problem, "damage", name, "", damaged.what(),
                                  "shoal rm takes it away once nobody needs it"});
  } catch (const std::runtime_error& error) {
    if (!asked_for) return;
    complain("segment '" + printable(name) + "': " + error.what());
    diagnosis.code = kFailed;
  }
}

// --- Deadlocks

std::vector<Wait> look_again(const std::vector<std::string>& names) {
  std::vector<Wait> all;
  for (const std::string& name : names) {
    try {
      const std::vector<Wait> waits = find_waits(SegmentView(name));
      all.insert(all.end(), waits.begin(), waits.end());
    } catch (const std::runtime_error&) {
      continue;  // gone
    }
  }
  return all;
}

Finding deadlock(const std::vector<Wait>& cycle, std::int64_t milliseconds) {
  Finding finding{Gravity::problem,     "deadlock", cycle.front().segment,
                  cycle.front().object, "",         ""};
  finding.text = cycle.size() == 1 ? "deadlock: a thread waits for a lock that it holds itself"
                                   : "deadlock: " + std::to_string(cycle.size()) +
                                         " threads wait for each other, in a circle";
  finding.text += ", for " + std::to_string(milliseconds) + " ms at least";
  finding.cycle = Json::array();
  for (const Wait& wait : cycle) {
    finding.text += "\n    " + spelled(wait.waiter) + "\n      waits for " + quoted(wait) +
                    ", held by " + spelled(wait.holder);
    finding.cycle.push_back({{"waiter", to_json(wait.waiter)},
                             {"segment", wait.segment},
                             {"object", wait.object},
                             {"kind", detail::kind_name(wait.kind)},
                             {"holder", to_json(wait.holder)}});
  }
  finding.advice = "only ending one of them resolves it; take locks in one order everywhere";
  return finding;
}

void find_deadlocks(Diagnosis& diagnosis) {
  if (find_cycles(diagnosis.waits).empty()) return;
  const auto first = Clock::now();
  std::this_thread::sleep_for(kBetweenLooks);
  const auto passed = Clock::now() - first;
  const std::vector<Wait> both = unchanged(diagnosis.waits, look_again(diagnosis.looked_at));
  for (const std::vector<Wait>& cycle : find_cycles(both))
    diagnosis.findings.push_back(deadlock(cycle, passed / std::chrono::milliseconds(1)));
}

Diagnosis diagnose(const DoctorRequest& request) {
  Diagnosis diagnosis;
  const bool asked_for = !request.segments.empty();
  for (const std::string& name : asked_for ? request.segments : segment_names())
    examine_one(name, asked_for, diagnosis);
  find_deadlocks(diagnosis);
  return diagnosis;
}

// --- Repair, by the library: in a process of its own, which joins the segment as any other

// As Lock::recover(), whatever object the lock is part of.
void recover(const Segment& segment, const ObjectView& object) {
  if (object.kind == detail::Kind::lock)
    return static_cast<void>(Lock(segment, object.name, Open::existing).recover());
  if (object.kind == detail::Kind::rlock)
    return static_cast<void>(RLock(segment, object.name, Open::existing).recover());
  detail::Blueprint blueprint;
  blueprint.kind = object.kind;
  blueprint.type = object.type;
  blueprint.size = object.size;
  blueprint.alignment = object.alignment;
  blueprint.bytes = object.bytes;
  const auto opened = detail::open_object(segment, object.name, blueprint, Open::existing);
  const detail::LockHandle lock(opened.object, *static_cast<detail::LockWord*>(opened.memory));
  static_cast<void>(lock.take_over());
  lock.give_back();
}

bool is_abandoned(const LockView& lock) {
  return lock.state == LockView::State::abandoned && !lock.inner && !lock.inherits;
}

void repair_segment(const std::string& name) {
  const Segment segment(name, Open::existing);
  static_cast<void>(segment.used());  // buries the dead, and takes back what they alone had open
  const SegmentView view(name);
  for (const ObjectView& object : view.objects()) {
    if (!object.is_live() || !object.damage.empty()) continue;
    const std::vector<LockView> locks = read_locks(view, object);
    if (std::any_of(locks.begin(), locks.end(), is_abandoned)) recover(segment, object);
  }
}

// Where somebody alive has taken the lock meanwhile, or is stopped, this would wait: a process may
// be killed at any time, that is what the library is for.
std::string repair(const std::string& name) {
  const pid_t child = ::fork();
  if (child < 0) return "cannot start a process";
  if (child == 0) {
    ::signal(SIGALRM, SIG_DFL);
    ::alarm(kRepairSeconds);
    try {
      repair_segment(name);
      ::_exit(0);
    } catch (const std::exception& error) {
      complain("repair: " + std::string(error.what()));
      ::_exit(1);
    }
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return "cannot wait for it";
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    return "given up: somebody who is alive, or stopped, holds what it needs";
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "" : "failed";
}

Json repair_all(const Diagnosis& diagnosis) {
  std::map<std::string, std::string> outcomes;
  for (const Finding& finding : diagnosis.findings)
    if (finding.can_be_repaired && !outcomes.contains(finding.segment))
      outcomes[finding.segment] = repair(finding.segment);
  Json repairs = Json::array();
  for (const auto& [segment, error] : outcomes)
    repairs.push_back({{"segment", segment}, {"repaired", error.empty()}, {"why", error}});
  return repairs;
}

// --- What is printed

Json to_json(const Wait& wait) {
  Json facts{{"waiter", tool::to_json(wait.waiter)},
             {"segment", wait.segment},
             {"object", wait.object},
             {"kind", detail::kind_name(wait.kind)}};
  if (wait.holder.pid != 0) facts["holder"] = tool::to_json(wait.holder);
  return facts;
}

Json to_json(const Finding& finding) {
  Json facts{{"what", finding.what}, {"segment", finding.segment}};
  if (!finding.object.empty()) facts["object"] = finding.object;
  facts["text"] = finding.text;
  facts["advice"] = finding.advice;
  if (!finding.cycle.is_null()) facts["cycle"] = finding.cycle;
  return facts;
}

bool is_problem(const Finding& finding) { return finding.gravity == Gravity::problem; }

Json to_json(const Diagnosis& diagnosis) {
  Json facts{{"segments", diagnosis.looked_at},
             {"problems", Json::array()},
             {"notes", Json::array()},
             {"waits", Json::array()}};
  for (const Finding& finding : diagnosis.findings)
    facts[is_problem(finding) ? "problems" : "notes"].push_back(to_json(finding));
  for (const Wait& wait : diagnosis.waits) facts["waits"].push_back(to_json(wait));
  return facts;
}

std::string spelled(const Diagnosis& diagnosis) {
  std::string text;
  for (const Finding& finding : diagnosis.findings)
    text += coloured(is_problem(finding) ? Colour::red : Colour::yellow,
                     is_problem(finding) ? "problem" : "note") +
            "  " + (finding.what == "deadlock" ? "" : "segment '" + finding.segment + "': ") +
            finding.text + "\n    " + coloured(Colour::faint, finding.advice) + "\n";
  if (!diagnosis.waits.empty()) text += "who waits for whom\n";
  for (const Wait& wait : diagnosis.waits)
    text += "    " + tool::spelled(wait.waiter) + " waits for " + quoted(wait) +
            (wait.holder.pid != 0 ? ", held by " + tool::spelled(wait.holder) : "") + "\n";
  const auto problems =
      std::count_if(diagnosis.findings.begin(), diagnosis.findings.end(), is_problem);
  const std::string looked = std::to_string(diagnosis.looked_at.size()) +
                             (diagnosis.looked_at.size() == 1 ? " segment" : " segments") + ": ";
  return text + looked +
         (problems == 0 ? coloured(Colour::green, "no problems")
                        : coloured(Colour::red, std::to_string(problems) +
                                                    (problems == 1 ? " problem" : " problems"))) +
         "\n";
}

std::string spelled_repairs(const Json& repairs) {
  std::string text;
  for (const Json& one : repairs)
    text += "segment '" + one["segment"].get<std::string>() +
            "': " + (one["repaired"].get<bool>() ? "repaired" : one["why"].get<std::string>()) +
            "\n";
  return text;
}

}  // namespace

int examine(const DoctorRequest& request) {
  Diagnosis diagnosis = diagnose(request);
  std::optional<Json> repairs;
  if (request.repair) {
    if (!request.json) print(spelled(diagnosis));
    repairs = repair_all(diagnosis);
    if (!request.json && !repairs->empty()) print(spelled_repairs(*repairs) + "afterwards\n");
    if (!repairs->empty()) diagnosis = diagnose(request);
  }
  if (request.json) {
    Json facts = to_json(diagnosis);
    if (repairs) facts["repairs"] = *repairs;
    print(spelled_json(facts));
  } else if (!repairs || !repairs->empty()) {
    print(spelled(diagnosis));
  }
  const bool any = std::any_of(diagnosis.findings.begin(), diagnosis.findings.end(), is_problem);
  return any ? kProblem : diagnosis.code;
}

}  // namespace shoal::tool
