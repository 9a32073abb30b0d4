// SPDX-License-Identifier: MIT

// shoal rm, gc: take segments away.

#include <algorithm>
#include <functional>
#include <system_error>

#include "commands.hpp"
#include "description.hpp"
#include "message.hpp"
#include "spelling.hpp"
#include "terminal.hpp"

namespace shoal::tool {
namespace {

std::string spelled_list(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& one : list) text += (text.empty() ? "" : ", ") + one;
  return text;
}

// "process 12 (worker), process 13 (worker) and 5 more"
std::string spelled_living(const SegmentView& view, bool alive) {
  constexpr std::size_t most = 3;
  std::vector<std::string> names;
  std::size_t more = 0;
  for (const Participant& one : view.participants()) {
    if (one.alive != alive) continue;
    if (names.size() < most)
      names.push_back(spelled(who(one)));
    else
      ++more;
  }
  return spelled_list(names) + (more > 0 ? " and " + std::to_string(more) + " more" : "");
}

struct Outcome {
  const char* did;  // "removed", "kept", "would be removed", "failed"
  std::string why;
  int code = kWell;
  std::uint64_t memory = 0;
};

Outcome failed(const std::string& why) { return {"failed", why, kFailed}; }

Outcome unlink(const std::string& name, std::string why, std::uint64_t memory) {
  const std::error_code error = os::remove_file(name);
  if (error == std::errc::no_such_file_or_directory) return failed("there is no such segment");
  if (error) return failed("cannot be removed: " + error.message());
  return {"removed", std::move(why), kWell, memory};
}

// --- rm

Outcome remove_one(const std::string& name, bool force) {
  if (!detail::is_valid_name(name)) return failed("that is no name of a segment");
  try {
    const SegmentView view(name);
    if (view.count_alive() > 0 && !force)
      return {"kept",
              "in use by " + spelled_living(view, true) +
                  "; with --force its name goes all the same, and whoever comes later is in "
                  "another segment",
              kInUse};
    return unlink(name, view.count_alive() > 0 ? "forced" : "not in use", view.status().memory);
  } catch (const Absent& absent) {
    return failed(absent.what());
  } catch (const Damaged&) {
    return unlink(name, "damaged", 0);
  } catch (const Unreadable& unreadable) {
    return force ? unlink(name, "forced", 0) : failed(unreadable.what());
  }
}

// --- gc

struct Verdict {
  bool remove;
  std::string why;
};

Verdict judge(const SegmentView& view, const CollectRequest& request) {
  if (view.count_alive() > 0) return {false, "in use by " + spelled_living(view, true)};
  if (!view.damage().empty())
    return {false, "damaged, and not used by anyone; shoal rm takes it away"};
  if (view.count_dead() > 0)
    return {true, "nobody alive has it open; left by the dead: " + spelled_living(view, false)};
  if (view.processes_ever() == 0) return {false, "new: nobody has come yet"};
  if (request.unused) return {true, "nobody alive has it open; everybody has left in good order"};
  return {false,
          "everybody has left in good order; perhaps it is to be kept (--unused removes it)"};
}

// The decision above was of a moment ago. While this lives, nobody is in the segment and nobody can
// come: it holds the lock of every place, and of the directory, where those who come wait for a
// place. The kernel gives them all or none, and at once: nobody who is alive can notice. Who opened
// the file before, and comes then, finds that its name has gone, and opens what there is now.
class Seal {
 public:
  explicit Seal(const std::string& name, const SegmentView& view) {
    if (os::File::open(name, file_)) return;
    os::FileStatus now;
    const os::FileStatus& then = view.status();
    sealed_ = !file_.try_lock(format::kDirectoryByte) &&
              !file_.try_lock(format::life_byte(0), view.header().max_processes) &&
              !file_.status(now) && now.linked && now.device == then.device &&
              now.inode == then.inode;
  }
  [[nodiscard]] bool is_sealed() const { return sealed_; }
  [[nodiscard]] bool is_open() const { return file_.is_open(); }

 private:
  os::File file_;
  bool sealed_ = false;
};

Outcome collect_sealed(const std::string& name, const SegmentView& view, std::string why) {
  const Seal seal(name, view);
  if (!seal.is_open()) return failed("you may not open it for writing");
  if (!seal.is_sealed()) return {"kept", "somebody has just come, or it has gone"};
  return unlink(name, std::move(why), view.status().memory);
}

Outcome collect_one(const std::string& name, const CollectRequest& request) {
  try {
    const SegmentView view(name);
    Verdict verdict = judge(view, request);
    if (!verdict.remove) return {"kept", std::move(verdict.why)};
    if (request.dry_run)
      return {"would be removed", std::move(verdict.why), kWell, view.status().memory};
    return collect_sealed(name, view, std::move(verdict.why));
  } catch (const Absent&) {
    return {"kept", "it has gone by itself"};
  } catch (const Damaged& damaged) {
    return {"kept", "damaged: " + std::string(damaged.what())};
  } catch (const Unreadable& unreadable) {
    return {"kept", unreadable.what()};
  }
}

// --- Both

int report(const std::vector<std::string>& names, bool json,
           const std::function<Outcome(const std::string&)>& act) {
  int code = kWell;
  std::uint64_t memory = 0;
  Json facts{{"segments", Json::array()}};
  for (const std::string& name : names) {
    const Outcome outcome = act(name);
    code = std::max(code, outcome.code);
    memory += outcome.memory;
    facts["segments"].push_back(
        {{"name", name}, {"did", outcome.did}, {"why", outcome.why}, {"memory", outcome.memory}});
    if (json) continue;
    const std::string line = printable(name) + ": " + outcome.did + ": " + outcome.why;
    if (outcome.code != kWell)
      complain(line);
    else
      print(line + (outcome.memory > 0 ? " (" + spelled_bytes(outcome.memory) + ")" : "") + "\n");
  }
  facts["memory"] = memory;
  if (json) print(spelled_json(facts));
  return code;
}

}  // namespace

int remove(const RemoveRequest& request) {
  return report(request.segments, request.json,
                [&](const std::string& name) { return remove_one(name, request.force); });
}

int collect(const CollectRequest& request) {
  const std::vector<std::string> names =
      request.segments.empty() ? segment_names() : request.segments;
  if (names.empty() && !request.json) print("no segments in /dev/shm\n");
  return report(names, request.json,
                [&](const std::string& name) { return collect_one(name, request); });
}

}  // namespace shoal::tool
