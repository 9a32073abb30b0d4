// SPDX-License-Identifier: MIT

// shoal's own queues, under the oracle of queue_subject.hpp.

#include "shoal/queue.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "catalogue.hpp"
#include "queue_subject.hpp"
#include "random.hpp"
#include "shoal/segment.hpp"

namespace shoal::stress {
namespace {

using Number = std::uint64_t;

// A number, as it is in a queue of T: itself, or a text of up to 256 bytes that follows from it.
template <class T>
T wrapped(Number number) {
  return number;
}
template <>
std::string wrapped(Number number) {
  constexpr std::size_t kMostWords = 32;
  Random random(number);
  std::string text;
  for (std::size_t words = random.below(kMostWords); words > 0; --words) {
    const Number word = random();
    text.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return text.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::optional<Number> unwrapped(Number number) { return number; }
// Nothing where it is not as it was.
std::optional<Number> unwrapped(const std::string& text) {
  Number number = 0;
  if (text.size() < sizeof number) return std::nullopt;
  text.copy(reinterpret_cast<char*>(&number), sizeof number, text.size() - sizeof number);
  if (text != wrapped<std::string>(number)) return std::nullopt;
  return number;
}

template <class Q, class T>
class SegmentQueue : public QueueSubject {
  // Room for all of them at their largest: else many small ones could keep a large one waiting.
  static constexpr QueueOptions kOptions{.capacity = 64, .bytes = 64 << 10};

  void set_up_queue(void*) override { queue_.emplace(Segment::anonymous(), "queue", kOptions); }

  // By each of the ways there are; those that may fail are tried once.
  bool push(Participant& me, Item item) override {
    const T value = wrapped<T>(item);
    const std::uint64_t choice = me.random() % 16;
    try {
      if (choice == 0 && queue_->try_push(value)) return true;
      if (choice == 1 && queue_->push_for(value, std::chrono::microseconds(100))) return true;
      queue_->push(value);
      return true;
    } catch (const Closed&) {
      return false;
    }
  }
  std::optional<Item> pop(Participant& me) override {
    try {
      return done_with(pop_value(me.random() % 16));
    } catch (const Closed&) {
      return std::nullopt;
    }
  }
  T pop_value(std::uint64_t choice) const {
    std::optional<T> value;
    if (choice == 0) value = queue_->try_pop();
    if (choice == 1) value = queue_->pop_for(std::chrono::microseconds(100));
    return value ? *value : queue_->pop();
  }
  Item done_with(const T& value) const {
    if constexpr (kIsJoinable) queue_->task_done();
    return unwrapped(value).value_or(kTorn);
  }

  void release() override { queue_->close(); }
  std::optional<Item> try_pop() override {
    try {
      const std::optional<T> value = queue_->try_pop();
      if (!value) return std::nullopt;
      return done_with(*value);
    } catch (const Closed&) {
      return std::nullopt;
    }
  }
  // Of a JoinableQueue: all is done, and what was lost had been popped by a dead one.
  [[nodiscard]] std::string check_queue(std::uint64_t consumer_kills) override {
    if constexpr (kIsJoinable) {
      if (!queue_->join_for(std::chrono::seconds(10))) return "all is popped, and join() waits";
      if (queue_->lost() > consumer_kills)
        return "lost() is " + std::to_string(queue_->lost()) + ", and " +
               std::to_string(consumer_kills) + " consumers were killed";
    }
    return {};
  }

  static constexpr bool kIsJoinable = std::is_same_v<Q, JoinableQueue<T>>;
  std::optional<Q> queue_;
};

template <class Q, class T>
std::unique_ptr<Subject> make() {
  return std::make_unique<SegmentQueue<Q, T>>();
}

}  // namespace

void add_queues(std::vector<Entry>& entries) {
  entries.push_back({.name = "queue",
                     .about = "shoal::Queue: each item once, in order, and none is lost",
                     .make = make<Queue<Number>, Number>,
                     .least_processes = 2});
  entries.push_back({.name = "queue-of-strings",
                     .about = "the same with items of varying size, whose bytes must be intact",
                     .make = make<Queue<std::string>, std::string>,
                     .least_processes = 2});
  entries.push_back({.name = "joinable-queue",
                     .about = "shoal::JoinableQueue: the same, and join() knows when all is done",
                     .make = make<JoinableQueue<Number>, Number>,
                     .least_processes = 2});
}

}  // namespace shoal::stress
