// SPDX-License-Identifier: MIT
#include "description.hpp"

#include <string>
#include <vector>

#include "kind_description.hpp"
#include "kinds.hpp"
#include "spelling.hpp"

namespace shoal::tool {
namespace {

Json lock_facts(const LockView& lock) {
  Json facts{{"state", state_name(lock.state)}};
  if (lock.state == LockView::State::held) facts["holder"] = to_json(lock.holder);
  if (lock.state == LockView::State::left || lock.state == LockView::State::abandoned)
    facts["died_holding_it"] = to_json(lock.holder);
  if (lock.inherited) facts["inherited"] = true;
  if (lock.depth > 1) facts["depth"] = lock.depth;
  facts["contended"] = lock.sleepers >> 1;  // how often somebody who slept was woken
  facts["on_owner_death"] = lock.inherits ? "inherit" : "raise";
  return facts;
}

std::string spelled_lock(const LockView& lock) {
  switch (lock.state) {
    case LockView::State::free:
      return "free";
    case LockView::State::held:
      return "held by " + spelled(lock.holder) +
             (lock.depth > 1 ? ", " + std::to_string(lock.depth) + " deep" : "");
    case LockView::State::left:
    case LockView::State::abandoned:
      break;
  }
  return "abandoned: " + spelled(lock.holder) + " died holding it";
}

// Of the user's own lock in an object: only where there is something to say.
std::string spelled_extra(const LockView& lock) {
  return lock.inner || lock.state == LockView::State::free ? ""
                                                           : ", its lock " + spelled_lock(lock);
}

void add_locks(const Subject& subject, Description& description) {
  for (const LockView& lock : read_locks(subject.view, subject.object)) {
    if (lock.role.empty()) {
      description.facts.update(lock_facts(lock));
      description.line = spelled_lock(lock);
    } else {
      description.facts["locks"][lock.role] = lock_facts(lock);
      description.line += spelled_extra(lock);
    }
  }
}

Json processes(const SegmentView& view) {
  Json list = Json::array();
  for (const Participant& one : view.participants()) list.push_back(to_json(one));
  return list;
}

}  // namespace

Description describe(const SegmentView& view, const ObjectView& object, std::size_t most_items) {
  const Subject subject{view, object, most_items};
  const std::vector<Who> waiters = waiters_of(view, object);
  Description description;
  Json& facts = description.facts;
  facts = {{"name", object.name},
           {"kind", detail::kind_name(object.kind)},
           {"type", object.type},
           {"bytes", object.bytes}};
  try {
    std::vector<Who> openers;
    for (const Participant* const one : view.openers(object)) openers.push_back(who(*one));
    facts["open_in"] = to_json(openers);
    describe_kind(subject, description);
    add_locks(subject, description);
  } catch (const Damaged& damaged) {
    facts["damaged"] = damaged.what();
    description.line = "damaged: " + std::string(damaged.what());
  }
  facts["waiting"] = to_json(waiters);
  if (!waiters.empty()) {
    std::vector<std::string> parts;
    parts.reserve(waiters.size());
    for (const Who& waiter : waiters) parts.push_back(spelled(waiter));
    description.line += "; waiting: " + join(parts, "; ");
  }
  return description;
}

Json describe(const SegmentView& view) {
  Json facts{{"name", view.name()},
             {"size", view.header().capacity},
             {"used", view.used()},
             {"memory", view.status().memory},
             {"objects", view.count_live_objects()},
             {"max_objects", view.header().max_objects},
             {"processes", view.count_alive()},
             {"dead", view.count_dead()},
             {"threads", view.threads().size()},
             {"owner", user_name(view.status().user)},
             {"uid", view.status().user},
             {"created", view.header().created},
             {"creator", view.header().creator},
             {"participants", processes(view)}};
  if (!view.damage().empty()) facts["damaged"] = join(view.damage(), "; ");
  return facts;
}

Json to_json(const Who& who) {
  Json facts{{"pid", who.pid}};
  if (who.tid != 0) facts["tid"] = who.tid;
  facts["name"] = who.process;
  return facts;
}

Json to_json(const std::vector<Who>& list) {
  Json result = Json::array();
  for (const Who& who : list) result.push_back(to_json(who));
  return result;
}

Json to_json(const Participant& process) {
  return {{"pid", process.pid},
          {"name", process.name},
          {"alive", process.alive},
          {"since", process.attached}};
}

std::string spelled_json(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace shoal::tool
