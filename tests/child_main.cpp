// SPDX-License-Identifier: MIT

// The program that ExecChild runs: shoal_test_child SCENARIO [ARGUMENT...]
//
// What a test wants done by a freshly started process is a function here, with a line in the table.
// Its result is the exit status: 0 is success. 126: there is no such scenario.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <mutex>
#include <shoal/shoal.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/child.hpp"

namespace {

using Arguments = std::vector<std::string>;

// Succeeds if it was given two equal arguments.
int same(const Arguments& arguments) { return arguments.at(0) == arguments.at(1) ? 0 : 1; }

// segment.join SEGMENT: can it be joined? 3: too many have; 2: no space.
int join_segment(const Arguments& arguments) {
  try {
    const shoal::Segment segment(arguments.at(0), shoal::Open::existing);
    return 0;
  } catch (const shoal::TooManyParticipants&) {
    return 3;
  } catch (const shoal::NoSpace&) {
    return 2;
  }
}

// segment.visit SEGMENT: adds 1 to its "n", writes its "text", leaves an "of.child". Its "lock" is
// held by whoever started this.
int visit_segment(const Arguments& arguments) {
  const shoal::Segment segment(arguments.at(0), shoal::Open::existing);
  const shoal::Value<std::int64_t> value(segment, "n", shoal::Open::existing);
  const shoal::Value<shoal::FixedString<100>> text(segment, "text", shoal::Open::existing);
  const shoal::Lock lock(segment, "lock", shoal::Open::existing);
  if (lock.try_lock() || lock.owner()->pid != ::getppid()) return 2;
  if (text.load() != "from the parent") return 3;
  value.fetch_add(1);
  text.store("from the child");
  shoal::Value<double>(segment, "of.child", 0.5);
  return 0;
}

// segment.fork: forks while another thread opens the process's first segment, again and again. Can all
// children open one?
int fork_while_opening(const Arguments&) {
  std::atomic<bool> opened{false};
  std::thread opener([&] {
    static_cast<void>(shoal::Segment::anonymous());
    opened = true;
  });
  std::vector<shoal_test::Child> children;
  while (!opened && children.size() < 200)
    children.emplace_back([] { static_cast<void>(shoal::Segment::anonymous()); });
  opener.join();
  for (shoal_test::Child& child : children)
    if (!child.succeeds()) return 2;
  return 0;
}

// segment.statics SEGMENT: handles that end with the program, some of them a thread's.
int keep_statics(const Arguments& arguments) {
  static const shoal::Segment segment(arguments.at(0));
  static const shoal::Lock lock(segment, "lock");
  static thread_local const shoal::Value<int> value(segment, "n");
  const std::scoped_lock held(lock);
  value.fetch_add(1);
  std::thread([] { static_cast<void>(lock.try_lock_for(std::chrono::milliseconds(2))); }).join();
  return 0;
}

// segment.farewell SEGMENT TIMES: pushes "main"; for each of so many threads "thread", and "last",
// "first" when its objects go; then "static" when statics do.
int bid_farewell(const Arguments& arguments) {
  struct Farewell {
    const shoal::Queue<std::string>& queue;
    const shoal::Condition& condition;
    const shoal::Lock& lock;
    const char* word;
    ~Farewell() {
      std::unique_lock held(lock);
      static_cast<void>(condition.wait_for(held, std::chrono::milliseconds(0)));
      queue.push(word);
    }
  };
  static const shoal::Segment segment(arguments.at(0));
  static const shoal::Queue<std::string> queue(segment, "words");
  static const shoal::Condition condition(segment, "condition");
  static const shoal::Lock lock(segment, "lock");
  static const Farewell farewell{queue, condition, lock, "static"};
  queue.push("main");
  for (int i = std::stoi(arguments.at(1)); i > 0; --i)
    std::thread([] {
      thread_local const Farewell first{queue, condition, lock, "first"};
      thread_local const Farewell last{queue, condition, lock, "last"};
      queue.push("thread");
    }).join();
  return 0;
}

// value.add SEGMENT NAME TIMES: adds 1, that many times.
int add_to_value(const Arguments& arguments) {
  const shoal::Value<std::int64_t> value(shoal::Segment(arguments.at(0)), arguments.at(1));
  for (int i = std::stoi(arguments.at(2)); i > 0; --i) value.fetch_add(1);
  return 0;
}

// lock.told SEGMENT NAME PID: does the lock tell that this process died holding it?
int told_of(const Arguments& arguments) {
  try {
    shoal::Lock(shoal::Segment(arguments.at(0)), arguments.at(1)).lock();
  } catch (const shoal::OwnerDied& died) {
    return died.owner().pid == std::stoi(arguments.at(2)) ? 0 : 2;
  }
  return 1;
}

// lock.leave SEGMENT NAME: takes the lock, and ends without any goodbye.
int leave_locked(const Arguments& arguments) {
  shoal::Lock(shoal::Segment(arguments.at(0)), arguments.at(1)).lock();
  ::_exit(0);
}

// lock.count SEGMENT TIMES: the racy increment of "counter", that many times, under "lock".
int count_locked(const Arguments& arguments) {
  const shoal::Segment segment(arguments.at(0), shoal::Open::existing);
  const shoal::Lock lock(segment, "lock");
  const shoal::Value<std::int64_t> counter(segment, "counter");
  for (int i = std::stoi(arguments.at(1)); i > 0; --i) {
    const std::scoped_lock held(lock);
    counter.store(counter.load() + 1);
  }
  return 0;
}

// rlock.held SEGMENT: is its "lock" held by the parent, and not to be had or given back here?
int find_rlock_held(const Arguments& arguments) {
  const shoal::RLock lock(shoal::Segment(arguments.at(0)), "lock", shoal::Open::existing);
  if (lock.try_lock() || lock.owner()->pid != ::getppid()) return 2;
  try {
    lock.unlock();
  } catch (const shoal::NotOwner&) {
    return 0;
  }
  return 3;
}

// semaphore.echo SEGMENT: waits for a permit "there", and releases one "back".
int echo_permit(const Arguments& arguments) {
  const shoal::Segment segment(arguments.at(0), shoal::Open::existing);
  shoal::Semaphore(segment, "there", shoal::Open::existing).acquire();
  shoal::Semaphore(segment, "back", shoal::Open::existing).release();
  return 0;
}

// event.set SEGMENT: sets its "event".
int set_event(const Arguments& arguments) {
  shoal::Event(shoal::Segment(arguments.at(0)), "event", shoal::Open::existing).set();
  return 0;
}

// barrier.meet SEGMENT: arrives at its "barrier" three times.
int meet_at_barrier(const Arguments& arguments) {
  const shoal::Barrier barrier(shoal::Segment(arguments.at(0)), "barrier");
  for (int round = 0; round < 3; ++round) barrier.arrive_and_wait();
  return 0;
}

// array.names SEGMENT: finds James in its "names", and adds Tom.
int add_name(const Arguments& arguments) {
  const shoal::Array<shoal::FixedString<15>> names(shoal::Segment(arguments.at(0)), "names");
  if (names.size() != 4 || names.load(0) != "James") return 2;
  names.store(1, "Tom");
  return 0;
}

// queue.produce SEGMENT PRODUCER COUNT: pushes so many numbers, in order, each with its producer.
int produce_items(const Arguments& arguments) {
  const shoal::Queue<std::uint64_t> queue(shoal::Segment(arguments.at(0)), "q");
  const std::uint64_t producer = std::stoull(arguments.at(1));
  const std::uint64_t count = std::stoull(arguments.at(2));
  for (std::uint64_t i = 0; i < count; ++i) queue.push(producer << 32 | i);
  return 0;
}

// queue.consume SEGMENT COUNT: pops them until the queue is closed, marks each as "seen", once, and
// sees those of each of three producers in order.
int consume_items(const Arguments& arguments) {
  const shoal::Segment segment(arguments.at(0));
  const shoal::Queue<std::uint64_t> queue(segment, "q");
  const shoal::Array<std::uint8_t> seen(segment, "seen");
  const std::uint64_t count = std::stoull(arguments.at(1));
  std::uint64_t next[3] = {0, 0, 0};
  try {
    for (;;) {
      const std::uint64_t item = queue.pop();
      const std::uint64_t producer = item >> 32;
      const std::uint64_t number = item & 0xFFFF'FFFF;
      if (producer > 2 || number >= count) return 2;
      if (number < next[producer]) return 3;
      next[producer] = number + 1;
      if (std::atomic_ref(seen[producer * count + number]).fetch_add(1) != 0) return 4;
    }
  } catch (const shoal::Closed&) {
    return 0;
  }
}

// queue.echo SEGMENT: what it finds "there" it sends "back", and a mark with it.
int echo_items(const Arguments& arguments) {
  const shoal::Segment segment(arguments.at(0));
  const shoal::Queue<std::string> there(segment, "there");
  const shoal::Queue<std::string> back(segment, "back");
  try {
    for (;;) back.push(there.pop() + "!");
  } catch (const shoal::Closed&) {
    return 0;
  }
}

// queue.work SEGMENT TIMES: deals with so many of its "jobs".
int work_on_jobs(const Arguments& arguments) {
  const shoal::JoinableQueue<int> queue(shoal::Segment(arguments.at(0)), "jobs",
                                        shoal::Open::existing);
  for (int i = std::stoi(arguments.at(1)); i > 0; --i) {
    queue.pop();
    queue.task_done();
  }
  return 0;
}

// pipe.echo SEGMENT NAME: sends back what it receives at the second end, until there is no more.
int echo_at_pipe(const Arguments& arguments) {
  const shoal::Pipe pipe(shoal::Segment(arguments.at(0)), arguments.at(1), shoal::Open::existing);
  const shoal::Connection connection = pipe.second();
  try {
    for (;;) connection.send_bytes(connection.recv_bytes());
  } catch (const shoal::EndOfFile&) {
    return 0;
  }
}

// pipe.busy SEGMENT NAME: is its first end held by somebody else?
int find_pipe_busy(const Arguments& arguments) {
  const shoal::Pipe pipe(shoal::Segment(arguments.at(0)), arguments.at(1), shoal::Open::existing);
  try {
    static_cast<void>(pipe.first());
  } catch (const shoal::Busy&) {
    return 0;
  }
  return 1;
}

const std::map<std::string_view, int (*)(const Arguments&)> kScenarios = {
    {"array.names", add_name},
    {"barrier.meet", meet_at_barrier},
    {"event.set", set_event},
    {"lock.count", count_locked},
    {"lock.leave", leave_locked},
    {"lock.told", told_of},
    {"pipe.busy", find_pipe_busy},
    {"pipe.echo", echo_at_pipe},
    {"queue.consume", consume_items},
    {"queue.echo", echo_items},
    {"queue.produce", produce_items},
    {"queue.work", work_on_jobs},
    {"rlock.held", find_rlock_held},
    {"same", same},
    {"segment.farewell", bid_farewell},
    {"segment.join", join_segment},
    {"segment.fork", fork_while_opening},
    {"segment.statics", keep_statics},
    {"segment.visit", visit_segment},
    {"semaphore.echo", echo_permit},
    {"value.add", add_to_value},
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  const auto scenario = kScenarios.find(name);
  if (scenario == kScenarios.end()) {
    std::fprintf(stderr, "no scenario '%s'\n", name.data());
    return 126;
  }
  try {
    return scenario->second(Arguments(argv + 2, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "scenario %s: %s\n", name.data(), error.what());
    return 1;
  }
}
