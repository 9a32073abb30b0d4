// SPDX-License-Identifier: MIT

// A Queue and a JoinableQueue, their users killed at every instruction.
//
// Model. Items are numbered, and each source's numbers go up: what was there before (1 ...), the
// victim's (101 ...), those of a second victim (151), the survivor's (201 ...), the partners'
// (301 ...). Afterwards every item whose push had returned is found, once, whole, and in the order of
// its source, but for as many as the dead may have popped: exactly so many where their pops had
// returned. Of a push that had not returned, the first few of its items are there, or none. Who
// sleeps and could go on goes on. So many items fit as fitted before, and no more; of varying size, so
// many bytes.
//
// Of a JoinableQueue: what the victim had popped and not done is lost(), what the others pop they are
// done with, and then join() returns.

#include "shoal/queue.hpp"

#include <doctest/doctest.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shoal/error.hpp"
#include "shoal/segment.hpp"
#include "step_kill/programme.hpp"
#include "step_kill/segment_view.hpp"
#include "step_kill/waiters.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/step_kill.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::JoinableQueue;
using shoal::Loan;
using shoal::Queue;
using shoal::QueueOptions;
using shoal::Segment;

namespace {

using Number = std::int64_t;

constexpr Number kVictim = 100;
constexpr Number kSecond = 150;
constexpr Number kSurvivor = 200;
constexpr Number kPartner = 300;
constexpr std::size_t kMostSeen = 256;

// Items that carry a number, and show where they are not whole.
struct Large {
  Number number;
  std::array<std::uint32_t, 23> echo;
};

template <std::size_t Length>
struct Text {
  using Item = std::string;
  static Item make(Number number) {
    std::string text = std::to_string(number);
    text.resize(Length, static_cast<char>('a' + number % 26));
    return text;
  }
  static Number number(const Item& item) {
    const Number number = std::stoll(item);
    if (item != make(number)) throw std::logic_error("an item that nobody pushed");
    return number;
  }
};
struct Small {
  using Item = Number;
  static Item make(Number number) { return number; }
  static Number number(Item item) { return item; }
};
struct InBlock {
  using Item = Large;
  static Item make(Number number) {
    Large item{number, {}};
    item.echo.fill(static_cast<std::uint32_t>(number));
    return item;
  }
  static Number number(const Item& item) {
    for (const std::uint32_t echo : item.echo)
      if (echo != static_cast<std::uint32_t>(item.number))
        throw std::logic_error("an item that is not whole");
    return item.number;
  }
};

enum class Operation {
  push,
  push_some,
  loan_push,
  loan_drop,
  pop,
  pop_some,
  take,
  close,
  task_done,
  join
};
enum class Company {
  alone,
  popper,  // sleeps: there is no item
  two_poppers,
  pusher,  // sleeps: there is no room
  two_pushers,
  busy,    // pushes and pops all the time
  joiner,  // sleeps until all is done
};

struct Plan {
  Operation operation;
  std::size_t capacity = 3;
  std::size_t filled = 0;
  Company company = Company::alone;
  std::size_t shift = 0;  // so many have been pushed and popped before
  std::size_t held = 0;   // of a joinable one: popped by the victim before
  bool warm = true;       // the victim has used a queue before
};

constexpr std::size_t kSome = 8;

template <class Sort, template <class> class Q = Queue>
struct QueueScene : Scene {
  using Item = typename Sort::Item;
  static constexpr bool kVaries = !shoal::Shareable<Item>;
  static constexpr bool kAtOnce = shoal::detail::queue_item<Item>().is_inline();
  static constexpr bool kJoinable = std::is_same_v<Q<Item>, JoinableQueue<Item>>;
  static constexpr std::size_t kBytes = kVaries ? 16'384 : 0;

  const Plan plan;
  TempName name;
  Segment segment{name, small_segment()};
  Q<Item> queue;
  Q<Item> other;        // for the victim to warm up with
  SharedCounter ended;  // partners that have pushed, popped, or been told that it is closed
  SharedCounter partner_pushed;
  SharedCounter partner_popped;
  Shared<std::array<std::atomic<Number>, kMostSeen>> popped_by_partners;
  static inline Number scenes = 0;
  const Number head_start = 1 + scenes++ % 10;  // of a busy partner, elsewhere each time
  Gate begin;
  Gate stop;

  explicit QueueScene(const Plan& what)
      : plan(what),
        queue(segment, "queue", QueueOptions{.capacity = plan.capacity, .bytes = kBytes}),
        other(segment, "other", QueueOptions{.capacity = 8, .bytes = kBytes / 4}) {
    for (std::size_t i = 0; i < plan.shift; ++i) {
      queue.push(Sort::make(1));
      queue.pop();
      done();
    }
    for (std::size_t i = 1; i <= plan.filled; ++i) queue.push(Sort::make(static_cast<Number>(i)));
  }

  std::uint64_t state() override { return SegmentView(name.path()).hash(); }

  void done() const {
    if constexpr (kJoinable) queue.task_done();
  }

  void prepare() override {
    if (!plan.warm) return;
    other.push(Sort::make(1));
    other.pop();
    if constexpr (kJoinable) other.task_done();
    if constexpr (!kVaries) {
      other.push(other.loan());
      static_cast<void>(other.loan());
      static_cast<void>(other.take());
      if constexpr (kJoinable) other.task_done();
    }
  }

  void approach() override {
    begin.open();
    if (plan.company == Company::busy)
      while (*partner_pushed < head_start) ::sched_yield();
    for (std::size_t i = 0; i < plan.held; ++i) queue.pop();
  }

  // How many items the operation is to push, and to pop.
  std::size_t pushes() const {
    const bool one = plan.operation == Operation::push || plan.operation == Operation::loan_push;
    if (plan.operation != Operation::push_some) return one ? 1 : 0;
    return std::min(kSome, plan.capacity - plan.filled);
  }
  std::size_t pops() const {
    const bool one = plan.operation == Operation::pop || plan.operation == Operation::take;
    if (plan.operation != Operation::pop_some) return plan.held + (one ? 1 : 0);
    return std::min(kSome, plan.filled);
  }

  void operate() override {
    switch (plan.operation) {
      case Operation::push:
        return queue.push(Sort::make(kVictim + 1));
      case Operation::push_some: {
        std::vector<Item> items;
        for (std::size_t i = 1; i <= kSome; ++i)
          items.push_back(Sort::make(kVictim + static_cast<Number>(i)));
        if (queue.try_push_some(items) != pushes()) throw std::logic_error("pushed another number");
        return;
      }
      case Operation::pop:
        static_cast<void>(queue.pop());
        return;
      case Operation::pop_some: {
        std::vector<Item> items(kSome);
        if (queue.try_pop_some(items) != pops()) throw std::logic_error("popped another number");
        return;
      }
      case Operation::close:
        return queue.close();
      case Operation::task_done:
        return done();
      case Operation::join:
        if constexpr (kJoinable) queue.join();
        return;
      default:
        return operate_in_place();
    }
  }
  void operate_in_place() {
    if constexpr (!kVaries) {
      if (plan.operation == Operation::take) {
        static_cast<void>(Sort::number(*queue.take()));
        return;
      }
      Loan<Item> loan = queue.loan();
      *loan = Sort::make(kVictim + 1);
      if (plan.operation == Operation::loan_push) queue.push(std::move(loan));
    }
  }

  // The second victim: whatever the first one has left is in the way of these.
  void repair() override {
    if (!queue.try_push(Sort::make(kSecond + 1))) return;
    static_cast<void>(queue.try_pop());
  }

  void note(const Item& item) {
    (*popped_by_partners)[static_cast<std::size_t>((*partner_popped)++) % kMostSeen] =
        Sort::number(item);
    done();
  }
  std::function<bool()> popper() {
    return [this] {
      try {
        note(queue.pop());
      } catch (const shoal::Closed&) {
      }
      ++*ended;
      return true;
    };
  }
  std::function<bool()> pusher(Number number) {
    return [this, number] {
      try {
        queue.push(Sort::make(number));
        ++*partner_pushed;
      } catch (const shoal::Closed&) {
      }
      ++*ended;
      return true;
    };
  }
  std::function<bool()> busy() {
    return [this] {
      while (!begin.is_open()) std::this_thread::sleep_for(50us);  // is first waited for to sleep
      while (!stop.is_open() && *partner_pushed < 100) {
        std::this_thread::sleep_for(50us);
        if (queue.try_push(Sort::make(kPartner + 1 + *partner_pushed))) ++*partner_pushed;
        if (const auto item = queue.try_pop()) note(*item);
      }
      ++*ended;
      return true;
    };
  }
  std::vector<std::function<bool()>> partners() override {
    switch (plan.company) {
      case Company::popper:
        return {popper()};
      case Company::two_poppers:
        return {popper(), popper()};
      case Company::pusher:
        return {pusher(kPartner + 1)};
      case Company::two_pushers:  // each a source of its own
        return {pusher(kPartner + 1), pusher(kPartner + 100)};
      case Company::busy:
        return {busy()};
      case Company::joiner:
        return {[this] {
          if constexpr (kJoinable) queue.join();
          return true;
        }};
      case Company::alone:
        break;
    }
    return {};
  }
  Number poppers() const {
    return plan.company == Company::popper ? 1 : plan.company == Company::two_poppers ? 2 : 0;
  }
  Number pushers() const {
    return plan.company == Company::pusher ? 1 : plan.company == Company::two_pushers ? 2 : 0;
  }

  // What was popped after the victim's death, in order, and before it by partners.
  std::vector<Number> seen;
  Number survivor_pushed = 0;

  bool pop_one() {
    try {
      const std::optional<Item> item = queue.try_pop();
      if (!item) return false;
      seen.push_back(Sort::number(*item));
      done();
      return true;
    } catch (const shoal::Closed&) {
      return false;
    }
  }

  // Who sleeps and could go on goes on by itself; then the others are helped. Hangs where not.
  void let_partners_go_on() {
    if (plan.company == Company::busy) {
      stop.open();
      while (*ended == 0) ::sched_yield();
    }
    if (plan.operation == Operation::close) {
      if (!queue.closed()) queue.close();
      while (*ended < poppers() + pushers()) ::sched_yield();
      return;
    }
    while (*ended < poppers() && !queue.empty()) ::sched_yield();
    while (*ended < poppers()) {
      const Number before = *ended;
      queue.push(Sort::make(kSurvivor + ++survivor_pushed));
      while (*ended == before) ::sched_yield();
    }
    while (*ended < pushers() && queue.size() < plan.capacity) ::sched_yield();
    while (*ended < pushers())
      if (!pop_one()) ::sched_yield();
  }

  std::string survive(const Fate& fate) override {
    let_partners_go_on();
    std::vector<Number> first;
    for (Number i = 0; i < *partner_popped; ++i)
      first.push_back((*popped_by_partners)[static_cast<std::size_t>(i)]);
    if (poppers() > 1) std::sort(first.begin(), first.end());
    seen.insert(seen.begin(), first.begin(), first.end());
    while (pop_one()) {
    }
    if (const std::string wrong = check_seen(fate); !wrong.empty()) return wrong;
    if constexpr (kJoinable) {
      if (const std::string wrong = check_joined(fate); !wrong.empty()) return wrong;
    }
    return queue.closed() ? check_closed() : check_room();
  }

  std::string all_seen() const {
    std::string text = ":";
    for (const Number number : seen) text += " " + std::to_string(number);
    return text;
  }
  std::size_t count_seen(Number above, Number up_to) const {
    return static_cast<std::size_t>(
        std::count_if(seen.begin(), seen.end(), [&](Number n) { return n > above && n <= up_to; }));
  }
  std::string check_order() const {
    std::array<Number, 5> last{};
    for (const Number number : seen) {
      const std::size_t source = number >= kPartner + 100 ? 4
                                 : number > kPartner      ? 3
                                 : number > kSurvivor     ? 2
                                 : number > kVictim       ? 1
                                                          : 0;
      if (number == kSecond + 1) continue;
      if (number <= last[source]) return "twice, or out of order" + all_seen();
      last[source] = number;
    }
    return std::count(seen.begin(), seen.end(), kSecond + 1) > 1 ? "twice" + all_seen() : "";
  }
  std::string check_seen(const Fate& fate) {
    if (const std::string wrong = check_order(); !wrong.empty()) return wrong;
    const std::size_t of_victim = count_seen(kVictim, kVictim + kSome);
    const std::size_t of_second = count_seen(kSecond, kSecond + 1);
    const std::size_t of_others = seen.size() - of_victim - of_second;
    const std::size_t others =
        plan.filled + static_cast<std::size_t>(*partner_pushed + survivor_pushed);
    // As many as may have been pushed and popped by the dead, and must have been.
    const std::size_t may_pop = pops() + 1;  // the second victim's one pop
    if (of_others > others || of_victim > pushes()) return "what nobody pushed" + all_seen();
    const std::size_t must = others + (fate.completed ? pushes() : 0);
    if (seen.size() + may_pop < must) return "lost" + all_seen();
    if (second_) return "";
    const std::size_t lost = others - of_others;
    if (fate.completed ? lost != pops() : lost > pops())
      return std::to_string(lost) + " lost" + all_seen();
    if (fate.completed && of_victim != pushes()) return "a push that returned is lost" + all_seen();
    if (lost < plan.held) return "what the victim had popped came back" + all_seen();
    return plan.company == Company::busy ? "" : check_gaps(lost, of_victim);
  }
  // Where nobody else popped at the time: what is missing are the first ones; what there is of a
  // push are the first ones too.
  std::string check_gaps(std::size_t lost, std::size_t of_victim) const {
    if (lost <= plan.filled && count_seen(0, static_cast<Number>(lost)) != 0)
      return "another item was lost than the first" + all_seen();
    if (count_seen(kVictim, kVictim + static_cast<Number>(of_victim)) != of_victim)
      return "not the first items of a push" + all_seen();
    if (kAtOnce && plan.operation == Operation::push_some && of_victim != 0 &&
        of_victim != pushes())
      return "a part of what was pushed at once" + all_seen();
    return "";
  }
  std::string check_closed() {
    try {
      static_cast<void>(queue.try_push(Sort::make(1)));
      return "a closed queue takes an item";
    } catch (const shoal::Closed&) {
    }
    try {
      queue.pop();
      return "a closed queue has an item more";
    } catch (const shoal::Closed&) {
    }
    return "";
  }

  std::string check_room() {
    for (int round = 0; round < 2; ++round) {
      for (std::size_t i = 1; i <= plan.capacity; ++i)
        if (!queue.try_push(Sort::make(static_cast<Number>(i))))
          return "room for " + std::to_string(i - 1) + " only";
      if (queue.try_push(Sort::make(1))) return "more room than it had";
      if (queue.size() != plan.capacity) return "another size than was pushed";
      for (std::size_t i = 1; i <= plan.capacity; ++i) {
        if (Sort::number(queue.pop()) != static_cast<Number>(i)) return "out of order afterwards";
        done();
      }
      if (queue.try_pop()) return "an item from nowhere";
    }
    if constexpr (kVaries) {
      const std::string largest(kBytes, 'x');
      if (!queue.try_push(largest) || queue.pop() != largest) return "less room than it had";
    }
    return "";
  }

  std::string check_joined(const Fate& fate) {
    const std::size_t missing = plan.filled - std::min(plan.filled, count_seen(0, kVictim));
    const std::size_t may_be_done = plan.operation == Operation::task_done ? 1 : 0;
    if (!queue.join_for(500ms)) return "join() does not return" + all_seen();
    const std::size_t lost = queue.lost();
    if (second_) return lost <= missing + 1 ? "" : "more lost than was popped";  // kSecond + 1, too
    const bool plausible = fate.completed ? lost + may_be_done == missing
                                          : lost <= missing && lost + may_be_done >= missing;
    if (!plausible)
      return std::to_string(lost) + " are lost, " + std::to_string(missing) + " missing";
    return "";
  }

  bool second_ = false;
};

// Where a second one is killed as well.
template <class Sort, template <class> class Q = Queue>
struct RepairScene : QueueScene<Sort, Q> {
  explicit RepairScene(const Plan& what) : QueueScene<Sort, Q>(what) { this->second_ = true; }
};

template <class Sort, template <class> class Q = Queue>
void kill(const std::string& name, const Plan& plan, const Floors& floors,
          const StepOptions& options = thorough()) {
  kill_everywhere(
      name, [plan] { return std::make_unique<QueueScene<Sort, Q>>(plan); }, floors, options);
}
template <class Sort, template <class> class Q = Queue>
void kill_in_full(const std::string& name, const Plan& plan, const Floors& floors,
                  const StepOptions& options = thorough()) {
  if (full_programme()) kill<Sort, Q>(name, plan, floors, options);
}
template <class Sort, template <class> class Q = Queue>
void kill_two(const std::string& name, const Plan& plan, const Floors& floors, std::size_t stride,
              std::size_t stride_in_full) {
  StepOptions options = where_changed();
  options.stride = full_programme() ? stride_in_full : stride;
  kill_repairers(
      name, [plan] { return std::make_unique<RepairScene<Sort, Q>>(plan); }, floors, options);
}

// Every operation that fills or empties the queue, in every state of it.
template <class Sort>
void kill_in_each_state(const std::string& sort, const Floors& floors, bool always = false) {
  constexpr bool kLong = !shoal::Shareable<typename Sort::Item>;
  const auto in_state = [&](const std::string& state, std::size_t capacity, std::size_t filled,
                            std::size_t shift, bool in_fast) {
    const StepOptions options = kLong || !in_fast ? where_changed() : thorough();
    const auto run = [&](const std::string& call, Operation operation) {
      const Plan plan{
          .operation = operation, .capacity = capacity, .filled = filled, .shift = shift};
      if (in_fast || always || full_programme())
        kill<Sort>("queue." + call + ", " + sort + ", " + state, plan, floors, options);
    };
    if (filled < capacity) run("push", Operation::push);
    if (filled > 0) run("pop", Operation::pop);
    if constexpr (!kLong) {
      if (filled < capacity) run("push of a loan", Operation::loan_push);
      if (filled > 0) run("take", Operation::take);
    }
  };
  in_state("empty", 3, 0, 0, false);
  in_state("one", 1, 1, 5, false);
  in_state("one place", 1, 0, 5, false);
  in_state("middle", 3, 1, 0, false);
  in_state("full", 3, 3, 0, false);
  in_state("wrapped", 3, 2, 2, false);
  in_state("wrapped, of four", 4, 2, 7, true);
}

using Short = Text<10>;
using Medium = Text<300>;
using Long = Text<3000>;

}  // namespace

TEST_SUITE_BEGIN("step-kill: queue");

TEST_CASE("queue: killed while pushing or popping, in every state: whole or not at all") {
  kill_in_each_state<Small>("a number", {100, 10, 4}, true);
  kill_in_each_state<InBlock>("a block", {500, 15, 5});
  kill_in_each_state<Short>("a short text", {400, 9, 3});
  kill_in_each_state<Medium>("a text", {600, 12, 5});
  if (full_programme()) kill_in_each_state<Long>("a long text", {2000, 12, 5});
}

TEST_CASE("queue: the first call of a process, killed anywhere") {
  const Floors floors{500, 15, 5};
  kill<Small>("queue.push, the first call", {.operation = Operation::push, .warm = false}, floors,
              where_changed());
  kill<Small>("queue.pop, the first call",
              {.operation = Operation::pop, .filled = 2, .warm = false}, floors, where_changed());
}

TEST_CASE(
    "queue: killed while pushing several: the first few of them are there, of numbers all or "
    "none") {
  const auto run = [&]<class Sort>(std::type_identity<Sort>, const std::string& sort) {
    const Floors floors{500, 20, 8};
    const auto plan = [](std::size_t filled, std::size_t shift) {
      return Plan{
          .operation = Operation::push_some, .capacity = 10, .filled = filled, .shift = shift};
    };
    kill<Sort>("queue.try_push_some, wrapped, half of them fit, " + sort, plan(6, 3), floors,
               where_changed());
    kill_in_full<Sort>("queue.try_push_some, " + sort, plan(0, 0), floors, where_changed());
    Plan first = plan(0, 0);
    first.warm = false;
    kill_in_full<Sort>("queue.try_push_some, the first call, " + sort, first, floors,
                       where_changed());
  };
  run(std::type_identity<Small>(), "numbers");
  run(std::type_identity<InBlock>(), "blocks");
  if (!full_programme()) return;
  run(std::type_identity<Short>(), "short texts");
  run(std::type_identity<Medium>(), "texts");
}

TEST_CASE("queue: killed while popping several: at most those are lost") {
  const auto run = [&]<class Sort>(std::type_identity<Sort>, const std::string& sort) {
    const Floors floors{500, 15, 7};
    const auto plan = [](std::size_t filled, std::size_t shift) {
      return Plan{
          .operation = Operation::pop_some, .capacity = 10, .filled = filled, .shift = shift};
    };
    kill<Sort>("queue.try_pop_some, wrapped, more than there are, " + sort, plan(5, 7), floors,
               where_changed());
    kill_in_full<Sort>("queue.try_pop_some, " + sort, plan(10, 0), floors, where_changed());
  };
  run(std::type_identity<Small>(), "numbers");
  run(std::type_identity<InBlock>(), "blocks");
  if (!full_programme()) return;
  run(std::type_identity<Short>(), "short texts");
  run(std::type_identity<Medium>(), "texts");
}

TEST_CASE("queue: killed with a loan: its room comes back") {
  const Floors floors{500, 15, 5};
  for (const std::size_t filled : {0, 2}) {
    const Plan plan{.operation = Operation::loan_drop, .filled = filled};
    const std::string state = filled == 0 ? ", empty" : ", the last place";
    kill<Small>("queue.loan, dropped, a number" + state, plan, floors, where_changed());
    kill_in_full<InBlock>("queue.loan, dropped, a block" + state, plan, floors);
  }
}

TEST_CASE("queue: killed while others sleep: who can go on does") {
  const auto run = [&]<class Sort>(std::type_identity<Sort>, const std::string& sort,
                                   bool in_fast) {
    const Floors floors{150, 12, 4};
    const auto kill_awaited = [&](const std::string& call, const Plan& plan) {
      if (in_fast || full_programme())
        kill<Sort>("queue." + call + ", " + sort, plan, floors, where_changed());
    };
    Plan push{.operation = Operation::push, .company = Company::popper};
    Plan pop{.operation = Operation::pop, .filled = 3, .company = Company::pusher};
    kill_awaited("push, awaited", push);
    kill_awaited("pop, awaited", pop);
    if constexpr (shoal::Shareable<typename Sort::Item>) {
      Plan in_place = push;
      in_place.operation = Operation::loan_push;
      kill_awaited("push of a loan, awaited", in_place);
      in_place = pop;
      in_place.operation = Operation::take;
      kill_awaited("take, awaited", in_place);
    }
    if (!full_programme()) return;
    push.company = Company::two_poppers;
    kill_awaited("push, awaited by two", push);
    pop.company = Company::two_pushers;
    kill_awaited("pop, awaited by two", pop);
  };
  run(std::type_identity<Small>(), "a number", true);
  run(std::type_identity<InBlock>(), "a block", false);
  run(std::type_identity<Short>(), "a short text", false);
  run(std::type_identity<Medium>(), "a text", true);
  const Floors floors{500, 20, 7};
  kill_in_full<Small>(
      "queue.try_push_some, awaited by two",
      {.operation = Operation::push_some, .capacity = 9, .company = Company::two_poppers}, floors,
      where_changed());
  kill_in_full<Small>("queue.try_pop_some, awaited by two",
                      {.operation = Operation::pop_some,
                       .capacity = 9,
                       .filled = 9,
                       .company = Company::two_pushers},
                      floors, where_changed());
}

TEST_CASE("queue: killed or stopped asleep, the others get theirs") {
  const auto run = [&]<class Sort>(std::type_identity<Sort>) {
    const Segment segment = Segment::anonymous();
    const Queue<typename Sort::Item> queue(segment, "queue", 3);
    const auto pop = [&] { queue.pop(); };
    const auto push = [&] { queue.push(Sort::make(4)); };
    kill_a_waiter(pop, push);
    CHECK(queue.empty());
    stop_a_waiter(
        pop,
        [&] {
          push();
          push();
        },
        push);
    CHECK(queue.empty());
    for (int i = 0; i < 3; ++i) push();
    kill_a_waiter(push, pop);
    stop_a_waiter(
        push,
        [&] {
          pop();
          pop();
        },
        pop);
    CHECK(queue.size() == 3);
    CHECK(queue.waiting() == 0);
  };
  run(std::type_identity<Small>());
  run(std::type_identity<InBlock>());
  run(std::type_identity<Short>());
  run(std::type_identity<Long>());
}

TEST_CASE("queue: killed while another is at work on it") {
  const auto run = [&]<class Sort>(std::type_identity<Sort>, const std::string& sort) {
    const Floors floors{.instructions = 100, .points = 20, .states = 5, .strays = true};
    for (const Operation operation : {Operation::push, Operation::pop})
      kill<Sort>("queue." + std::string(operation == Operation::push ? "push" : "pop") +
                     ", contended, " + sort,
                 {.operation = operation, .filled = 2, .company = Company::busy}, floors,
                 where_changed());
  };
  run(std::type_identity<Small>(), "a number");
  if (!full_programme()) return;
  run(std::type_identity<InBlock>(), "a block");
  run(std::type_identity<Medium>(), "a text");
}

TEST_CASE("queue: killed while closing: closed or not, nothing is lost, and who waits wakes") {
  const Floors floors{100, 10, 4};
  kill<Small>("queue.close, one", {.operation = Operation::close, .filled = 1}, floors);
  kill<Small>("queue.close, two wait for items",
              {.operation = Operation::close, .company = Company::two_poppers}, floors,
              where_changed());
  kill<Small>("queue.close, two wait for room",
              {.operation = Operation::close, .filled = 3, .company = Company::two_pushers}, floors,
              where_changed());
  kill_in_full<Medium>("queue.close, one waits for room for a text",
                       {.operation = Operation::close, .filled = 3, .company = Company::pusher},
                       floors, where_changed());
}

TEST_CASE("queue: killed while mending what one who was killed has left") {
  const auto run = [&]<class Sort>(std::type_identity<Sort>, const std::string& sort,
                                   std::size_t stride, std::size_t stride_in_full) {
    const Floors floors{100, 30, 6};
    kill_two<Sort>("queue.push, twice, " + sort, {.operation = Operation::push, .capacity = 2},
                   floors, stride, stride_in_full);
    kill_two<Sort>("queue.pop, then push, " + sort,
                   {.operation = Operation::pop, .capacity = 1, .filled = 1}, floors, stride,
                   stride_in_full);
    if (!full_programme()) return;
    kill_two<Sort>("queue.pop, then push, wrapped, " + sort,
                   {.operation = Operation::pop, .capacity = 3, .filled = 3, .shift = 2}, floors,
                   stride, stride_in_full);
  };
  run(std::type_identity<Small>(), "a number", 4, 1);
  run(std::type_identity<InBlock>(), "a block", 7, 3);
  if (full_programme()) run(std::type_identity<Medium>(), "a text", 1, 5);
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("step-kill: joinable queue");

TEST_CASE("joinable: killed while popping: the item is there, or lost and done") {
  const auto run = [&]<class Sort>(std::type_identity<Sort>, const std::string& sort) {
    const Floors floors{400, 20, 7};
    kill<Sort, JoinableQueue>("joinable.pop, holds one, " + sort,
                              {.operation = Operation::pop, .filled = 3, .held = 1}, floors,
                              where_changed());
    if (!full_programme()) return;
    kill<Sort, JoinableQueue>("joinable.pop, " + sort, {.operation = Operation::pop, .filled = 2},
                              floors);
    kill<Sort, JoinableQueue>(
        "joinable.pop, joined, " + sort,
        {.operation = Operation::pop, .filled = 1, .company = Company::joiner}, floors,
        where_changed());
    kill<Sort, JoinableQueue>(
        "joinable.pop, awaited, " + sort,
        {.operation = Operation::pop, .filled = 3, .company = Company::pusher}, floors,
        where_changed());
  };
  run(std::type_identity<Small>(), "a number");
  run(std::type_identity<InBlock>(), "a block");
  if (full_programme()) run(std::type_identity<Short>(), "a short text");
}

TEST_CASE("joinable: killed in task_done(), or before it: what it held is done, or lost") {
  const Floors floors{150, 6, 3};
  for (const std::size_t held : {1, 3}) {
    const std::string of = ", of " + std::to_string(held);
    Plan plan{.operation = Operation::task_done, .filled = 3, .held = held};
    kill<Small, JoinableQueue>("joinable.task_done" + of, plan, floors);
    plan.company = Company::joiner;
    kill<Small, JoinableQueue>("joinable.task_done, joined" + of, plan, floors, where_changed());
  }
}

TEST_CASE("joinable: killed while pushing, or joining") {
  kill<Small, JoinableQueue>("joinable.push", {.operation = Operation::push, .filled = 1},
                             {100, 10, 4});
  kill<Small, JoinableQueue>("joinable.join, nothing to do", {.operation = Operation::join},
                             {150, 5, 2}, where_changed());
}

TEST_CASE("joinable: killed or stopped while joining, the others go on when all is done") {
  const Segment segment = Segment::anonymous();
  const JoinableQueue<int> queue(segment, "queue", 3);
  const auto join = [&] { queue.join(); };
  const auto finish = [&] {
    queue.pop();
    queue.task_done();
  };
  queue.push(1);
  kill_a_waiter(join, finish);
  queue.push(2);
  stop_a_waiter(join, finish, [] {});
  CHECK(queue.waiting() == 0);
}

TEST_CASE("joinable: killed while mending what one who was killed has left") {
  const Floors floors{150, 40, 10};
  kill_two<Small, JoinableQueue>("joinable.pop, twice",
                                 {.operation = Operation::pop, .capacity = 2, .filled = 1}, floors,
                                 15, 2);
  kill_two<Small, JoinableQueue>(
      "joinable.task_done, then pop",
      {.operation = Operation::task_done, .capacity = 3, .filled = 2, .held = 1}, floors, 6, 1);
}

TEST_SUITE_END();
