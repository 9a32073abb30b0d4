// SPDX-License-Identifier: MIT
#include "crew.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "os/exception.hpp"
#include "os/process.hpp"

namespace shoal::detail {
namespace {

using core::TaskId;

constexpr std::int32_t kKilled = os::kKill;
constexpr int kBadStatus = 1;

struct CrewPlan {
  const CrewOptions& options;
  std::uint32_t first;
  std::uint64_t number;
  std::vector<WorkerRange> older;
};

// --- A worker: does tasks, until it is to leave.

class Worker {
 public:
  Worker(PoolMemory& memory, const CrewPlan& plan, std::uint32_t number)
      : memory_(memory), plan_(plan), words_(memory.worker(number)), number_(number) {}

  int run() {
    words_.pid.store(os::process_id(), std::memory_order_relaxed);
    if (!begin()) return kBadStatus;
    // Relaxed: who reads it has waited for this process's end, or may as well miss it.
    memory_.begun().fetch_add(1, std::memory_order_relaxed);
    words_.stage.store(WorkerStage::at_work, std::memory_order_relaxed);
    memory_.list().enter(family_, plan_.number, [this] { return has_room(); });
    const std::size_t most = plan_.options.max_tasks_per_child;
    for (std::size_t done = 0; most == 0 || done < most; ++done) {
      const auto id = memory_.list().claim(family_, words_.note, number_, plan_.number);
      if (!id) break;
      perform(*id);
    }
    return 0;
  }

 private:
  bool begin() {
    if (!plan_.options.initializer) return true;
    words_.stage.store(WorkerStage::initializing, std::memory_order_relaxed);  // as at_work
    try {
      plan_.options.initializer();
      return true;
    } catch (...) {
      const os::Caught caught = os::caught();
      words_.complaint.make(caught.type, caught.what);
      return false;
    }
  }

  // As many of this crew may work as there are places that older workers have left.
  [[nodiscard]] bool has_room() const {
    std::uint32_t busy = 0;
    for (const WorkerRange& range : plan_.older)
      for (std::uint32_t i = 0; i < range.count; ++i)
        busy +=
            memory_.worker(range.first + i).note.load(std::memory_order_seq_cst) != core::kNoTask;
    return number_ - plan_.first + busy < plan_.options.size;
  }

  void perform(TaskId id) {
    TaskSlot& slot = memory_.list().slot(id);
    results_.clear();
    try {
      Reader arguments(memory_.get(slot, slot.arguments));
      slot.run(arguments, results_);
    } catch (...) {  // not what was called threw, but reading for it
      results_.clear();
      write_exception(results_);
    }
    os::flush_output();
    deliver(id, slot);
  }

  void deliver(TaskId id, TaskSlot& slot) {
    try {
      memory_.put(slot, slot.result, results_);
    } catch (...) {
      results_.clear();
      write_exception(results_);
      memory_.put(slot, slot.result, results_);
    }
    memory_.list().finish(family_, words_.note, id);
  }

  PoolMemory& memory_;
  const CrewPlan& plan_;
  WorkerWords& words_;
  const std::uint32_t number_;
  Family family_;
  std::vector<std::byte> results_;
};

// --- The foreman

class Foreman {
 public:
  Foreman(PoolMemory& memory, const CrewPlan& plan, const os::RollCall& roll_call)
      : memory_(memory), plan_(plan), roll_call_(roll_call) {}

  int run() {
    for (std::uint32_t i = 0; i < plan_.options.size; ++i) start(plan_.first + i);
    while (!places_.empty() || !unfilled_.empty()) {
      const auto ended = os::wait_for_child(unfilled_.empty() ? kLong : kShort);
      if (ended) replace(*ended);
      fill();
    }
    return 0;
  }

 private:
  static constexpr std::int64_t kLong = 60'000'000'000;
  static constexpr std::int64_t kShort = 20'000'000;
  static constexpr int kFutile = 20;

  void start(std::uint32_t number) {
    WorkerWords& words = memory_.worker(number);
    words.stage.store(WorkerStage::forked, std::memory_order_relaxed);  // nobody else is there
    const std::int32_t pid = os::fork_worker([&] {
      roll_call_.keep_to_itself();
      return Worker(memory_, plan_, number).run();
    });
    if (pid < 0)
      unfilled_.push_back(number);  // for want of processes, or memory: there may be some later
    else
      places_.emplace(pid, number);
  }

  void replace(const os::Ended& ended) {
    const auto place = places_.find(ended.pid);
    if (place == places_.end()) return;
    const std::uint32_t number = place->second;
    places_.erase(place);
    hear(number, ended);
    bury_worker(memory_, number, {ended.pid, ended.signal, ended.status});
    if (is_wanted()) unfilled_.push_back(number);
  }

  // One that could not begin says why. Some that end before they begin, and do not say why, might go
  // on doing so for ever.
  void hear(std::uint32_t number, const os::Ended& ended) {
    const WorkerWords& words = memory_.worker(number);
    if (words.complaint.is_made.load(std::memory_order_acquire) != 0) {
      memory_.complaint().make(words.complaint.type.data(), words.complaint.what.data());
    } else if (was_futile(words, ended) && ++futile_ == kFutile) {
      memory_.complaint().make(
          "shoal::WorkerDied",
          "workers end before they can begin: " +
              (ended.signal != 0 ? "killed by signal " + std::to_string(ended.signal)
                                 : "exit status " + std::to_string(ended.status)));
    }
  }

  // Whether it ended before it could begin, by no fault of anybody's outside. SIGKILL may be sent by
  // the initializer, or for what it does: too much memory. Where others can begin, and have since the
  // last one that was futile, it is the first again.
  bool was_futile(const WorkerWords& words, const os::Ended& ended) {
    const WorkerStage stage = words.stage.load(std::memory_order_relaxed);
    if (stage == WorkerStage::at_work) return false;
    if (stage == WorkerStage::forked && ended.signal == kKilled) return false;
    const std::uint64_t begun = memory_.begun().load(std::memory_order_relaxed);
    if (std::exchange(begun_, begun) != begun) futile_ = 0;
    return true;
  }

  void fill() {
    const std::vector<std::uint32_t> unfilled = std::exchange(unfilled_, {});
    for (const std::uint32_t number : unfilled)
      if (is_wanted()) start(number);
  }

  bool is_wanted() {
    const auto& words = memory_.list().words();
    if (words.crew.load(std::memory_order_acquire) > plan_.number) return false;
    if (memory_.complaint().is_made.load(std::memory_order_acquire) != 0) return false;
    return words.closing.load(std::memory_order_acquire) == 0 ||
           words.next.load(std::memory_order_acquire) <
               words.submitted.load(std::memory_order_acquire);
  }

  PoolMemory& memory_;
  const CrewPlan& plan_;
  const os::RollCall& roll_call_;
  std::unordered_map<std::int32_t, std::uint32_t> places_;  // by pid
  std::vector<std::uint32_t> unfilled_;
  std::uint64_t begun_ = 0;  // how many workers had, when the last one was futile
  int futile_ = 0;           // so many one after the other
};

int be_foreman(PoolMemory& memory, const CrewPlan& plan, const os::Tether& tether,
               const os::RollCall& roll_call) {
  try {
    os::become_foreman();
    tether.tie_group();
    return Foreman(memory, plan, roll_call).run();
  } catch (...) {
    return kBadStatus;  // it is looked after as if it had been killed
  }
}

}  // namespace

void bury_worker(PoolMemory& memory, std::uint32_t number, WorkerEnd end) {
  Family family;
  memory.list().bury(family, memory.worker(number).note, number, [&](TaskSlot& slot) {
    const auto bytes = std::as_bytes(std::span(&end, 1));
    std::copy(bytes.begin(), bytes.end(), slot.room.begin());
  });
}

Crew::Crew(PoolMemory& memory, const CrewOptions& options, std::uint32_t first,
           std::uint64_t number, std::vector<WorkerRange> older)
    : workers_{first, options.size}, foreman_([&] {
        const CrewPlan plan{options, first, number, std::move(older)};
        const os::PassOn passed_on = roll_call_.pass_on();
        return os::Child([&] { return be_foreman(memory, plan, tether_, roll_call_); });
      }()) {
  roll_call_.begin();
}

bool Crew::has_ended() { return foreman_.has_ended(); }

bool Crew::ends_by(Deadline deadline) { return foreman_.ends_by(deadline); }

void Crew::end() {
  foreman_.kill_group();
  static_cast<void>(foreman_.ends_by(kForever));
  static_cast<void>(roll_call_.all_gone_by(kForever));
}

}  // namespace shoal::detail
