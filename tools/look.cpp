// SPDX-License-Identifier: MIT

// shoal ls, show, top: look, and change nothing.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "commands.hpp"
#include "description.hpp"
#include "spelling.hpp"
#include "terminal.hpp"

namespace shoal::tool {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<std::string> chosen(const Request& request) {
  return request.segments.empty() ? segment_names() : request.segments;
}

const char* use_of(const SegmentView& view) {
  if (!view.damage().empty()) return "damaged";
  if (view.count_alive() > 0) return "in use";
  return view.count_dead() > 0 ? "left by the dead" : "unused";
}

// --- ls

struct Listed {
  Json facts;
  std::vector<std::string> row;
  std::optional<Colour> colour;
};

Listed list_sound(const std::string& name) {
  const SegmentView view(name);
  Listed listed;
  listed.facts = describe(view);
  listed.facts["state"] = use_of(view);
  std::string processes = std::to_string(view.count_alive());
  if (view.count_dead() > 0) processes += " +" + std::to_string(view.count_dead()) + " dead";
  listed.row = {name,
                spelled_bytes(view.header().capacity),
                spelled_bytes(view.used()),
                std::to_string(view.count_live_objects()),
                std::move(processes),
                std::to_string(view.threads().size()),
                user_name(view.status().user),
                spelled_time(view.header().created),
                use_of(view)};
  if (!view.damage().empty()) {
    listed.row.back() += ": " + view.damage().front();
    listed.colour = Colour::red;
  } else if (view.count_alive() == 0) {
    listed.colour = Colour::faint;
  }
  return listed;
}

Listed list_unsound(const std::string& name, const char* state, const char* why) {
  return {{{"name", name}, {"state", state}, {state, why}},
          {name, "-", "-", "-", "-", "-", "-", "-", std::string(state) + ": " + why},
          Colour::red};
}

// Nothing: it has gone since its name was found, and nobody asked for it by that name.
std::optional<Listed> list_one(const std::string& name, bool asked_for, int& code) {
  try {
    Listed listed = list_sound(name);
    if (listed.facts.contains("damaged")) code = std::max<int>(code, kProblem);
    return listed;
  } catch (const Damaged& damaged) {
    code = std::max<int>(code, kProblem);
    return list_unsound(name, "damaged", damaged.what());
  } catch (const Unreadable& unreadable) {
    if (asked_for) code = std::max<int>(code, kFailed);
    return list_unsound(name, "unreadable", unreadable.what());
  } catch (const Absent& absent) {
    if (!asked_for) return std::nullopt;
    complain("segment '" + printable(name) + "': " + absent.what());
    code = std::max<int>(code, kFailed);
    return std::nullopt;
  }
}

// --- show

// Facts as people read them: one a line, what belongs to something further to the right.
void spell_facts(const Json& facts, const std::string& indent, std::string& text) {
  for (const auto& [name, fact] : facts.items()) {
    const std::string label = facts.is_array() ? "-" : name + ":";
    if (fact.is_structured() && !fact.empty()) {
      text += indent + label + "\n";
      spell_facts(fact, indent + "  ", text);
    } else if (!fact.is_structured()) {
      text += indent + label + " " +
              (fact.is_string() ? printable(fact.get<std::string>())
                                : fact.dump(-1, ' ', true, Json::error_handler_t::replace)) +
              "\n";
    }
  }
}

std::string spelled_head(const SegmentView& view) {
  const format::Header& header = view.header();
  std::string text = coloured(Colour::bold, "segment " + view.name()) + "  " +
                     spelled_bytes(view.used()) + " of " + spelled_bytes(header.capacity) +
                     " used by " + std::to_string(view.count_live_objects()) + " of " +
                     std::to_string(header.max_objects) + " objects\n  made " +
                     spelled_time(header.created) + " by process " +
                     std::to_string(header.creator) + ", belongs to " +
                     user_name(view.status().user) + ", " + use_of(view) + "\n";
  for (const std::string& damage : view.damage())
    text += "  " + coloured(Colour::red, "damaged: " + damage) + "\n";
  return text;
}

std::string spelled_participants(const SegmentView& view) {
  if (view.participants().empty()) return "\nnobody is in it\n";
  Table table({"PROCESS", "NAME", "STATE", "SINCE", ">THREADS"});
  for (const Participant& one : view.participants()) {
    const auto threads =
        std::count_if(view.threads().begin(), view.threads().end(),
                      [&](const ThreadView& thread) { return one.is(thread.owner); });
    table.add({std::to_string(one.pid), one.name, one.alive ? "alive" : "dead",
               spelled_time(one.attached), std::to_string(threads)},
              one.alive ? std::nullopt : std::optional(Colour::faint));
  }
  return "\n" + table.str();
}

std::string short_type(const std::string& type) {
  constexpr std::size_t most = 40;
  return type.size() <= most ? type : type.substr(0, most - 3) + "...";
}

int show_all(const SegmentView& view, const ShowRequest& request) {
  Json facts = describe(view);
  facts["state"] = use_of(view);
  facts["objects"] = Json::array();
  Table table({"OBJECT", "KIND", "TYPE", ">BYTES", "STATE"});
  bool damaged = !view.damage().empty();
  for (const ObjectView& object : view.objects()) {
    if (!object.is_live()) continue;
    const Description description = describe(view, object, request.most_items);
    const bool is_damaged = description.facts.contains("damaged");
    damaged = damaged || is_damaged;
    table.add({object.name, description.facts["kind"].get<std::string>(), short_type(object.type),
               std::to_string(object.bytes), description.line},
              is_damaged ? std::optional(Colour::red) : std::nullopt);
    facts["objects"].push_back(description.facts);
  }
  print(request.json ? spelled_json(facts)
                     : spelled_head(view) + spelled_participants(view) + "\n" + table.str());
  return damaged ? kProblem : kWell;
}

int show_one(const SegmentView& view, const ShowRequest& request) {
  const ObjectView* const object = view.find(request.object);
  if (object == nullptr) {
    complain("segment '" + view.name() + "' has no object '" + printable(request.object) + "'");
    return kFailed;
  }
  const Description description = describe(view, *object, request.most_items);
  std::string text = coloured(Colour::bold, object->name) + "  " + description.line + "\n";
  spell_facts(description.facts, "  ", text);
  print(request.json ? spelled_json(description.facts) : text);
  return description.facts.contains("damaged") ? kProblem : kWell;
}

// --- top

// What is known of an object's past and present.
struct Activity {
  std::string segment, object, kind, depth;
  std::uint64_t operations = 0;  // so far
  std::uint64_t contended = 0;   // so far
  std::size_t waiting = 0;
};
using Activities = std::map<std::pair<std::string, std::string>, Activity>;

// Of all facts of these names, also of an object's parts.
std::uint64_t sum_of(const Json& facts, const std::set<std::string>& names) {
  std::uint64_t sum = 0;
  for (const auto& [name, fact] : facts.items()) {
    if (fact.is_object()) sum += sum_of(fact, names);
    if (fact.is_number_unsigned() && names.contains(name)) sum += fact.get<std::uint64_t>();
  }
  return sum;
}

void add_activities(const SegmentView& view, Activities& all) {
  for (const ObjectView& object : view.objects()) {
    if (!object.is_live()) continue;
    const Json facts = describe(view, object, 0).facts;
    Activity activity{view.name(), object.name, facts["kind"].get<std::string>(), "", 0, 0, 0};
    activity.operations =
        sum_of(facts, {"pushed", "popped", "rounds", "waits_ever", "changes", "sent", "received"});
    activity.contended = sum_of(facts, {"contended"});
    activity.waiting = facts["waiting"].size();
    if (facts.contains("items")) activity.depth = facts["items"].dump();
    if (facts.contains("permits")) activity.depth = facts["permits"].dump();
    if (facts.contains("arrived")) activity.depth = facts["arrived"].dump();
    if (facts.value("state", "") == "held") activity.depth = "held";
    all[{view.name(), object.name}] = std::move(activity);
  }
}

Activities activities(const TopRequest& request) {
  Activities all;
  for (const std::string& name : chosen(request)) {
    try {
      add_activities(SegmentView(name), all);
    } catch (const std::runtime_error&) {
      continue;  // gone, or damaged: ls says so
    }
  }
  return all;
}

struct Rates {
  Activity activity;
  double operations;
  double contended;
};

double rate(std::uint64_t now, std::uint64_t before, double seconds) {
  return now < before ? 0 : static_cast<double>(now - before) / seconds;
}

// The busiest first.
std::vector<Rates> rates_of(const Activities& before, const Activities& now, double seconds) {
  std::vector<Rates> rates;
  for (const auto& [key, activity] : now) {
    const auto old = before.find(key);
    const Activity& then = old == before.end() ? activity : old->second;
    rates.push_back({activity, rate(activity.operations, then.operations, seconds),
                     rate(activity.contended, then.contended, seconds)});
  }
  std::stable_sort(rates.begin(), rates.end(), [](const Rates& a, const Rates& b) {
    return std::tuple(a.operations, a.contended, a.activity.waiting) >
           std::tuple(b.operations, b.contended, b.activity.waiting);
  });
  return rates;
}

std::string spelled_rate(double rate) {
  char text[32];
  std::snprintf(text, sizeof text, rate < 10 && rate > 0 ? "%.1f" : "%.0f", rate);
  return text;
}

bool is_quiet(const Rates& one) {
  return one.operations == 0 && one.contended == 0 && one.activity.waiting == 0 &&
         one.activity.depth != "held";
}

std::string spelled_rates(const std::vector<Rates>& rates) {
  Table table({"SEGMENT", "OBJECT", "KIND", ">OPS/S", ">CONTENDED/S", ">DEPTH", ">WAITING"});
  std::size_t quiet = 0;
  for (const Rates& one : rates) {
    if (is_quiet(one)) {
      ++quiet;
      continue;
    }
    table.add({one.activity.segment, one.activity.object, one.activity.kind,
               spelled_rate(one.operations), spelled_rate(one.contended), one.activity.depth,
               std::to_string(one.activity.waiting)});
  }
  const std::string head = spelled_time(std::chrono::system_clock::now().time_since_epoch() /
                                        std::chrono::nanoseconds(1)) +
                           "  " + std::to_string(rates.size()) + " objects, " +
                           std::to_string(quiet) + " of them quiet\n";
  if (!is_terminal()) return head + table.str() + "\n";
  const auto lines = static_cast<std::size_t>(std::max(terminal_lines() - 2, 2));
  return "\033[H\033[J" + head + table.str(lines);
}

std::string json_rates(const std::vector<Rates>& rates) {
  Json list = Json::array();
  for (const Rates& one : rates)
    list.push_back({{"segment", one.activity.segment},
                    {"object", one.activity.object},
                    {"kind", one.activity.kind},
                    {"operations_per_second", one.operations},
                    {"contended_per_second", one.contended},
                    {"depth", one.activity.depth},
                    {"waiting", one.activity.waiting}});
  return Json{{"objects", std::move(list)}}.dump() + "\n";
}

// Signals that end it wait until it sleeps: then nothing is half printed.
class Interruptible {
 public:
  Interruptible() {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals_, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  // The signal that came meanwhile; 0: none.
  [[nodiscard]] int sleep(double seconds) const {
    timespec time{};
    time.tv_sec = static_cast<std::time_t>(seconds);
    time.tv_nsec = static_cast<long>((seconds - std::floor(seconds)) * 1e9);
    return std::max(::sigtimedwait(&signals_, nullptr, &time), 0);
  }

 private:
  sigset_t signals_{};
};

}  // namespace

int list(const Request& request) {
  int code = kWell;
  Table table({"SEGMENT", ">SIZE", ">USED", ">OBJECTS", ">PROCESSES", ">THREADS", "OWNER",
               "CREATED", "STATE"});
  Json facts{{"segments", Json::array()}};
  bool any = false;
  for (const std::string& name : chosen(request)) {
    std::optional<Listed> listed = list_one(name, !request.segments.empty(), code);
    if (!listed) continue;
    any = true;
    table.add(std::move(listed->row), listed->colour);
    facts["segments"].push_back(std::move(listed->facts));
  }
  if (request.json) {
    print(spelled_json(facts));
  } else if (any) {
    print(table.str());
  } else if (request.segments.empty()) {
    print("no segments in /dev/shm\n");
  }
  return code;
}

int show(const ShowRequest& request) {
  const std::string& name = request.segment;
  try {
    const SegmentView view(name);
    return request.object.empty() ? show_all(view, request) : show_one(view, request);
  } catch (const Damaged& damaged) {
    if (request.json)
      print(spelled_json({{"name", name}, {"state", "damaged"}, {"damaged", damaged.what()}}));
    else
      complain("segment '" + printable(name) + "' is damaged: " + damaged.what());
    return kProblem;
  } catch (const std::runtime_error& error) {
    complain("segment '" + printable(name) + "': " + error.what());
    return kFailed;
  }
}

int top(const TopRequest& request) {
  const Interruptible interruptible;
  Activities before = activities(request);
  auto then = Clock::now();
  for (std::uint64_t shown = 0; request.count == 0 || shown < request.count; ++shown) {
    if (const int signal = interruptible.sleep(request.interval)) return 128 + signal;
    Activities now = activities(request);
    const auto at = Clock::now();
    const auto rates = rates_of(before, now, std::chrono::duration<double>(at - then).count());
    print(request.json ? json_rates(rates) : spelled_rates(rates));
    before = std::move(now);
    then = at;
  }
  return kWell;
}

}  // namespace shoal::tool
