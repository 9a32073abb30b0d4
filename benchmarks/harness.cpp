// SPDX-License-Identifier: MIT
#include "harness.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <limits>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>

namespace bench {

constexpr int kMaxWorkers = 16;
constexpr std::chrono::seconds kMostTime(10);  // beyond what a measurement is meant to take

struct Worker::Shared {
  struct alignas(128) Result {
    std::uint64_t operations = 0;
    std::int64_t ns = 0;
    std::int64_t p99 = 0;
    std::int64_t p999 = 0;
  };
  explicit Shared(int count) : workers(count) {}
  const int workers;
  alignas(128) std::atomic<int> met{0};
  alignas(128) std::atomic<bool> stop{false};
  alignas(128) volatile std::uint64_t protected_number = 0;
  Result results[kMaxWorkers];
  std::atomic<bool> failed{false};
  char error[120] = {};  // of the first worker that failed
};

Worker::Worker(Shared& shared, int number) : shared_(shared), stop_(shared.stop), number_(number) {}

void Worker::meet(int looks_before_sleeping) const {
  const int turn = shared_.met.fetch_add(1) / shared_.workers + 1;
  for (int looks = 0; shared_.met.load() < turn * shared_.workers; ++looks) {
    if (shared_.failed.load()) throw std::runtime_error("another worker failed");
    if (looks < looks_before_sleeping)
      ::sched_yield();
    else
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// Who waits for long sleeps, so as not to disturb who is being measured.
void Worker::meet() const { meet(1000); }

void Worker::meet_awake() const { meet(std::numeric_limits<int>::max()); }

void Worker::count_turn() const {
  const std::uint64_t turn = shared_.protected_number;
  if (turn % 2 != static_cast<std::uint64_t>(number_)) throw std::runtime_error("is out of turn");
  shared_.protected_number = turn + 1;
}

volatile std::uint64_t& Worker::protected_number() const { return shared_.protected_number; }

void Worker::report(std::uint64_t operations, std::chrono::nanoseconds time) const {
  shared_.results[number_].operations = operations;
  shared_.results[number_].ns = time.count();
}

void Worker::report_each(std::vector<std::int64_t> times) const {
  std::sort(times.begin(), times.end());
  const auto at = [&](std::size_t thousandths) { return times[times.size() * thousandths / 1000]; };
  shared_.results[number_] = {1, at(500), at(990), at(999)};
}

namespace {

// Memory that forked processes share.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes)
      : bytes_(bytes),
        address_(
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (address_ == MAP_FAILED) throw std::runtime_error("mmap failed");
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { ::munmap(address_, bytes_); }
  void* address() const { return address_; }

 private:
  const std::size_t bytes_;
  void* const address_;
};

void pin(int worker, int cores) {
  cpu_set_t all;
  if (::sched_getaffinity(0, sizeof all, &all) != 0) return;
  int skip = worker % std::min(cores, CPU_COUNT(&all));
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &all) || skip-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ::sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

// False: it threw.
bool do_work(Worker::Shared& shared, int number, const Place& place, const Work& work, int cores) {
  try {
    pin(number, cores);
    work(Worker(shared, number), place);
    return true;
  } catch (const std::exception& error) {
    if (!shared.failed.exchange(true))
      std::snprintf(shared.error, sizeof shared.error, "%s", error.what());
    return false;
  }
}

// A process that ends in any case: by SIGALRM at the latest.
template <class Body>
pid_t start(std::chrono::seconds most, Body body) {
  const pid_t process = ::fork();
  if (process < 0) throw std::runtime_error("fork failed");
  if (process > 0) return process;
  ::alarm(static_cast<unsigned>(most.count()));
  ::_exit(body() ? 0 : 1);
}

template <class Body>
bool all_in_threads(int workers, Body body) {
  std::atomic<bool> well{true};
  std::vector<std::thread> threads;
  for (int i = 0; i < workers; ++i)
    threads.emplace_back([&, i] {
      if (!body(i)) well = false;
    });
  for (std::thread& thread : threads) thread.join();
  return well;
}

std::string ending(int status) {
  if (!WIFSIGNALED(status)) return "";
  if (WTERMSIG(status) == SIGALRM) return "did not end";
  return "killed by signal " + std::to_string(WTERMSIG(status));
}

// Waits for all of them. Where one has failed the others, who may wait for it, are killed: what it
// said is what is wrong.
std::string broken_by(std::vector<pid_t> processes, const Worker::Shared& shared) {
  std::string broken;
  while (!processes.empty()) {
    int status = 0;
    std::erase(processes, ::waitpid(-1, &status, 0));
    if (broken.empty()) broken = ending(status);
    if (shared.failed.load())
      for (const pid_t process : processes) ::kill(process, SIGKILL);
  }
  return shared.failed.load() ? shared.error : broken;
}

std::string unique_name() {
  static int count = 0;
  return "bench-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

Report summed(const Worker::Shared& shared, std::string broken) {
  Report report;
  report.least = ~std::uint64_t{0};
  report.broken = std::move(broken);
  for (int i = 0; i < shared.workers; ++i) {
    const Worker::Shared::Result& result = shared.results[i];
    report.operations += result.operations;
    report.least = std::min(report.least, result.operations);
    report.most = std::max(report.most, result.operations);
    report.ns = std::max(report.ns, static_cast<double>(result.ns));
    report.p99 = std::max(report.p99, static_cast<double>(result.p99));
    report.p999 = std::max(report.p999, static_cast<double>(result.p999));
  }
  if (report.broken.empty() && report.operations == 0) report.broken = "did nothing";
  report.protected_number = shared.protected_number;
  return report;
}

enum class Workers { processes, threads };

Report in(Workers kind, int workers, const Work& work, std::chrono::milliseconds time, int cores) {
  const SharedMemory memory(sizeof(Worker::Shared) + alignof(Worker::Shared));
  const SharedMemory room(Place::kBytes);
  auto& shared = *new (memory.address()) Worker::Shared(workers);
  const Place place{room.address(), unique_name()};
  const auto most = kMostTime + std::chrono::ceil<std::chrono::seconds>(time);
  const auto one = [&](int number) { return do_work(shared, number, place, work, cores); };

  std::vector<pid_t> processes;
  if (kind == Workers::threads)
    processes.push_back(start(most, [&] { return all_in_threads(workers, one); }));
  else
    for (int i = 0; i < workers; ++i) processes.push_back(start(most, [&] { return one(i); }));

  if (time.count() > 0) {
    std::this_thread::sleep_for(time);
    shared.stop.store(true);
  }
  return summed(shared, broken_by(std::move(processes), shared));
}

}  // namespace

Report in_processes(int workers, const Work& work, std::chrono::milliseconds time, int cores) {
  return in(Workers::processes, workers, work, time, cores);
}

Report in_threads(int workers, const Work& work, std::chrono::milliseconds time, int cores) {
  return in(Workers::threads, workers, work, time, cores);
}

Sample judged(Sample sample, const Report& report, std::uint64_t protected_number) {
  if (sample.broken.empty() && report.protected_number != protected_number)
    sample.broken = "lets two in at once: " + std::to_string(report.protected_number) + " of " +
                    std::to_string(protected_number) + " counted";
  return sample;
}

Sample one_of(const Report& report) {
  return {report.ns / static_cast<double>(report.operations), 0, report.broken, report.p99,
          report.p999};
}

Sample alone(const Work& work) { return one_of(in_processes(1, work)); }

}  // namespace bench
