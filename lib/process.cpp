// SPDX-License-Identifier: MIT
#include "shoal/process.hpp"

#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <system_error>

#include "os/child.hpp"
#include "os/cpu_count.hpp"
#include "os/exception.hpp"
#include "os/process.hpp"
#include "shoal/wait.hpp"

namespace shoal {
namespace {

constexpr std::int64_t kPatience = 5'000'000'000;  // with a daemon that was asked to end

std::string next_name() {
  static std::atomic<unsigned> number{0};
  return "Process-" + std::to_string(++number);
}

}  // namespace

unsigned cpu_count() { return os::cpu_count(); }
unsigned physical_cpu_count() { return os::core_count(); }

struct Process::State {
  [[noreturn]] void out_of_turn(const char* call, const char* why) const {
    throw std::logic_error("shoal: process '" + name + "': " + call + ": " + why);
  }
  void check_maker(const char* call) const {
    if (os::process_id() != maker) out_of_turn(call, "only the process that made it may do that");
  }
  [[nodiscard]] const std::shared_ptr<os::Child>& started(const char* call) const {
    check_maker(call);
    if (!child) out_of_turn(call, "it has not been started; call start() first");
    return child;
  }
  void check_not_started(const char* call) const {
    check_maker(call);
    if (child) out_of_turn(call, "it has been started already; make another Process");
  }

  // In the child.
  void begin() const {
    if (tether) tether->tie(!argv.empty());
    if (is_named && argv.empty()) os::set_process_name(name);
  }
  int run() {
    try {
      begin();
      body();
      body = nullptr;  // what it holds is given back
      return 0;
    } catch (...) {
      const os::Caught caught = os::caught();
      os::flush_output();
      std::fprintf(stderr, "shoal: process '%s' (pid %u): %s: %s\n", name.c_str(), os::process_id(),
                   caught.type.c_str(), caught.what.c_str());
      return 1;
    }
  }

  void start() {
    if (is_daemon) tether.emplace();
    if (argv.empty())
      child = std::make_shared<os::Child>([this] { return run(); });
    else
      child = os::start_program(argv, [this] { begin(); });
  }

  const std::uint32_t maker = os::process_id();
  std::function<void()> body;
  std::vector<std::string> argv;
  std::string name = next_name();
  bool is_named = false;
  bool is_daemon = false;
  std::optional<os::Tether> tether;
  std::shared_ptr<os::Child> child;
};

Process::Process(Body body) : state_(std::make_shared<State>()) {
  state_->body = std::move(body.call);
}

Process Process::program(std::vector<std::string> argv) {
  if (argv.empty() || argv[0].empty())
    throw std::invalid_argument(
        "shoal: Process::program: give the program's name, then its arguments");
  Process process(Body{});
  process.state_->argv = std::move(argv);
  return process;
}

Process::Process(Process&& other) noexcept = default;

Process& Process::operator=(Process&& other) noexcept {
  finish();
  state_ = std::move(other.state_);
  return *this;
}

Process::~Process() { finish(); }

void Process::finish() noexcept {
  if (!state_ || !state_->child || os::process_id() != state_->maker) return;
  os::Child& child = *state_->child;
  if (state_->is_daemon) {
    child.send(os::kTerminate);
    if (!child.ends_by(detail::steady_now() + kPatience)) child.send(os::kKill);
  }
  static_cast<void>(child.ends_by(detail::kForever));
}

void Process::start() {
  state_->check_not_started("start");
  try {
    state_->start();
  } catch (const std::system_error& error) {
    const std::string what =
        state_->argv.empty()
            ? "process '" + state_->name + "' cannot be started: " + error.code().message()
            : "program '" + state_->argv[0] + "' cannot be started: " + error.code().message();
    if (error.code() == std::errc::no_such_file_or_directory)
      throw NotFound(what + "; is it in PATH?");
    if (error.code() == std::errc::permission_denied)
      throw PermissionDenied(what + "; may it be executed?");
    throw Error(error.code(), what);
  }
}

void Process::join() { static_cast<void>(state_->started("join")->ends_by(detail::kForever)); }

bool Process::join_until(detail::Deadline deadline) {
  return state_->started("join_for")->ends_by(deadline);
}

bool Process::is_alive() const {
  state_->check_maker("is_alive");
  return state_->child && !state_->child->exit_code();
}

std::int32_t Process::pid() const { return state_->child ? state_->child->pid() : 0; }

std::optional<int> Process::exit_code() const {
  state_->check_maker("exit_code");
  return state_->child ? state_->child->exit_code() : std::nullopt;
}

void Process::terminate() { state_->started("terminate")->send(os::kTerminate); }
void Process::kill() { state_->started("kill")->send(os::kKill); }

const std::string& Process::name() const { return state_->name; }

Process& Process::name(std::string name) & {
  state_->check_not_started("name");
  state_->name = std::move(name);
  state_->is_named = true;
  return *this;
}
Process&& Process::name(std::string name) && { return std::move(this->name(std::move(name))); }

Process& Process::daemon(bool is_daemon) & {
  state_->check_not_started("daemon");
  state_->is_daemon = is_daemon;
  return *this;
}
Process&& Process::daemon(bool is_daemon) && { return std::move(daemon(is_daemon)); }

namespace {

// Nothing wakes who waits for a process to end: it is looked at again and again.
class ProcessWatch : public detail::Watch {
 public:
  explicit ProcessWatch(std::shared_ptr<os::Child> child) : child_(std::move(child)) {}
  std::atomic<std::uint32_t>* sleepers() override { return nullptr; }
  bool is_ready(bool) override { return child_->exit_code().has_value(); }

 private:
  const std::shared_ptr<os::Child> child_;
};

}  // namespace

Waitable::Waitable(const Process& process)
    : watch_(std::make_shared<ProcessWatch>(process.state_->started("wait_any"))) {}

}  // namespace shoal
