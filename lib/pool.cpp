// SPDX-License-Identifier: MIT
#include "shoal/pool.hpp"

#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "crew_list.hpp"
#include "os/arena.hpp"
#include "os/exception.hpp"
#include "os/process.hpp"
#include "pool_memory.hpp"

namespace shoal::detail {

using core::Glance;
using core::Look;
using core::TaskId;

void write_exception(std::vector<std::byte>& results) {
  const os::Caught caught = os::caught();
  Writer(results).write(false, caught.type, caught.what);
}

namespace {

constexpr unsigned kMostProcesses = 1000;

CrewOptions checked(unsigned processes, std::size_t max_tasks_per_child,
                    std::function<void()> initializer) {
  if (processes == 0 || processes > kMostProcesses)
    throw std::invalid_argument("shoal: pool: " + std::to_string(processes) +
                                " processes: it has 1 to " + std::to_string(kMostProcesses));
  return {processes, max_tasks_per_child, std::move(initializer)};
}

std::string how(const WorkerEnd& end) {
  if (end.signal != 0) return "was killed by signal " + std::to_string(end.signal);
  return "left with exit status " + std::to_string(end.status);
}

}  // namespace

// `mutex` is of all that follows it, and of every Job.
struct PoolCore::State {
  // What is known here of a task that has been handed in.
  struct Task {
    std::shared_ptr<Job> job;  // null: nobody wants to know
    std::size_t first = 0;
    std::size_t items = 0;
    bool is_back = false;
  };
  enum class Phase { open, closed, terminated };

  explicit State(CrewOptions crew_options) : options(std::move(crew_options)) { crews.hire(); }

  void check_maker() const {
    if (os::process_id() != maker)
      throw std::logic_error("shoal: pool: only the process that made it may use it");
  }

  void check_open() const {
    if (phase == Phase::open) return;
    throw Closed(phase == Phase::closed ? "pool: it is closed, and takes no more tasks"
                                        : "pool: it has been terminated");
  }

  // --- Streams

  [[nodiscard]] bool takes(const Job& job) const {
    return phase == Phase::open || (phase == Phase::closed && job.is_stream);
  }
  void end_stream(Job& job) {
    if (!std::exchange(job.is_stream, false)) return;
    --streams;
    let_workers_leave();
  }
  void let_workers_leave() {
    if (phase == Phase::closed && streams == 0) memory.list().close(family);
  }

  // --- Crews

  void mend() {
    crews.drop_ended();
    if (crews.empty() && is_needed()) crews.hire();
  }
  [[nodiscard]] bool is_needed() {
    if (phase == Phase::terminated || is_broken()) return false;
    return phase == Phase::open || !tasks.empty();
  }
  [[nodiscard]] bool is_broken() {
    return memory.complaint().is_made.load(std::memory_order_acquire) != 0;
  }

  // --- What comes back

  void take_back() {
    memory.list().take_done(oldest, [this](TaskId id) { take_back(id); });
    while (!tasks.empty() && tasks.front().is_back) {
      tasks.pop_front();
      memory.drop_slots_before(++oldest);
    }
  }

  void take_back(TaskId id) {
    if (id < oldest || id - oldest >= tasks.size()) return;
    Task& task = tasks[id - oldest];
    if (task.is_back) return;
    task.is_back = true;
    TaskSlot& slot = memory.list().slot(id);
    const std::shared_ptr<Job> job = std::exchange(task.job, nullptr);
    if (job) {
      const bool is_lost =
          core::phase_of(slot.state.load(std::memory_order_relaxed)) == core::TaskPhase::lost;
      is_lost ? lose(*job, task, slot) : deliver(*job, task, slot);
      has_news = true;
    }
    memory.drop(slot.arguments);
    memory.drop(slot.result);
  }

  void deliver(Job& job, const Task& task, const TaskSlot& slot) {
    std::size_t done = 0;
    try {
      Reader from(memory.get(slot, slot.result));
      for (; done < task.items && from.left() > 0; ++done) deliver(job, task.first + done, from);
      from.finish();
      if (done < task.items) Reader::fail("there are too few results");
    } catch (...) {
      fail(job, task.first + done, task.items - done, std::current_exception());
    }
  }
  static void deliver(Job& job, std::size_t item, Reader& from) {
    if (from.read<bool>()) return job.came(item, from);
    auto type = from.read<std::string>();
    const auto what = from.read<std::string>();
    job.failed(item, std::make_exception_ptr(RemoteError(std::move(type), what)));
  }
  static void lose(Job& job, const Task& task, const TaskSlot& slot) {
    WorkerEnd end{};
    std::memcpy(&end, slot.room.data(), sizeof end);
    const std::string what = "pool: worker (pid " + std::to_string(end.pid) + ") " + how(end) +
                             " while it did task " + std::to_string(task.first) +
                             "; it has been replaced, do that task again";
    fail(job, task.first, task.items,
         std::make_exception_ptr(WorkerDied(end.pid, end.signal, task.first, what)));
  }
  static void fail(Job& job, std::size_t first, std::size_t items, const std::exception_ptr& why) {
    for (std::size_t i = 0; i < items; ++i) job.failed(first + i, why);
  }

  void fail_all(const std::exception_ptr& why) {
    for (Task& task : tasks) {
      if (!task.job) continue;
      const std::shared_ptr<Job> job = std::exchange(task.job, nullptr);
      fail(*job, task.first, task.items, why);
    }
    has_news = true;
  }
  [[nodiscard]] std::exception_ptr complaint() {
    Complaint& made = memory.complaint();
    return std::make_exception_ptr(RemoteError(
        made.type.data(), std::string("pool: no worker can begin: ") + made.what.data()));
  }

  // Everything that there is to know. `closely`: with system calls.
  void look(bool closely) {
    take_back();
    if (!closely || phase == Phase::terminated) return;
    mend();
    take_back();
    if (is_broken()) fail_all(complaint());
  }

  // --- Waiting

  // Looks until is_ready() (true) or the deadline has passed (false). `job`: which is waited for.
  template <class Ready>
  bool wait(Job* job, Deadline deadline, Ready is_ready) {
    if (const std::scoped_lock held(mutex); true) ++waiters;
    struct Leave {
      State& state;
      ~Leave() {
        const std::scoped_lock held(state.mutex);
        --state.waiters;
      }
    } const leave{*this};
    return core::wait(family, memory.list().words().waiting, deadline, [&](Glance glance) {
      bool ready = false;
      if (const std::scoped_lock held(mutex); true) {
        look(glance != Glance::quick);
        ready = is_ready();
        if (!ready && glance != Glance::quick && ask_to_be_told(job)) {
          look(true);  // what came before that was not told
          ready = is_ready();
        }
        pass_news_on(1);
      }
      if (job) job->show_progress();
      return ready ? Look::done : Look::wait;
    });
  }

  // Of which task this process is to be told: being told of each is dear where there are many. The
  // last of the job is as good as any: few are missing then. True: of another than until now.
  bool ask_to_be_told(const Job* job) {
    std::uint64_t wanted = core::kAnyTask;
    if (job && waiters == 1 && !job->wants_each() && job->last_task >= oldest &&
        !tasks[job->last_task - oldest].is_back)
      wanted = core::only_task(job->last_task);
    return memory.list().want(wanted);
  }

  // Other threads that sleep may have been waiting for what this one has seen.
  void pass_news_on(int who_knows) {
    if (std::exchange(has_news, false) && waiters > who_knows)
      core::wake(family, memory.list().words().waiting, core::kEverybody);
  }

  void end_crews() {
    crews.end_all();
    take_back();
    fail_all(std::make_exception_ptr(Closed("pool: it was terminated before that was done")));
  }

  const std::uint32_t maker = os::process_id();
  const CrewOptions options;
  PoolMemory memory;
  Family family;

  std::mutex mutex;
  Phase phase = Phase::open;
  CrewList crews{memory, options};
  int streams = 0;
  TaskId oldest = 0;  // the first of `tasks`
  std::deque<Task> tasks;
  int waiters = 0;
  bool has_news = false;
};

PoolCore::PoolCore(unsigned processes, std::size_t max_tasks_per_child,
                   std::function<void()> initializer)
    : state_(std::make_unique<State>(
          checked(processes, max_tasks_per_child, std::move(initializer)))) {}

PoolCore::~PoolCore() { finish(); }

void PoolCore::finish() noexcept {
  if (os::process_id() == state_->maker) terminate();
}

unsigned PoolCore::size() const { return state_->options.size; }

void PoolCore::check_open() const {
  state_->check_maker();
  const std::scoped_lock held(state_->mutex);
  state_->check_open();
}

bool PoolCore::may_hold_address(std::span<const std::byte> bytes) {
  for (std::size_t at = 0; at + sizeof(std::uintptr_t) <= bytes.size();
       at += alignof(std::uintptr_t)) {
    std::uintptr_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    if (os::is_mapped(word)) return true;
  }
  return false;
}

void PoolCore::renew_workers() {
  const std::scoped_lock held(state_->mutex);
  state_->mend();
  if (state_->phase == State::Phase::open) state_->crews.hire();
}

void PoolCore::submit(const std::shared_ptr<Job>& job, RunTask run,
                      std::span<const std::byte> arguments, std::size_t first, std::size_t items) {
  state_->check_maker();
  PoolMemory& memory = state_->memory;
  std::unique_lock held(state_->mutex);
  const auto has_room = [&] {
    return !state_->takes(*job) || state_->tasks.size() < memory.list().slots();
  };
  while (!has_room()) {
    held.unlock();
    static_cast<void>(state_->wait(nullptr, kForever, has_room));
    held.lock();
  }
  if (!state_->takes(*job)) state_->check_open();  // another thread may have ended it by now
  const TaskId id = state_->oldest + state_->tasks.size();
  TaskSlot& slot = memory.list().slot(id);
  slot.crew = state_->crews.newest();
  slot.run = run;
  slot.result = {};
  memory.put(slot, slot.arguments, arguments);
  state_->tasks.push_back({job, first, items, false});
  job->last_task = id;
  memory.list().submit(state_->family, id);
}

void PoolCore::begin_stream(Job& job) {
  state_->check_maker();
  const std::scoped_lock held(state_->mutex);
  state_->check_open();
  job.is_stream = true;
  ++state_->streams;
}

void PoolCore::end_stream(Job& job) {
  if (os::process_id() != state_->maker) return;
  const std::scoped_lock held(state_->mutex);
  state_->end_stream(job);
}

bool PoolCore::wait(Job& job, Deadline deadline) {
  state_->check_maker();
  return state_->wait(&job, deadline, [&job] { return job.is_ready(); });
}

void PoolCore::look() {
  state_->check_maker();
  const std::scoped_lock held(state_->mutex);
  state_->look(true);
  state_->pass_news_on(0);
}

void PoolCore::locked(const std::function<void()>& call) {
  const std::scoped_lock held(state_->mutex);
  call();
}

void PoolCore::abandon(Job& job) {
  if (os::process_id() != state_->maker) return;
  const std::scoped_lock held(state_->mutex);
  state_->end_stream(job);
  for (std::size_t i = 0; i < state_->tasks.size(); ++i) {
    State::Task& task = state_->tasks[i];
    if (task.job.get() != &job) continue;
    task.job.reset();
    const TaskId id = state_->oldest + i;
    if (state_->memory.list().cancel(id)) state_->take_back(id);
  }
}

void PoolCore::close() {
  state_->check_maker();
  const std::scoped_lock held(state_->mutex);
  if (state_->phase != State::Phase::open) return;
  state_->phase = State::Phase::closed;
  state_->let_workers_leave();
}

void PoolCore::terminate() {
  state_->check_maker();
  const std::scoped_lock held(state_->mutex);
  if (state_->phase == State::Phase::terminated) return;
  state_->phase = State::Phase::terminated;
  state_->memory.list().close(state_->family);
  state_->end_crews();
  core::wake(state_->family, state_->memory.list().words().waiting, core::kEverybody);
}

void PoolCore::join() {
  state_->check_maker();
  for (;;) {
    std::shared_ptr<Crew> crew;
    if (const std::scoped_lock held(state_->mutex); true) {
      if (state_->phase == State::Phase::open)
        throw std::logic_error("shoal: pool: join: call close() or terminate() first");
      // Streams that have not ended may be this thread's: who goes on with one has a crew hired.
      state_->memory.list().close(state_->family);
      state_->look(true);
      state_->pass_news_on(0);
      if (state_->crews.empty()) return;
      crew = state_->crews.oldest();
    }
    static_cast<void>(crew->ends_by(steady_now() + 10 * core::kMillisecond));
  }
}

}  // namespace shoal::detail
