// SPDX-License-Identifier: MIT

// What processes see of an object that they use at the same time, some of them killed, is what they
// could have seen of one that does a call after the other. And what of a broken one, is not.

#include "support/linearizability.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <random>
#include <shoal/shoal.hpp>
#include <span>
#include <string>
#include <vector>

#include "linearizability/call.hpp"
#include "linearizability/crew.hpp"
#include "linearizability/models.hpp"
#include "support/full_programme.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Segment;

namespace {

template <class Model>
bool linearizable(Model model, History history) {
  return LinearizabilityChecker<Model>(model).check(history);
}

// --- Subjects: an object each, and what is called

class Numbers {
 public:
  std::int64_t next(int process) { return std::int64_t{1'000'000} * process + ++last_; }

 private:
  std::int64_t last_ = 0;
};

Call call_of(Verb verb, std::int64_t first = 0, std::int64_t second = 0) {
  Call call;
  call.verb = verb;
  call.given = {first, second};
  return call;
}

std::int64_t below(std::int64_t limit, Random& random) {
  return static_cast<std::int64_t>(random()) % limit;
}

Answer answer_of(bool done) { return done ? Answer::done : Answer::refused; }

// An item of more than a slot's size.
struct LargeItem {
  std::array<std::int64_t, 12> words;
};
template <class T>
T item_of(std::int64_t number) {
  if constexpr (std::is_same_v<T, LargeItem>) {
    LargeItem item{};
    item.words.fill(number);
    return item;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return std::string(100, 'x') + std::to_string(number);
  } else {
    return number;
  }
}
template <class T>
std::int64_t number_of(const T& item) {
  if constexpr (std::is_same_v<T, LargeItem>)
    return item.words.front() == item.words.back() ? item.words.front() : -1;
  else if constexpr (std::is_same_v<T, std::string>)
    return std::stoll(item.substr(100));
  else
    return item;
}

constexpr std::size_t kObjects = Crew::kObjects;

std::string numbered(const char* name, std::size_t number) {
  return std::string(name) + "." + std::to_string(number);
}

// Made by make(number), as many as are used.
template <class Make>
auto make_objects(Make make) {
  std::vector<decltype(make(std::size_t{}))> objects;
  for (std::size_t i = 0; i < kObjects; ++i) objects.push_back(make(i));
  return objects;
}

enum class Closes { never, sometimes };

// Queues of three.
template <template <class> class QueueOf, class T>
class QueueSubject : public Subject {
 public:
  explicit QueueSubject(Closes closes = Closes::never) : closes_(closes) {}

  void reset(std::size_t object) override {
    if (closes_ == Closes::sometimes) {
      segment_.erase(numbered("queue", object));
      queues_[object] = make(object);
    }
    while (queues_[object].try_pop()) done(object);
  }
  Call draw(Random& random, int process, std::size_t) override {
    const auto kind = random() % 16;
    const std::int64_t first = numbers_.next(process);
    if (closes_ == Closes::sometimes && kind < 2) return call_of(Verb::close);
    if (closes_ == Closes::sometimes && kind < 4) return call_of(Verb::look);
    if (kind < 8) return call_of(Verb::push, first);
    if (kind < 10) return call_of(Verb::push_some, first, numbers_.next(process));
    return call_of(kind < 14 ? Verb::pop : Verb::pop_some);
  }
  void perform(Call& call, std::size_t object) override {
    try {
      call.answer = attempt(call, object) ? Answer::done : Answer::refused;
    } catch (const shoal::Closed&) {
      call.answer = Answer::closed;
    }
  }
  bool is_linearizable(History history) override {
    const std::vector<Recorded<Call>> parts = parts_of(history);
    if (linearizable(QueueModel{kCapacity, true}, parts)) return true;
    ++excused;
    return linearizable(QueueModel{kCapacity, false}, parts);
  }

  // Histories with a call that found the queue full or empty while another one was at work.
  int excused = 0;

 private:
  static constexpr int kCapacity = 3;

  QueueOf<T> make(std::size_t object) {
    shoal::QueueOptions options;
    options.capacity = kCapacity;
    if constexpr (std::is_same_v<T, std::string>) options.bytes = 4096;
    return QueueOf<T>(segment_, numbered("queue", object), options);
  }
  void done(std::size_t object) {
    if constexpr (std::is_same_v<QueueOf<T>, shoal::JoinableQueue<T>>) queues_[object].task_done();
  }
  bool attempt(Call& call, std::size_t object) {
    const QueueOf<T>& used = queues_[object];
    switch (call.verb) {
      case Verb::push:
        call.count = used.try_push(item_of<T>(call.given[0])) ? 1 : 0;
        return call.count == 1;
      case Verb::pop: {
        const auto item = used.try_pop();
        if (!item) return false;
        call.returned[0] = number_of(*item);
        call.count = 1;
        done(object);
        return true;
      }
      case Verb::push_some: {
        const std::array<T, 2> items = {item_of<T>(call.given[0]), item_of<T>(call.given[1])};
        call.count = static_cast<std::int32_t>(used.try_push_some(items));
        return true;
      }
      case Verb::pop_some: {
        std::array<T, 2> items{};
        call.count = static_cast<std::int32_t>(used.try_pop_some(items));
        for (std::size_t i = 0; i < static_cast<std::size_t>(call.count); ++i) {
          call.returned[i] = number_of(items[i]);
          done(object);
        }
        return true;
      }
      case Verb::close:
        used.close();
        return true;
      default:
        return used.closed();
    }
  }

  const Closes closes_;
  TempName name_;
  Segment segment_{name_};
  std::vector<QueueOf<T>> queues_ = make_objects([this](std::size_t i) { return make(i); });
  Numbers numbers_;
};

// Both ends are shared: each process sends and receives.
class PipeSubject : public Subject {
 public:
  void reset(std::size_t object) override {
    while (ends_[object].second.recv_bytes_for(0s)) {
    }
  }
  Call draw(Random& random, int process, std::size_t) override {
    const auto kind = random() % 8;
    if (kind == 0) return call_of(Verb::look);
    return kind < 5 ? call_of(Verb::push, numbers_.next(process)) : call_of(Verb::pop);
  }
  void perform(Call& call, std::size_t object) override {
    bool done = false;
    if (call.verb == Verb::push) {
      done = ends_[object].first.send_for(call.given[0], 0s);
    } else if (call.verb == Verb::pop) {
      const auto number = ends_[object].second.recv_for<std::int64_t>(0s);
      done = number.has_value();
      call.returned[0] = number.value_or(0);
    } else {
      done = ends_[object].second.poll();
    }
    call.count = done ? 1 : 0;
    call.answer = answer_of(done);
  }
  bool is_linearizable(History history) override { return linearizable(PipeModel{}, history); }

 private:
  // One sends and one receives at a time: who does not wait is turned away where somebody is at it.
  struct PipeModel : QueueModel {
    PipeModel() : QueueModel{16, false} {}
    template <class Then>
    bool apply(const State& state, const Recorded<Call>& one, Then then) const {
      if (one.operation.verb != Verb::look) return QueueModel::apply(state, one, then);
      const bool told = one.operation.answer == answer_of(state.size > 0);
      return (told || (one.contended && one.operation.answer == Answer::refused)) && then(state);
    }
  };

  struct Ends {
    shoal::Connection first, second;
  };
  TempName name_;
  Segment segment_{name_};
  std::vector<Ends> ends_ = make_objects([this](std::size_t i) {
    const shoal::Pipe pipe(segment_, numbered("pipe", i), {.capacity = 4096});
    return Ends{pipe.first(), pipe.second()};
  });
  Numbers numbers_;
};

// More than an atomic holds: three words that are one number.
struct Wide {
  std::array<std::int64_t, 3> words;
};
template <class T>
T value_of(std::int64_t number) {
  if constexpr (std::is_same_v<T, Wide>)
    return {{number, number, number}};
  else
    return number;
}
constexpr std::int64_t kTorn = -77;
std::int64_t read_of(std::int64_t value) { return value; }
std::int64_t read_of(const Wide& value) {
  return value.words[0] == value.words[1] && value.words[1] == value.words[2] ? value.words[0]
                                                                              : kTorn;
}

template <class T>
class ValueSubject : public Subject {
 public:
  void reset(std::size_t object) override { values_[object].store(value_of<T>(0)); }
  Call draw(Random& random, int, std::size_t) override {
    static constexpr Verb kVerbs[] = {
        Verb::load,      Verb::load,   Verb::store,           Verb::exchange,
        Verb::fetch_add, Verb::update, Verb::compare_exchange};
    const std::int64_t first = below(4, random);
    return call_of(kVerbs[random() % std::size(kVerbs)], first, below(4, random));
  }
  void perform(Call& call, std::size_t object) override {
    const std::int64_t given = call.given[0];
    call.answer = Answer::done;
    switch (call.verb) {
      case Verb::load:
        call.returned[0] = read_of(values_[object].load());
        return;
      case Verb::store:
        return values_[object].store(value_of<T>(given));
      case Verb::exchange:
        call.returned[0] = read_of(values_[object].exchange(value_of<T>(given)));
        return;
      case Verb::compare_exchange: {
        T expected = value_of<T>(call.given[1]);
        call.answer = answer_of(values_[object].compare_exchange(expected, value_of<T>(given)));
        call.returned[0] = read_of(expected);
        return;
      }
      case Verb::fetch_add:
        call.returned[0] = add(object, given);
        return;
      default:
        call.returned[0] = update(object, [](std::int64_t n) { return ValueModel::updated(n); });
    }
  }
  bool is_linearizable(History history) override { return linearizable(ValueModel{}, history); }

 private:
  template <class F>
  std::int64_t update(std::size_t object, F change) {
    return values_[object].update([&](T& value) {
      const std::int64_t before = read_of(value);
      value = value_of<T>(change(before));
      return before;
    });
  }
  std::int64_t add(std::size_t object, std::int64_t by) {
    if constexpr (std::is_same_v<T, Wide>)
      return update(object, [by](std::int64_t n) { return n + by; });
    else
      return values_[object].fetch_add(by);
  }

  TempName name_;
  Segment segment_{name_};
  std::vector<shoal::Value<T>> values_ = make_objects(
      [this](std::size_t i) { return shoal::Value<T>(segment_, numbered("value", i)); });
};

// One element, between others.
template <class T>
class ArraySubject : public Subject {
 public:
  void reset(std::size_t object) override { arrays_[object].store(1, value_of<T>(0)); }
  Call draw(Random& random, int, std::size_t) override {
    return call_of(random() % 2 == 0 ? Verb::load : Verb::store, below(4, random));
  }
  void perform(Call& call, std::size_t object) override {
    call.answer = Answer::done;
    if (call.verb == Verb::load)
      call.returned[0] = read_of(arrays_[object].load(1));
    else
      arrays_[object].store(1, value_of<T>(call.given[0]));
  }
  bool is_linearizable(History history) override { return linearizable(ValueModel{}, history); }

 private:
  TempName name_;
  Segment segment_{name_};
  std::vector<shoal::Array<T>> arrays_ = make_objects(
      [this](std::size_t i) { return shoal::Array<T>(segment_, numbered("array", i), 3); });
};

template <class L>
class LockSubject : public Subject {
 public:
  void reset(std::size_t object) override { locks_[object].recover().unlock(); }
  Call draw(Random& random, int, std::size_t object) override {
    const auto kind = random() % 16;
    if (kind < 3) return call_of(Verb::look);
    return call_of(depths_[object] > 0 ? (kind < 6 ? Verb::lock : Verb::unlock)
                                       : (kind < 15 ? Verb::lock : Verb::unlock));
  }
  void perform(Call& call, std::size_t object) override {
    try {
      call.answer = answer_of(attempt(call, object));
    } catch (const shoal::OwnerDied&) {
      call.answer = Answer::owner_died;
    } catch (const shoal::NotOwner&) {
      call.answer = Answer::not_owner;
    }
  }
  void tidy(std::size_t object) override {
    for (; depths_[object] > 0; --depths_[object]) locks_[object].unlock();
  }
  bool is_linearizable(History history) override {
    return linearizable(LockModel{std::is_same_v<L, shoal::RLock>}, history);
  }

 private:
  bool attempt(const Call& call, std::size_t object) {
    if (call.verb == Verb::look) return locks_[object].is_locked();
    if (call.verb == Verb::lock) {
      const bool locked = locks_[object].try_lock();
      depths_[object] += locked ? 1 : 0;
      return locked;
    }
    locks_[object].unlock();
    --depths_[object];
    return true;
  }

  TempName name_;
  Segment segment_{name_};
  std::vector<L> locks_ =
      make_objects([this](std::size_t i) { return L(segment_, numbered("lock", i)); });
  std::array<int, kObjects> depths_{};  // how often this process holds each
};

template <class S>
class SemaphoreSubject : public Subject {
 public:
  void reset(std::size_t object) override {
    if constexpr (kBounded) return;
    while (semaphores_[object].try_acquire()) {
    }
    semaphores_[object].release(2);
  }
  Call draw(Random& random, int, std::size_t) override {
    const auto kind = random() % 8;
    if (kind == 0) return call_of(Verb::look);
    if (kind < 5) return call_of(Verb::acquire);
    return call_of(Verb::release, 1 + below(2, random));
  }
  void perform(Call& call, std::size_t object) override {
    try {
      call.answer = answer_of(attempt(call, object));
    } catch (const shoal::NotOwner&) {
      call.answer = Answer::not_owner;
    }
  }
  void tidy(std::size_t object) override {
    if (kBounded && held_[object] > 0) semaphores_[object].release(held_[object]);
    held_[object] = 0;
  }
  bool is_linearizable(History history) override {
    return linearizable(SemaphoreModel{2, kBounded}, history);
  }

 private:
  static constexpr bool kBounded = std::is_same_v<S, shoal::BoundedSemaphore>;

  bool attempt(Call& call, std::size_t object) {
    if (call.verb == Verb::look) {
      call.returned[0] = semaphores_[object].value();
      return true;
    }
    if (call.verb == Verb::release) {
      semaphores_[object].release(static_cast<int>(call.given[0]));
      held_[object] -= static_cast<int>(call.given[0]);
      return true;
    }
    const bool acquired = semaphores_[object].try_acquire();
    held_[object] += acquired ? 1 : 0;
    return acquired;
  }

  TempName name_;
  Segment segment_{name_};
  std::vector<S> semaphores_ =
      make_objects([this](std::size_t i) { return S(segment_, numbered("semaphore", i), 2); });
  std::array<int, kObjects> held_{};  // by this process
};

class EventSubject : public Subject {
 public:
  void reset(std::size_t object) override { events_[object].clear(); }
  Call draw(Random& random, int, std::size_t) override {
    static constexpr Verb kVerbs[] = {Verb::set, Verb::clear, Verb::look, Verb::look, Verb::wait};
    const std::int64_t microseconds = random() % 2 == 0 ? 0 : 30;
    return call_of(kVerbs[random() % std::size(kVerbs)], microseconds);
  }
  void perform(Call& call, std::size_t object) override {
    call.answer = Answer::done;
    if (call.verb == Verb::set) events_[object].set();
    if (call.verb == Verb::clear) events_[object].clear();
    if (call.verb == Verb::look) call.answer = answer_of(events_[object].is_set());
    if (call.verb == Verb::wait)
      call.answer = answer_of(events_[object].wait_for(std::chrono::microseconds(call.given[0])));
  }
  bool is_linearizable(History history) override { return linearizable(EventModel{}, history); }

 private:
  TempName name_;
  Segment segment_{name_};
  std::vector<shoal::Event> events_ =
      make_objects([this](std::size_t i) { return shoal::Event(segment_, numbered("event", i)); });
};

// --- Broken ones

// fetch_add by a load and a store.
class LoadAndStore : public Subject {
 public:
  void reset(std::size_t object) override { (*counters_)[object].store(0); }
  Call draw(Random&, int, std::size_t) override { return call_of(Verb::fetch_add, 1); }
  void perform(Call& call, std::size_t object) override {
    call.returned[0] = (*counters_)[object].load();
    (*counters_)[object].store(call.returned[0] + 1);
    call.answer = Answer::done;
  }
  bool is_linearizable(History history) override { return linearizable(ValueModel{}, history); }

 private:
  using Counters = std::array<std::atomic<std::int64_t>, kObjects>;
  Shared<Counters> counters_;
};

// A lock that is taken if it was free when somebody looked.
class LookThenLock : public Subject {
 public:
  void reset(std::size_t object) override { (*holders_)[object].store(0); }
  Call draw(Random&, int process, std::size_t object) override {
    return call_of((*holders_)[object].load() == process + 1 ? Verb::unlock : Verb::lock, process);
  }
  void perform(Call& call, std::size_t object) override {
    const std::int64_t me = call.given[0] + 1;
    const bool right = (*holders_)[object].load() == (call.verb == Verb::lock ? 0 : me);
    if (right) (*holders_)[object].store(call.verb == Verb::lock ? me : 0);
    call.answer = right                     ? Answer::done
                  : call.verb == Verb::lock ? Answer::refused
                                            : Answer::not_owner;
  }
  bool is_linearizable(History history) override { return linearizable(LockModel{false}, history); }

 private:
  using Holders = std::array<std::atomic<std::int64_t>, kObjects>;
  Shared<Holders> holders_;
};

// A queue whose pop looks at the head, and then takes it.
class LookThenPop : public Subject {
 public:
  void reset(std::size_t object) override {
    (*words_)[object].head = 0;
    (*words_)[object].tail = 0;
  }
  Call draw(Random& random, int process, std::size_t) override {
    return random() % 2 == 0 ? call_of(Verb::push, numbers_.next(process)) : call_of(Verb::pop);
  }
  void perform(Call& call, std::size_t object) override {
    if (call.verb == Verb::push) {
      const std::size_t at = (*words_)[object].tail.fetch_add(1);
      (*words_)[object].items[at].store(call.given[0]);
      call.count = 1;
    } else {
      const std::size_t head = (*words_)[object].head.load();
      call.count = head < (*words_)[object].tail.load() ? 1 : 0;
      if (call.count == 1) call.returned[0] = (*words_)[object].items[head].load();
      if (call.count == 1) (*words_)[object].head.store(head + 1);
    }
    call.answer = answer_of(call.count == 1);
  }
  bool is_linearizable(History history) override {
    return linearizable(QueueModel{16, false}, history);
  }

 private:
  struct Words {
    std::atomic<std::size_t> head, tail;
    std::array<std::atomic<std::int64_t>, 16> items;
  };
  Shared<std::array<Words, kObjects>> words_;
  Numbers numbers_;
};

// --- Many histories of one

struct Tally {
  int histories = 0;
  int calls = 0;
  int contended = 0;  // histories in which calls overlap
  int kills = 0;
  int pending = 0;  // calls whose process was killed in the middle of them
  int wrong = 0;
  std::string first_wrong;
};

void look_at(Tally& tally, Subject& subject, const std::vector<Recorded<Call>>& history) {
  ++tally.histories;
  bool contended = false;
  for (const Recorded<Call>& call : history) {
    const bool is_call = call.operation.verb != Verb::die;
    tally.calls += is_call ? 1 : 0;
    tally.pending += call.pending ? 1 : 0;
    contended |= is_call && call.contended;
  }
  tally.contended += contended ? 1 : 0;
  if (subject.is_linearizable(history)) return;
  if (++tally.wrong == 1) tally.first_wrong = describe(history);
}

// Prints one line.
Tally record(const std::string& name, Subject& subject, int histories,
             Crew::Deaths deaths = Crew::Deaths::none) {
  static const unsigned seed = std::random_device()();
  const auto begin = std::chrono::steady_clock::now();
  const std::size_t objects = deaths == Crew::Deaths::none ? kObjects : kObjects / 10;
  Tally tally;
  Crew crew;
  while (tally.histories < histories) {
    crew.work(subject, objects, seed + static_cast<unsigned>(tally.histories), deaths);
    tally.kills += deaths == Crew::Deaths::one ? 1 : 0;
    for (std::size_t object = 0; object < objects; ++object)
      look_at(tally, subject, crew.history(object));
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf(
      "linearizability %s: %d histories, %d calls, %d histories with overlap, %d kills, %d calls "
      "pending, %d wrong, seed %u, %.1f s\n",
      name.c_str(), tally.histories, tally.calls, tally.contended, tally.kills, tally.pending,
      tally.wrong, seed, took.count());
  std::fflush(stdout);
  return tally;
}

// Of each type as many as that, or a fiftieth.
int share(int histories) { return full_programme() ? histories : histories / 50; }

// Nothing is wrong, and enough was at the same time.
template <class S>
void check(const std::string& name, S&& subject, int histories) {
  CAPTURE(name);
  const Tally tally = record(name, subject, share(histories));
  CHECK_MESSAGE(tally.wrong == 0, tally.first_wrong);
  CHECK(tally.histories >= share(histories));
  CHECK(tally.calls == tally.histories * static_cast<int>(Crew::kCalls));
  CHECK(tally.contended * (full_programme() ? 20 : tally.histories) >= tally.histories);
}

template <class S>
void check_with_kills(const std::string& name, S&& subject, int histories) {
  CAPTURE(name);
  const Tally tally = record(name + ", killed", subject, share(histories), Crew::Deaths::one);
  CHECK_MESSAGE(tally.wrong == 0, tally.first_wrong);
  CHECK(tally.histories >= share(histories));
  CHECK(tally.kills * 20 >= tally.histories);
  if (full_programme()) CHECK(tally.pending * 50 >= tally.kills);
}

template <class S>
void check_broken(const std::string& name, S&& subject) {
  CAPTURE(name);
  int wrong = 0;
  for (int i = 0; i < 50 && wrong == 0; ++i)
    wrong = record("of something broken: " + name, subject, 800).wrong;
  CHECK(wrong >= 1);
}

// --- Histories by hand

Recorded<Call> seen(std::int64_t invoked, std::int64_t returned, Call call) {
  Recorded<Call> one;
  one.operation = call;
  one.invoked = invoked;
  one.returned = returned;
  one.pending = call.answer == Answer::unknown;
  return one;
}
Call pushed(std::int64_t number) {
  Call call = call_of(Verb::push, number);
  call.answer = Answer::done;
  return call;
}
Call popped(std::int64_t number) {
  Call call = call_of(Verb::pop);
  call.answer = Answer::done;
  call.returned[0] = number;
  return call;
}
Call found_empty() {
  Call call = call_of(Verb::pop);
  call.answer = Answer::refused;
  return call;
}
Call stored(std::int64_t number) {
  Call call = call_of(Verb::store, number);
  call.answer = Answer::done;
  return call;
}
Call loaded(std::int64_t number) {
  Call call = call_of(Verb::load);
  call.answer = Answer::done;
  call.returned[0] = number;
  return call;
}

Call found_full() {
  Call call = call_of(Verb::push, 99);
  call.answer = Answer::refused;
  return call;
}

bool is_queue(const std::vector<Recorded<Call>>& history) {
  return linearizable(QueueModel{2, true}, history);
}
bool is_value(const std::vector<Recorded<Call>>& history) {
  return linearizable(ValueModel{}, history);
}

}  // namespace

TEST_SUITE_BEGIN("Linearizability");

TEST_CASE("the checker: calls that overlap may come in any order, others in theirs") {
  CHECK(is_value({seen(1, 2, stored(1)), seen(3, 4, loaded(1))}));
  CHECK_FALSE(is_value({seen(1, 2, stored(1)), seen(3, 4, loaded(0))}));
  CHECK(is_value({seen(1, 4, stored(1)), seen(2, 3, loaded(0))}));
  CHECK(is_value({seen(1, 4, stored(1)), seen(2, 3, loaded(1))}));
  CHECK(is_value({seen(1, 2, stored(1)), seen(2, 3, loaded(0))}));  // at the same moment
  // Two that load while it is stored, one after the other: the new one, then the old one.
  CHECK_FALSE(is_value({seen(1, 9, stored(1)), seen(2, 3, loaded(1)), seen(4, 5, loaded(0))}));
  CHECK(is_value({seen(1, 9, stored(1)), seen(2, 3, loaded(0)), seen(4, 5, loaded(1))}));
}

TEST_CASE("the checker: first in, first out, each once, and no more than there is room for") {
  CHECK(is_queue({seen(1, 2, pushed(1)), seen(3, 4, pushed(2)), seen(5, 8, popped(2)),
                  seen(6, 7, popped(1))}));
  CHECK_FALSE(is_queue({seen(1, 2, pushed(1)), seen(3, 4, pushed(2)), seen(5, 6, popped(2)),
                        seen(7, 8, popped(1))}));
  CHECK(is_queue({seen(1, 4, pushed(1)), seen(2, 3, pushed(2)), seen(5, 6, popped(2)),
                  seen(7, 8, popped(1))}));
  CHECK_FALSE(is_queue({seen(1, 2, pushed(1)), seen(3, 6, popped(1)), seen(4, 5, popped(1))}));
  CHECK_FALSE(is_queue({seen(1, 2, popped(1)), seen(3, 4, pushed(1))}));
  CHECK_FALSE(is_queue({seen(1, 2, pushed(1)), seen(3, 4, found_empty())}));
  CHECK_FALSE(is_queue({seen(1, 2, pushed(1)), seen(3, 4, pushed(2)), seen(5, 6, pushed(3))}));
}

TEST_CASE("the checker: a killed process's call has had its effect by its death, or never") {
  const Recorded<Call> cut = seen(1, 4, call_of(Verb::push, 7));
  CHECK(is_queue({cut, seen(2, 3, popped(7))}));
  CHECK(is_queue({cut, seen(2, 3, found_empty())}));
  CHECK(is_queue({cut, seen(5, 6, popped(7))}));
  CHECK(is_queue({cut, seen(5, 6, found_empty())}));
  CHECK_FALSE(is_queue({cut, seen(5, 6, found_empty()), seen(7, 8, popped(7))}));
  CHECK_FALSE(is_queue({cut, seen(5, 6, popped(7)), seen(7, 8, popped(7))}));
  // It may leave a hole, which is one item's room, until all before it have been popped.
  const Recorded<Call> first = seen(-2, -1, pushed(1));
  CHECK(is_queue(
      {first, cut, seen(5, 6, found_full()), seen(7, 8, popped(1)), seen(9, 10, found_empty())}));
  CHECK_FALSE(is_queue({first, seen(5, 6, found_full())}));
  CHECK_FALSE(is_queue({first, cut, seen(5, 6, popped(1)), seen(7, 8, found_empty()),
                        seen(9, 10, pushed(2)), seen(11, 12, found_full())}));
}

TEST_CASE("the checker: others may come in between of the parts of a bulk call, in their order") {
  const auto bulk = [](std::int64_t invoked, std::int64_t returned) {
    Call call = call_of(Verb::push_some, 1, 2);
    call.answer = Answer::done;
    call.count = 2;
    return seen(invoked, returned, call);
  };
  const auto is_fifo = [](const std::vector<Recorded<Call>>& history) {
    return linearizable(QueueModel{4, true}, parts_of(history));
  };
  CHECK(is_fifo({bulk(1, 4), seen(2, 3, pushed(9)), seen(5, 6, popped(1)), seen(7, 8, popped(9)),
                 seen(9, 10, popped(2))}));
  CHECK_FALSE(is_fifo({bulk(1, 2), seen(3, 4, pushed(9)), seen(5, 6, popped(1)),
                       seen(7, 8, popped(9)), seen(9, 10, popped(2))}));
  CHECK_FALSE(is_fifo({bulk(1, 4), seen(2, 3, pushed(9)), seen(5, 6, popped(2))}));
}

TEST_CASE("of something broken the histories are not linearizable") {
  check_broken("a counter that loads and stores", LoadAndStore());
  check_broken("a lock that looks, then locks", LookThenLock());
  check_broken("a queue that looks, then pops", LookThenPop());
}

TEST_CASE("queues and pipes: what their users see, they could have seen one after the other") {
  check("Queue", QueueSubject<shoal::Queue, std::int64_t>(), 40'000);
  check("Queue, closed", QueueSubject<shoal::Queue, std::int64_t>(Closes::sometimes), 15'000);
  check("Queue of large items", QueueSubject<shoal::Queue, LargeItem>(), 15'000);
  check("Queue of varying items", QueueSubject<shoal::Queue, std::string>(), 15'000);
  check("JoinableQueue", QueueSubject<shoal::JoinableQueue, std::int64_t>(), 10'000);
  check("Pipe", PipeSubject(), 10'000);
}

TEST_CASE("values and arrays: what their users see, they could have seen one after the other") {
  check("Value", ValueSubject<std::int64_t>(), 15'000);
  check("Value, large", ValueSubject<Wide>(), 15'000);
  check("Array", ArraySubject<std::int64_t>(), 5'000);
  check("Array, large", ArraySubject<Wide>(), 5'000);
}

TEST_CASE(
    "locks, semaphores, events: what their users see, they could have seen one after the other") {
  check("Lock", LockSubject<shoal::Lock>(), 15'000);
  check("RLock", LockSubject<shoal::RLock>(), 5'000);
  check("Semaphore", SemaphoreSubject<shoal::Semaphore>(), 10'000);
  check("BoundedSemaphore", SemaphoreSubject<shoal::BoundedSemaphore>(), 5'000);
  check("Event", EventSubject(), 10'000);
}

TEST_CASE("the same where one of them is killed") {
  check_with_kills("Queue", QueueSubject<shoal::Queue, std::int64_t>(), 10'000);
  check_with_kills("Queue of large items", QueueSubject<shoal::Queue, LargeItem>(), 5'000);
  check_with_kills("Value, large", ValueSubject<Wide>(), 5'000);
  check_with_kills("Lock", LockSubject<shoal::Lock>(), 5'000);
  check_with_kills("BoundedSemaphore", SemaphoreSubject<shoal::BoundedSemaphore>(), 5'000);
}

TEST_SUITE_END();
