// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "shoal/codec.hpp"
#include "shoal/detail/deadline.hpp"
#include "shoal/detail/queue_handle.hpp"
#include "shoal/error.hpp"
#include "shoal/open.hpp"
#include "shoal/segment.hpp"
#include "shoal/shareable.hpp"
#include "shoal/type_name.hpp"

namespace shoal {

class Waitable;

namespace detail {

template <class T>
constexpr QueueItem queue_item() {
  if constexpr (Shareable<T>)
    return {TypeName<T>::value, sizeof(T), alignof(T)};
  else
    return {TypeName<T>::value, 0, 1};
}

// Room in a queue that is this process's while it lives.
class RoomHolder {
 public:
  RoomHolder(RoomHolder&& other) noexcept
      : queue_(std::move(other.queue_)), room_(std::exchange(other.room_, std::nullopt)) {}
  RoomHolder& operator=(RoomHolder&& other) noexcept {
    std::swap(queue_, other.queue_);
    std::swap(room_, other.room_);
    return *this;
  }
  ~RoomHolder() {
    if (room_) queue_.give_back(*room_);
  }

 protected:
  RoomHolder(const QueueHandle& queue, const QueueHandle::Room& room)
      : queue_(queue), room_(room) {}

  QueueHandle queue_;
  std::optional<QueueHandle::Room> room_;
};

}  // namespace detail

template <class T>
class Queue;

// Room for one item, to be written in place and pushed. Its bytes are whatever was there before. It
// takes the room of an item; if it is not pushed, the room comes back with it.
template <class T>
class Loan : public detail::RoomHolder {
  static_assert(Shareable<T>);

 public:
  // Declared, so that {} is no Loan: push({}) pushes a T.
  Loan(Loan&& other) noexcept = default;
  Loan& operator=(Loan&& other) noexcept = default;
  [[nodiscard]] T& operator*() const { return *static_cast<T*>(room_->at); }
  [[nodiscard]] T* operator->() const { return &**this; }

 private:
  friend class Queue<T>;
  using detail::RoomHolder::RoomHolder;
};

// An item that has been popped, to be read in place. Its room comes back with it.
template <class T>
class Taken : public detail::RoomHolder {
  static_assert(Shareable<T>);

 public:
  [[nodiscard]] const T& operator*() const { return *static_cast<const T*>(room_->at); }
  [[nodiscard]] const T* operator->() const { return &**this; }

 private:
  friend class Queue<T>;
  using detail::RoomHolder::RoomHolder;
};

// A Queue hands items from any number of producers to any number of consumers, first in, first out.
//
//   shoal::Queue<int> queue(segment, "jobs", 100);
//   queue.push(7);                              // waits while it is full
//   while (true) work_on(queue.pop());          // waits while it is empty; Closed: no more to come
//
// An item is whatever is Shareable, or has a Codec: std::string, vector, pair, tuple, optional,
// variant and what they are made of. Items of one producer stay in order; each item is popped once.
//
// A call that does not wait may find the queue full, or empty, while another process is in the
// middle of a pop, or a push.
//
// Death: a process killed inside push() leaves the item in the queue, or not; inside pop() the item
// of that call is lost, or still there, and never comes twice. Order and capacity are kept, and
// nobody waits for the dead; but where a push was killed the item's place is taken until those before
// it have been popped. The room of a Loan or Taken of a dead process comes back.
//
// Memory ordering: everything done before an item was pushed is visible to who popped it.
//
// Bounded queue after Dmitry Vyukov (2010), with intents.
template <class T>
class Queue {
  static_assert(Shareable<T> || Transferable<T>,
                "an item is Shareable (bytes without pointers), or has a shoal::Codec");

 public:
  // Capacity is 1 to 2^31 items, 1024 where nothing is said. Throws as the constructor of Lock;
  // TypeMismatch also where the queue has another capacity than is given here.
  Queue(const Segment& segment, std::string_view name, QueueOptions options = {},
        Open open = Open::or_create)
      : Queue(segment, name, detail::Kind::queue, options, open) {}
  Queue(const Segment& segment, std::string_view name, std::size_t capacity,
        Open open = Open::or_create)
      : Queue(segment, name, QueueOptions{.capacity = capacity}, open) {}
  Queue(const Segment& segment, std::string_view name, Open open)
      : Queue(segment, name, QueueOptions{}, open) {}

  // Waits for room. Throws Closed; ItemTooLarge where an item of varying size is larger than all the
  // room there is. The item is not in the queue then.
  void push(const T& item) const { push_by(item, detail::kForever); }
  // False where the queue is full.
  [[nodiscard]] bool try_push(const T& item) const { return push_by(item, detail::kDoNotWait); }
  // False when the time is over. Zero, negative and NaN: as try_push().
  template <class Rep, class Period>
  [[nodiscard]] bool push_for(const T& item, std::chrono::duration<Rep, Period> wait) const {
    return try_push_at_once(item) || push_slowly(item, detail::deadline_after(wait));
  }
  template <class Duration>
  [[nodiscard]] bool push_until(
      const T& item, std::chrono::time_point<std::chrono::steady_clock, Duration> time) const {
    return try_push_at_once(item) || push_slowly(item, detail::deadline_at(time));
  }

  // Waits for an item. Throws Closed once the queue is closed and empty; Corrupted where the item
  // cannot be what was pushed; std::bad_alloc where this process has no memory for it. Then the item
  // is gone, and its room is free: an item has to be popped before it is known what it takes.
  T pop() const { return *pop_by(detail::kForever); }
  // Nothing where the queue is empty. Throws as pop().
  [[nodiscard]] std::optional<T> try_pop() const { return pop_by(detail::kDoNotWait); }
  // Nothing when the time is over.
  template <class Rep, class Period>
  [[nodiscard]] std::optional<T> pop_for(std::chrono::duration<Rep, Period> wait) const {
    return pop_by(detail::deadline_after(wait));
  }
  template <class Duration>
  [[nodiscard]] std::optional<T> pop_until(
      std::chrono::time_point<std::chrono::steady_clock, Duration> time) const {
    return pop_by(detail::deadline_at(time));
  }

  // As many as there is room for, the first ones, in order; how many. Small items go in one step as a
  // rule; in several, with others' items in between, where room comes free meanwhile, is lent, or was
  // left by the dead; one by one, where they are large or varying, or the kernel refuses membarrier. A
  // process that dies in there leaves what it has pushed in whole steps.
  std::size_t try_push_some(std::span<const T> items) const;
  // As many as there are, in order; others may pop in between, likewise. What a process that dies in
  // there had popped is lost.
  std::size_t try_pop_some(std::span<T> items) const;

  // Room for an item, to be written in place: waits for it. Throws Closed.
  [[nodiscard]] Loan<T> loan() const requires Shareable<T> {
    return Loan<T>(handle_, *handle_.loan(detail::kForever));
  }
  // Nothing where the queue is full.
  [[nodiscard]] std::optional<Loan<T>> try_loan() const requires Shareable<T> {
    const auto room = handle_.loan(detail::kDoNotWait);
    if (!room) return std::nullopt;
    return Loan<T>(handle_, *room);
  }
  // Requires: the loan is this queue's. Waits for a pop where push() at the same moment as loan() has
  // taken its room. Throws Closed; the loan is as before then.
  void push(Loan<T>&& loan) const requires Shareable<T> {
    handle_.push_loaned(*loan.room_, detail::kForever);
    loan.room_.reset();
  }

  // As pop(), without a copy: the room of the item is taken until it goes.
  [[nodiscard]] Taken<T> take() const requires Shareable<T> {
    return Taken<T>(handle_, *handle_.take(detail::kForever));
  }
  [[nodiscard]] std::optional<Taken<T>> try_take() const requires Shareable<T> {
    const auto room = handle_.take(detail::kDoNotWait);
    if (!room) return std::nullopt;
    return Taken<T>(handle_, *room);
  }

  // A look, no more: it may have changed by now. size() counts the items one by one.
  [[nodiscard]] std::size_t size() const { return handle_.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] bool full() const { return handle_.full(); }
  [[nodiscard]] std::size_t capacity() const { return handle_.capacity(); }
  [[nodiscard]] int waiting() const { return handle_.waiting(); }

  // For good: every push is wholly before or after it. All who wait wake up; push() throws Closed;
  // pop() goes on until the queue is empty, and then throws it too.
  void close() const { handle_.close(); }
  [[nodiscard]] bool closed() const { return handle_.closed(); }

 protected:
  Queue(const Segment& segment, std::string_view name, detail::Kind kind,
        const QueueOptions& options, Open open)
      : handle_(segment, name, kind, kItem, options, open),
        is_plain_(kind == detail::Kind::queue) {}

  [[nodiscard]] const detail::QueueHandle& handle() const { return handle_; }

 private:
  friend class Waitable;
  [[nodiscard]] std::shared_ptr<detail::Watch> watch() const { return detail::watch_of(handle_); }

  static constexpr detail::QueueItem kItem = detail::queue_item<T>();

  bool try_push_at_once(const T& item) const {
    if constexpr (kItem.is_inline())
      return handle_.push_at_once(item);
    else
      return false;
  }
  bool push_by(const T& item, detail::Deadline deadline) const {
    return try_push_at_once(item) || push_slowly(item, deadline);
  }
  bool push_slowly(const T& item, detail::Deadline deadline) const;
  std::optional<T> pop_by(detail::Deadline deadline) const;
  std::optional<T> pop_slowly(detail::Deadline deadline) const;

  detail::QueueHandle handle_;
  bool is_plain_;  // and keeps no account of who popped what
};

template <class T>
bool Queue<T>::push_slowly(const T& item, detail::Deadline deadline) const {
  if constexpr (kItem.is_inline()) {
    return handle_.push(&item, deadline);
  } else if constexpr (Shareable<T>) {
    const auto room = handle_.loan(deadline);
    if (!room) return false;
    Loan<T> loan(handle_, *room);
    *loan = item;
    if (!handle_.push_loaned(*room, deadline)) return false;
    loan.room_.reset();
    return true;
  } else {
    detail::ItemBytes bytes;
    detail::encode(item, *bytes);
    return handle_.push_bytes(*bytes, deadline);
  }
}

template <class T>
std::optional<T> Queue<T>::pop_by(detail::Deadline deadline) const {
  if constexpr (kItem.is_inline()) {
    std::array<std::byte, sizeof(T)> bytes;
    if (is_plain_ && handle_.pop_at_once(bytes)) return std::bit_cast<T>(bytes);
  }
  return pop_slowly(deadline);
}

template <class T>
std::optional<T> Queue<T>::pop_slowly(detail::Deadline deadline) const {
  if constexpr (kItem.is_inline()) {
    std::array<std::byte, sizeof(T)> bytes;
    if (!handle_.pop(&bytes, deadline)) return std::nullopt;
    return std::bit_cast<T>(bytes);
  } else if constexpr (Shareable<T>) {
    const auto room = handle_.take(deadline);
    if (!room) return std::nullopt;
    return *Taken<T>(handle_, *room);
  } else {
    detail::ItemBytes bytes;
    if (!handle_.pop_bytes(*bytes, deadline)) return std::nullopt;
    return detail::decoded<T>(*bytes);
  }
}

// Where nothing goes at once, the slow path mends what is in the way, or knows why.
template <class T>
std::size_t Queue<T>::try_push_some(std::span<const T> items) const {
  std::size_t done = 0;
  while (done < items.size()) {
    if constexpr (kItem.is_inline()) {
      done += handle_.template push_some_at_once<T>(items.subspan(done));
      if (done == items.size()) break;
    }
    try {
      if (!push_slowly(items[done], detail::kDoNotWait)) break;
    } catch (...) {  // Closed, ItemTooLarge: the next call will meet it too
      if (done == 0) throw;
      break;
    }
    ++done;
  }
  return done;
}

template <class T>
std::size_t Queue<T>::try_pop_some(std::span<T> items) const {
  std::size_t done = 0;
  while (done < items.size()) {
    if constexpr (kItem.is_inline()) {
      if (is_plain_) done += handle_.pop_some_at_once(items.subspan(done));
      if (done == items.size()) break;
    }
    try {
      std::optional<T> item = pop_slowly(detail::kDoNotWait);
      if (!item) break;
      items[done++] = std::move(*item);
    } catch (const Closed&) {
      if (done == 0) throw;
      break;
    }
  }
  return done;
}

// A JoinableQueue is a Queue that knows when all its items have been dealt with:
//
//   jobs.push(job);  ...  jobs.join();                            // here
//   while (true) { work_on(jobs.pop()); jobs.task_done(); }       // there, in other processes
//
// Death: what a process had popped, and not called task_done() for, counts as done, and in lost().
template <class T>
class JoinableQueue : public Queue<T> {
 public:
  JoinableQueue(const Segment& segment, std::string_view name, QueueOptions options = {},
                Open open = Open::or_create)
      : Queue<T>(segment, name, detail::Kind::joinable_queue, options, open) {}
  JoinableQueue(const Segment& segment, std::string_view name, std::size_t capacity,
                Open open = Open::or_create)
      : JoinableQueue(segment, name, QueueOptions{.capacity = capacity}, open) {}
  JoinableQueue(const Segment& segment, std::string_view name, Open open)
      : JoinableQueue(segment, name, QueueOptions{}, open) {}

  // For each item that this process has popped, by any of its threads. Throws std::logic_error where
  // it has done with all of them.
  void task_done() const { this->handle().task_done(); }
  // Waits until all items that have been pushed are popped and done.
  void join() const { this->handle().join(detail::kForever); }
  // False when the time is over.
  template <class Rep, class Period>
  [[nodiscard]] bool join_for(std::chrono::duration<Rep, Period> wait) const {
    return this->handle().join(detail::deadline_after(wait));
  }
  // How many items died with the processes that had popped them.
  [[nodiscard]] std::size_t lost() const { return this->handle().lost(); }
};

}  // namespace shoal
