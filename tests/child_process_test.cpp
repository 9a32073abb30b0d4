// SPDX-License-Identifier: MIT

// Process: functions and programs in processes of their own.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <mutex>
#include <set>
#include <shoal/shoal.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/child.hpp"
#include "support/gate.hpp"
#include "support/patience.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"
#include "support/waiting.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using doctest::Contains;
using shoal::Process;
using shoal::Segment;
using shoal::Value;

namespace {

// Without the handlers of the test's own program.
void wait_for_ever() {
  ::signal(SIGTERM, SIG_DFL);
  sleep_forever();
}

void add(const Value<int>& to, int number) { to.fetch_add(number); }

struct Adder {
  Value<int> to;
  void add(int number) { to.fetch_add(number); }
};

// What is written to one of this process's files, 1 or 2, while a function runs.
template <class F>
std::string written_to(int descriptor, F function) {
  std::FILE* const file = std::tmpfile();
  std::fflush(nullptr);
  const int saved = ::dup(descriptor);
  ::dup2(::fileno(file), descriptor);
  function();
  std::fflush(nullptr);
  ::dup2(saved, descriptor);
  ::close(saved);
  std::string text(1 << 14, '\0');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

}  // namespace

TEST_SUITE_BEGIN("Process");

TEST_CASE("before start() there is no child") {
  const Process process(wait_for_ever);
  CHECK_FALSE(process.is_alive());
  CHECK(process.pid() == 0);
  CHECK_FALSE(process.exit_code());
}

TEST_CASE("it calls functions, members and lambdas, with copies of what it is given") {
  const TempName name;
  const Segment segment(name);
  const Value<int> sum(segment, "sum");
  std::vector<Process> processes;
  processes.emplace_back(add, sum, 1);
  processes.emplace_back(&Adder::add, Adder{sum}, 10);
  processes.emplace_back([sum] { sum.fetch_add(100); });
  processes.emplace_back([sum](std::unique_ptr<int> number) { sum.fetch_add(*number); },
                         std::make_unique<int>(1000));
  processes.emplace_back([&](const char* number) { return sum.fetch_add(std::stoi(number)); },
                         "10000");
  const std::function<void()> wrapped = [sum] { sum.fetch_add(100'000); };
  processes.emplace_back(wrapped);
  for (Process& process : processes) process.start();
  for (Process& process : processes) {
    process.join();
    CHECK(process.exit_code() == 0);
    CHECK_FALSE(process.is_alive());
  }
  CHECK(sum.load() == 111111);
}

TEST_CASE("what the child changes is its own, and what it has is as start() found it") {
  int number = 1;
  Process process([&number] { std::exit(number++ == 2 ? 0 : 1); });
  number = 2;
  process.start();
  process.join();
  CHECK(process.exit_code() == 0);
  CHECK(number == 2);
}

TEST_CASE("alive until it has ended; a join that is short of time says so") {
  const Gate gate;
  Process process([&] { gate.wait(); });
  process.start();
  CHECK(process.is_alive());
  CHECK(process.pid() > 0);
  CHECK(process.pid() != ::getpid());
  CHECK_FALSE(process.exit_code());
  CHECK_FALSE(process.join_for(0s));
  CHECK_FALSE(process.join_for(-1s));
  CHECK_FALSE(process.join_for(20ms));
  CHECK(process.is_alive());
  const auto pid = process.pid();
  gate.open();
  CHECK(process.join_for(patient(20s)));
  process.join();
  CHECK_FALSE(process.is_alive());
  CHECK(process.pid() == pid);
}

TEST_CASE(
    "terminated and killed, its exit code is the signal's; once ended, neither does a thing") {
  const Gate ready;
  Process terminated([&] {
    ::signal(SIGTERM, SIG_DFL);  // not the test program's
    ready.open();
    sleep_forever();
  });
  Process killed(wait_for_ever);
  terminated.start();
  killed.start();
  ready.wait();
  terminated.terminate();
  killed.kill();
  terminated.join();
  killed.join();
  CHECK(terminated.exit_code() == -SIGTERM);
  CHECK(killed.exit_code() == -SIGKILL);
  terminated.kill();
  killed.terminate();
  CHECK(terminated.exit_code() == -SIGTERM);
}

TEST_CASE("exit() ends it, with the code's lower eight bits") {
  for (const int code : {0, 8, 255, 300}) {
    Process process([code] { ::_exit(code); });
    process.start();
    process.join();
    CHECK(process.exit_code() == (code & 0xff));
  }
}

TEST_CASE("an exception is reported on stderr, and is exit code 1") {
  const std::string text = written_to(2, [] {
    Process standard([] { throw std::out_of_range("far away"); });
    Process odd([] { throw 7; });
    for (Process* process : {&standard, &odd}) {
      process->name("thrower").start();
      process->join();
      CHECK(process->exit_code() == 1);
    }
  });
  CHECK_MESSAGE(text.find("'thrower' (pid ") != std::string::npos, text);
  CHECK_MESSAGE(text.find("std::out_of_range: far away\n") != std::string::npos, text);
  CHECK_MESSAGE(text.find(": int: ") != std::string::npos, text);
}

TEST_CASE("what is out of turn throws std::logic_error, and changes nothing") {
  const Gate gate;
  Process process([&] { gate.wait(); });
  CHECK_THROWS_WITH_AS(process.join(), Contains("call start() first"), std::logic_error);
  CHECK_THROWS_AS(static_cast<void>(process.join_for(1s)), std::logic_error);
  CHECK_THROWS_AS(process.terminate(), std::logic_error);
  CHECK_THROWS_AS(process.kill(), std::logic_error);
  process.start();
  CHECK_THROWS_WITH_AS(process.start(), Contains("started already"), std::logic_error);
  CHECK_THROWS_AS(process.name("late"), std::logic_error);
  CHECK_THROWS_AS(process.daemon(), std::logic_error);
  Child other([&] {
    try {
      process.join();
    } catch (const std::logic_error&) {
      return true;
    }
    return false;
  });
  CHECK(other.succeeds());
  CHECK(process.is_alive());
  gate.open();
}

TEST_CASE("a copy of it in another process does nothing when it goes") {
  const Gate gate;
  auto process = std::make_unique<Process>([&] { gate.wait(); });
  process->start();
  Child other([&] { process.reset(); });
  CHECK(other.succeeds());
  CHECK(process->is_alive());
  gate.open();
}

TEST_CASE("each has a name, which the child's own process has too when it was given one") {
  const Process first(wait_for_ever);
  const Process second(wait_for_ever);
  CHECK(first.name() != second.name());
  CHECK(first.name().starts_with("Process-"));
  Process named = Process([] {
                    std::ifstream comm("/proc/self/comm");
                    std::string name;
                    std::getline(comm, name);
                    if (name != "a-name-of-more-") throw std::runtime_error(name);
                  }).name("a-name-of-more-than-15");
  named.start();
  named.join();
  CHECK(named.exit_code() == 0);
  CHECK(named.name() == "a-name-of-more-than-15");
}

TEST_CASE("its destructor joins; so does assignment") {
  const TempName name;
  const Segment segment(name);
  const Value<int> ended(segment, "ended");
  const auto slowly = [ended] {
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    ended.fetch_add(1);
  };
  {
    Process process(slowly);
    process.start();
    process = Process(slowly);
    CHECK(ended.load() == 1);
    process.start();
  }
  CHECK(ended.load() == 2);
}

TEST_CASE("a daemon's destructor terminates it, and kills it where that is of no use") {
  const TempName name;
  const Segment segment(name);
  const Value<std::int32_t> pid(segment, "pid");
  const shoal::Event ready(segment, "ready");
  for (const bool stubborn : {false, true}) {
    Process process([&] {
      ::signal(SIGTERM, stubborn ? SIG_IGN : SIG_DFL);
      pid.store(::getpid());
      ready.set();
      sleep_forever();
    });
    process.daemon().start();
    ready.wait();
    ready.clear();
  }
  CHECK(ends_soon(pid.load()));
}

TEST_CASE("a daemon ends with the process that made it, though that is killed") {
  const Shared<std::array<std::int32_t, 4>> pids;
  const Gate started;
  const Gate keep;
  Child parent([&] {
    Process function = Process(wait_for_ever).daemon();
    Process program = Process::program({"sleep", "1000"}).daemon();
    // These live on, and must not keep the daemons alive.
    Process other([&] { keep.wait(); });
    Process other_program = Process::program({"sleep", "1000"});
    function.start();
    program.start();
    other.start();
    other_program.start();
    *pids = {function.pid(), program.pid(), other.pid(), other_program.pid()};
    started.open();
    sleep_forever();
  });
  started.wait();
  CHECK(::kill((*pids)[0], 0) == 0);
  parent.kill();
  CHECK(ends_soon((*pids)[0]));
  CHECK(ends_soon((*pids)[1]));
  CHECK(::kill((*pids)[2], 0) == 0);
  CHECK(::kill((*pids)[3], SIGKILL) == 0);
  keep.open();
  CHECK(ends_soon((*pids)[2]));
}

TEST_CASE("a daemon whose parent has gone before it was tied ends at once") {
  for (int i = 0; i < 20; ++i) {
    const Shared<std::int32_t> pid;
    Child parent([&] {
      Process daemon([&] {
        *pid = ::getpid();
        sleep_forever();
      });
      daemon.daemon().start();
      ::_exit(0);
    });
    CHECK(parent.succeeds());
    if (*pid != 0) CHECK(ends_soon(*pid));
  }
}

TEST_CASE("a daemon does not end with the thread that started it") {
  const TempName name;
  const Segment segment(name);
  const shoal::Queue<int> questions(segment, "questions");
  const shoal::Queue<int> answers(segment, "answers");
  Process daemon([&] {
    ::signal(SIGTERM, SIG_DFL);
    for (;;) answers.push(questions.pop() + 1);
  });
  daemon.daemon();
  std::thread([&] { daemon.start(); }).join();
  questions.push(6);
  CHECK(answers.pop_for(patient(20s)) == 7);
  CHECK(daemon.is_alive());
}

TEST_CASE("a program runs with its arguments, and its exit code is its own") {
  Process process = Process::program({"sh", "-c", "exit $1", "sh", "42"});
  process.start();
  process.join();
  CHECK(process.exit_code() == 42);
  Process killed = Process::program({"/bin/sleep", "1000"});
  killed.start();
  killed.kill();
  killed.join();
  CHECK(killed.exit_code() == -SIGKILL);
}

TEST_CASE("a program that cannot be started: why, and it may be tried again") {
  Process missing = Process::program({"no-such-program-anywhere"});
  CHECK_THROWS_WITH_AS(missing.start(), Contains("'no-such-program-anywhere'"), shoal::NotFound);
  CHECK_THROWS_AS(missing.start(), shoal::NotFound);
  CHECK_FALSE(missing.is_alive());
  Process not_executable = Process::program({"/etc/passwd"});
  CHECK_THROWS_AS(not_executable.start(), shoal::PermissionDenied);
  CHECK_THROWS_AS(static_cast<void>(Process::program({})), std::invalid_argument);
}

TEST_CASE("a program's start waits for no other process that another thread starts") {
  Child test([] {
    std::atomic<bool> started{false};
    std::vector<Process> others;
    std::thread starter([&] {
      while (!started && others.size() < 500) {
        others.emplace_back(sleep_forever);
        others.back().daemon().start();
      }
    });
    for (int i = 0; i < 50; ++i) Process::program({"true"}).start();
    started = true;
    starter.join();
    for (Process& other : others) other.kill();
    return true;
  });
  CHECK(test.succeeds());
}

TEST_CASE("a program inherits no file of the library's") {
  const TempName name;
  const Segment segment(name);
  Process daemon = Process(wait_for_ever).daemon();
  daemon.start();
  Child test([&] {
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);  // the test's own
    const Segment opened(name);
    Process other(wait_for_ever);
    other.daemon().start();  // with files of its own
    // 0, 1, 2, and the one with which ls reads the list
    Process lister = Process::program({"sh", "-c", "test $(ls /proc/self/fd | wc -l) -eq 4"});
    lister.start();
    lister.join();
    return lister.exit_code() == 0;
  });
  CHECK(test.succeeds());
}

TEST_CASE("what was printed comes once, whoever printed it") {
  const std::string text = written_to(1, [] {
    std::printf("before,");
    std::cout << "and ";
    Process process([] { std::printf("child,"); });
    process.start();
    process.join();
    std::printf("after");
  });
  CHECK(text == "before,and child,after");
}

TEST_CASE("what is in the buffer of another file is not written by the child") {
  std::FILE* const file = std::tmpfile();
  std::fputs("before,", file);
  Process process([&] {
    std::FILE* const own = ::fdopen(::dup(::fileno(file)), "w");
    std::fputs("child,", own);
    std::fclose(own);
  });
  process.start();
  process.join();
  std::fputs("after", file);
  std::rewind(file);
  std::string text(100, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  CHECK(text == "child,before,after");
}

TEST_CASE("it starts while another thread waits for input, from stdin or elsewhere") {
  for (const bool from_stdin : {true, false}) {
    Child child([from_stdin] {
      int ends[2];
      if (::pipe(ends) != 0 || ::dup2(ends[0], STDIN_FILENO) < 0) return false;
      std::FILE* const file = from_stdin ? stdin : ::fdopen(ends[0], "r");
      std::thread([file] { static_cast<void>(std::getc(file)); }).detach();
      const auto is_busy = [file] {
        if (::ftrylockfile(file) != 0) return true;
        ::funlockfile(file);
        return false;
      };
      while (!is_busy()) std::this_thread::yield();
      Process process([] {});
      process.start();
      process.join();
      return process.exit_code() == 0;
    });
    CHECK(child.succeeds());
  }
}

TEST_CASE("where stdin and stdout are closed, what is printed ends nobody") {
  Child child([] {
    ::close(STDIN_FILENO);
    ::close(STDOUT_FILENO);
    const Gate gate;
    Process process([&] { gate.wait(); });
    process.daemon().start();
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO})
      if (::write(descriptor, "?", 1) != -1) return false;
    gate.open();
    process.join();
    return process.exit_code() == 0;
  });
  CHECK(child.succeeds());
}

TEST_CASE("the child's own handles are valid, and it holds nothing of its parent's") {
  const TempName name;
  const Segment segment(name);
  const shoal::Lock lock(segment, "lock");
  const std::scoped_lock held(lock);
  Process process([&] {
    const Value<int> value(segment, "value");
    value.store(lock.try_lock() ? 1 : 2);
  });
  process.start();
  process.join();
  CHECK(Value<int>(segment, "value").load() == 2);
}

TEST_CASE("a hundred at once, and processes that start processes") {
  const TempName name;
  const Segment segment(name);
  const Value<int> count(segment, "count");
  std::vector<Process> processes;
  for (int i = 0; i < 100; ++i) processes.emplace_back([count] { count.fetch_add(1); });
  for (Process& process : processes) process.start();
  for (Process& process : processes) process.join();
  CHECK(count.load() == 100);

  const std::function<void(int)> grow = [&](int depth) {
    count.fetch_add(1);
    if (depth == 0) return;
    for (int i = 0; i < 2; ++i) {
      Process process(grow, depth - 1);
      process.start();
    }
  };
  grow(4);
  CHECK(count.load() == 131);
}

TEST_CASE("one that somebody else has waited for has ended, with 255") {
  Process process([] {});
  process.start();
  int status = 0;
  CHECK(::waitpid(process.pid(), &status, 0) == process.pid());
  process.join();
  CHECK(process.exit_code() == 255);

  Child ignorant([] {
    ::signal(SIGCHLD, SIG_IGN);
    Process waited_for_by_the_system([] {});
    waited_for_by_the_system.start();
    waited_for_by_the_system.join();
    return waited_for_by_the_system.exit_code() == 255;
  });
  CHECK(ignorant.succeeds());
}

TEST_CASE("signals do not end a join") {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  struct sigaction before {};
  ::sigaction(SIGUSR1, &action, &before);
  const Gate gate;
  const pid_t tester = ::getpid();
  Process process([&] {
    for (int i = 0; i < 100; ++i) ::kill(tester, SIGUSR1);
    gate.wait();
  });
  process.start();
  CHECK_FALSE(process.join_for(50ms));
  gate.open();
  process.join();
  CHECK(process.exit_code() == 0);
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("wait_any() waits for the end of processes") {
  const TempName name;
  const Segment segment(name);
  const shoal::Event never(segment, "never");
  const Gate gate;
  Process first([&] { gate.wait(); });
  Process second([&] { gate.wait(); });
  CHECK_THROWS_AS(static_cast<void>(shoal::wait_any({never, first}, 1s)), std::logic_error);
  first.start();
  second.start();
  CHECK_FALSE(shoal::wait_any({never, first, second}, 20ms));
  second.kill();
  CHECK(shoal::wait_any({never, first, second}) == 2);
  gate.open();
  CHECK(shoal::wait_any({first, never}) == 0);
}

TEST_CASE("there is a CPU, and no more cores than CPUs") {
  CHECK(shoal::cpu_count() >= 1);
  CHECK(shoal::physical_cpu_count() >= 1);
  CHECK(shoal::physical_cpu_count() <= shoal::cpu_count());
}

TEST_SUITE_END();
