// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "shoal/detail/deadline.hpp"
#include "shoal/detail/watch.hpp"

namespace shoal {

class BoundedSemaphore;
class Connection;
class Event;
class Lock;
class Process;
template <class T>
class Queue;
class RLock;
class Semaphore;
class Waitable;

namespace detail {
std::optional<std::size_t> wait_any_until(std::span<const Waitable> objects, Deadline deadline);
}

// Something that wait_any() can wait for: made of a handle, where one is given.
//
//   handle                          is ready when
//   Lock, RLock                     it is free, or abandoned
//   Semaphore, BoundedSemaphore     it has a permit
//   Event                           it is set; a set() that clear() follows may be missed
//   Queue, JoinableQueue            pop() would return or throw: an item; closed
//   Connection                      recv() would return or throw: a message, the end of the stream
//   Process                         it has ended; seen within 10 ms
class Waitable {
 public:
  Waitable(const Lock& lock);                   // NOLINT: all of these are implicit
  Waitable(const RLock& lock);                  // NOLINT
  Waitable(const Semaphore& semaphore);         // NOLINT
  Waitable(const BoundedSemaphore& semaphore);  // NOLINT
  Waitable(const Event& event);                 // NOLINT
  template <class T>
  Waitable(const Queue<T>& queue) : watch_(queue.watch()) {}  // NOLINT
  Waitable(const Connection& connection);                     // NOLINT
  Waitable(const Process& process);                           // NOLINT
  explicit Waitable(std::shared_ptr<detail::Watch> watch) : watch_(std::move(watch)) {}

 private:
  friend std::optional<std::size_t> detail::wait_any_until(std::span<const Waitable>,
                                                           detail::Deadline);
  std::shared_ptr<detail::Watch> watch_;
};

// Waits until one of several objects looks ready, and returns its place among them, the lowest:
//
//   switch (shoal::wait_any({stop, connection})) {
//     case 0: return;
//     case 1: answer(connection.recv<Question>());
//   }
//
// That is a hint: nothing has been taken, and others may be quicker. Takes 1 to 100 objects, of any
// segments; else throws std::invalid_argument.
//
// Death: who is killed waiting leaves nothing behind; a wake-up that it has had goes to another
// within 100 ms, as everywhere.
inline std::size_t wait_any(std::span<const Waitable> objects) {
  return *detail::wait_any_until(objects, detail::kForever);
}
inline std::size_t wait_any(std::initializer_list<Waitable> objects) {
  return wait_any(std::span<const Waitable>(objects.begin(), objects.size()));
}
// Nothing where none was ready in time. Zero, negative and NaN: do not wait.
template <class Rep, class Period>
[[nodiscard]] std::optional<std::size_t> wait_any(std::span<const Waitable> objects,
                                                  std::chrono::duration<Rep, Period> wait) {
  return detail::wait_any_until(objects, detail::deadline_after(wait));
}
template <class Rep, class Period>
[[nodiscard]] std::optional<std::size_t> wait_any(std::initializer_list<Waitable> objects,
                                                  std::chrono::duration<Rep, Period> wait) {
  return wait_any(std::span<const Waitable>(objects.begin(), objects.size()), wait);
}

}  // namespace shoal
