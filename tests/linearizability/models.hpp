// SPDX-License-Identifier: MIT
#pragma once

// What the types do, one call after the other. A call whose answer is unknown is one that its
// process was killed in: it may have done anything that such a call does.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "linearizability/call.hpp"

namespace shoal_test {

inline bool is_pending(const Call& call) { return call.answer == Answer::unknown; }
inline bool may_be(const Call& call, Answer answer) {
  return is_pending(call) || call.answer == answer;
}

// First in, first out. `strict`: a call that does not wait finds the queue full, or empty, only where
// it is; otherwise also while another one is at work, as the header says. Who is killed pushing may
// leave a hole, which takes the room of an item until all before it have been popped. Of bulk calls
// it knows the parts: see parts_of().
struct QueueModel {
  using Operation = Call;
  struct State {
    std::array<std::int64_t, 16> items{};
    std::int32_t size = 0;
    std::int32_t closed = 0;
  };

  std::int32_t capacity = 16;
  bool strict = true;

  [[nodiscard]] State initial() const { return {}; }

  template <class Then>
  bool apply(const State& state, const Recorded<Call>& one, Then then) const {
    const Call& call = one.operation;
    const bool excused = !strict && one.contended;
    const bool empty = state.size == 0;
    State next = state;
    switch (call.verb) {
      case Verb::push:
        if (call.answer == Answer::closed) return state.closed != 0 && then(state);
        if (call.answer == Answer::stopped && state.closed != 0) return then(state);
        if (may_be(call, Answer::done) && state.closed == 0 && state.size < capacity)
          return then(with(state, call.given[0])) ||
                 (is_pending(call) && state.size > 0 && then(with(state, kHole)));
        return is_refusal(call) && (state.size == capacity || excused) && then(state);
      case Verb::pop:
        if (call.answer == Answer::closed) return empty && state.closed != 0 && then(state);
        if (call.answer == Answer::stopped && empty) return then(state);
        if (may_be(call, Answer::done) && !empty && is_told(call, state.items[0])) {
          do pop_front(next);
          while (next.size > 0 && next.items[0] == kHole);
          return then(next);
        }
        return is_refusal(call) && ((empty && state.closed == 0) || excused) && then(state);
      case Verb::close:
        next.closed = 1;
        return then(next);
      case Verb::look:
        return may_be(call, state.closed != 0 ? Answer::done : Answer::refused) && then(state);
      case Verb::die:
        return then(state);
      default:
        return false;
    }
  }

 private:
  static constexpr std::int64_t kHole = -1;

  static State with(State state, std::int64_t item) {
    state.items[static_cast<std::size_t>(state.size++)] = item;
    return state;
  }
  static void pop_front(State& state) {
    std::rotate(state.items.begin(), state.items.begin() + 1, state.items.end());
    state.items[static_cast<std::size_t>(--state.size)] = 0;
  }
  static bool is_refusal(const Call& call) {
    return call.answer == Answer::refused || call.answer == Answer::stopped;
  }
  static bool is_told(const Call& call, std::int64_t value) {
    return is_pending(call) || call.returned[0] == value;
  }
};

// A history whose bulk calls are taken apart: others may come in between of what they push and pop.
inline std::vector<Recorded<Call>> parts_of(History history) {
  std::vector<Recorded<Call>> parts;
  for (const Recorded<Call>& one : history) {
    const bool pushes = one.operation.verb == Verb::push_some;
    if (!pushes && one.operation.verb != Verb::pop_some) {
      parts.push_back(one);
      continue;
    }
    const std::int32_t count = one.operation.count;
    for (std::int32_t i = 0; i < 2; ++i) {
      if (!one.pending && i > count) break;
      Recorded<Call> part = one;
      part.operation.verb = pushes ? Verb::push : Verb::pop;
      part.operation.given[0] = one.operation.given[static_cast<std::size_t>(i)];
      part.operation.returned[0] = one.operation.returned[static_cast<std::size_t>(i)];
      if (!one.pending && one.operation.answer != Answer::closed)
        part.operation.answer = i < count ? Answer::done
                                : i == 0  ? Answer::refused
                                          : Answer::stopped;
      if (i > 0) part.after = parts.size() - 1;
      parts.push_back(part);
    }
  }
  return parts;
}

// One number.
struct ValueModel {
  using Operation = Call;
  using State = std::int64_t;

  [[nodiscard]] State initial() const { return 0; }

  static constexpr std::int64_t updated(std::int64_t value) { return (3 * value + 1) % 1000; }

  template <class Then>
  bool apply(const State& state, const Recorded<Call>& one, Then then) const {
    const Call& call = one.operation;
    const bool told = is_pending(call) || call.returned[0] == state;
    switch (call.verb) {
      case Verb::load:
        return told && then(state);
      case Verb::store:
        return then(call.given[0]);
      case Verb::exchange:
        return told && then(call.given[0]);
      case Verb::compare_exchange: {
        const bool same = state == call.given[1];
        if (!may_be(call, same ? Answer::done : Answer::refused)) return false;
        return (same || told) && then(same ? call.given[0] : state);
      }
      case Verb::fetch_add:
        return told && then(state + call.given[0]);
      case Verb::update:
        return told && then(updated(state));
      case Verb::die:
        return then(state);
      default:
        return false;
    }
  }
};

// A lock of processes; `recursive`: its holder may take it again.
struct LockModel {
  using Operation = Call;
  struct State {
    std::int32_t holder = 0;  // 0: nobody; process + 1; kAbandoned
    std::int32_t depth = 0;
    std::int64_t dead = 0;  // process + 1
  };
  static constexpr std::int32_t kAbandoned = -1;

  bool recursive = false;

  [[nodiscard]] State initial() const { return {}; }

  template <class Then>
  bool apply(const State& state, const Recorded<Call>& one, Then then) const {
    const Call& call = one.operation;
    const std::int32_t me = call.by + 1;
    const bool mine = state.holder == me;
    if (state.dead == me) return false;
    switch (call.verb) {
      case Verb::lock:
        return lock(state, call, then);
      case Verb::unlock:
        if (!may_be(call, mine ? Answer::done : Answer::not_owner)) return false;
        return then(mine ? held(state.depth > 1 ? me : 0, state.depth - 1, state) : state);
      case Verb::look:
        return may_be(call, state.holder != 0 ? Answer::done : Answer::refused) && then(state);
      case Verb::die: {
        State next = mine ? held(kAbandoned, 0, state) : state;
        next.dead = me;
        return then(next);
      }
      default:
        return false;
    }
  }

 private:
  static State held(std::int32_t holder, std::int32_t depth, const State& before) {
    return {holder, depth, before.dead};
  }
  template <class Then>
  bool lock(const State& state, const Call& call, Then then) const {
    const std::int32_t me = call.by + 1;
    if (state.holder == kAbandoned) return may_be(call, Answer::owner_died) && then(state);
    if (state.holder == 0 || (recursive && state.holder == me))
      return may_be(call, Answer::done) && then(held(me, state.depth + 1, state));
    return may_be(call, Answer::refused) && then(state);
  }
};

// `bounded`: permits belong to who acquired them, and come back when it dies.
struct SemaphoreModel {
  using Operation = Call;
  struct State {
    std::int32_t count = 0;
    std::int32_t dead = 0;
    std::array<std::int32_t, 4> held{};
  };

  std::int32_t permits = 2;
  bool bounded = false;

  [[nodiscard]] State initial() const { return {permits, 0, {}}; }

  template <class Then>
  bool apply(const State& state, const Recorded<Call>& one, Then then) const {
    const Call& call = one.operation;
    const auto me = static_cast<std::size_t>(call.by);
    if (state.dead == call.by + 1) return false;
    State next = state;
    switch (call.verb) {
      case Verb::acquire:
        if (state.count == 0) return may_be(call, Answer::refused) && then(state);
        --next.count;
        next.held[me] += bounded ? 1 : 0;
        return may_be(call, Answer::done) && then(next);
      case Verb::release: {
        const auto n = static_cast<std::int32_t>(call.given[0]);
        if (bounded && state.held[me] < n) return may_be(call, Answer::not_owner) && then(state);
        next.count += n;
        next.held[me] -= bounded ? n : 0;
        return may_be(call, Answer::done) && then(next);
      }
      case Verb::look:
        return (is_pending(call) || call.returned[0] == state.count) && then(state);
      case Verb::die:
        next.count += next.held[me];
        next.held[me] = 0;
        next.dead = call.by + 1;
        return then(next);
      default:
        return false;
    }
  }
};

struct EventModel {
  using Operation = Call;
  using State = std::int64_t;  // set or not

  [[nodiscard]] State initial() const { return 0; }

  template <class Then>
  bool apply(const State& state, const Recorded<Call>& one, Then then) const {
    switch (one.operation.verb) {
      case Verb::set:
        return then(1);
      case Verb::clear:
        return then(0);
      case Verb::look:
      case Verb::wait:
        return may_be(one.operation, state != 0 ? Answer::done : Answer::refused) && then(state);
      default:
        return false;
    }
  }
};

}  // namespace shoal_test
