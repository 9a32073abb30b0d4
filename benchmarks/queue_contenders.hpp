// SPDX-License-Identifier: MIT
#pragma once

// What can take part in the benchmarks of queues, as far as it lies in memory; what goes through
// the kernel or another library is in queue_peers.hpp. A contender is a class template with
//
//   Contender(const Place& place, bool first);   first: makes it. Else finds it: it has been made
//   void push(const Item& item);                 waits while it is full
//   Item pop();                                  waits while it is empty
//   static void remove(const Place& place);      optional: takes away what has a name
//
// and a line in queue_bench.cpp.

#include <array>
#include <atomic>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <thread>

#include "harness.hpp"
#include "shoal/queue.hpp"
#include "shoal/segment.hpp"

namespace bench {

constexpr std::size_t kCapacity = 1024;
constexpr std::uint64_t kEnd = ~std::uint64_t{0};  // no item: its consumer has done its work

// The first word and the last are the item's number; those between are whatever they are.
template <std::size_t kBytes>
struct Item {
  std::array<std::uint64_t, kBytes / sizeof(std::uint64_t)> words;
};

template <class Item>
class ShoalQueue {
 public:
  ShoalQueue(const Place& place, bool) : queue_(shoal::Segment(place.name), "queue", kCapacity) {}
  void push(const Item& item) { queue_.push(item); }
  Item pop() { return queue_.pop(); }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  shoal::Queue<Item> queue_;
};

// The bare ring (Dmitry Vyukov, "Bounded MPMC queue", 2010). It cannot sleep, and a process that
// dies inside wedges it.
enum class Spin { only, and_yield };
template <class Item, Spin spin>
class BareRing {
 public:
  BareRing(const Place& place, bool first) : ring_(*static_cast<Ring*>(place.memory)) {
    for (std::uint64_t i = 0; first && i < kCapacity; ++i) ring_.cells[i].turn.store(i);
  }
  void push(const Item& item) {
    const auto [cell, position] = claim(ring_.tail, 0);
    cell->item = item;
    cell->turn.store(position + 1, std::memory_order_release);
  }
  Item pop() {
    const auto [cell, position] = claim(ring_.head, 1);
    const Item item = cell->item;
    cell->turn.store(position + kCapacity, std::memory_order_release);
    return item;
  }

 private:
  struct Cell {
    std::atomic<std::uint64_t> turn;
    Item item;
  };
  struct Ring {
    alignas(64) std::atomic<std::uint64_t> tail;
    alignas(64) std::atomic<std::uint64_t> head;
    alignas(64) Cell cells[kCapacity];
  };
  static_assert(sizeof(Ring) <= Place::kBytes / 2);
  struct Claim {
    Cell* cell;
    std::uint64_t position;
  };

  Claim claim(std::atomic<std::uint64_t>& end, std::uint64_t ahead) {
    std::uint64_t position = end.load(std::memory_order_relaxed);
    for (int looks = 1;;) {
      Cell& cell = ring_.cells[position % kCapacity];
      const std::uint64_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == position + ahead) {
        if (end.compare_exchange_weak(position, position + 1, std::memory_order_relaxed))
          return {&cell, position};
        continue;
      }
      if (turn < position + ahead) wait(looks++);
      position = end.load(std::memory_order_relaxed);
    }
  }
  static void wait(int looks) {
    if (spin == Spin::and_yield && looks % 64 == 0) std::this_thread::yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  Ring& ring_;
};
template <class Item>
using SpinningRing = BareRing<Item, Spin::only>;
template <class Item>
using YieldingRing = BareRing<Item, Spin::and_yield>;

// A queue of Boost.Lockfree, of fixed size, as it must be in shared memory. It cannot sleep.
template <class Item, class Queue>
class BoostLockfree {
 public:
  BoostLockfree(const Place& place, bool first)
      : queue_(first ? *new (place.memory) Queue : *static_cast<Queue*>(place.memory)) {
    static_assert(sizeof(Queue) <= Place::kBytes / 2);
  }
  void push(const Item& item) {
    spin_until([&] { return queue_.push(item); });
  }
  Item pop() {
    Item item;
    spin_until([&] { return queue_.pop(item); });
    return item;
  }

 private:
  Queue& queue_;
};
// A process that dies inside takes a node with it.
template <class Item>
using BoostQueue =
    BoostLockfree<Item, boost::lockfree::queue<Item, boost::lockfree::capacity<kCapacity>>>;
// For one producer and one consumer.
template <class Item>
using BoostSpscQueue =
    BoostLockfree<Item, boost::lockfree::spsc_queue<Item, boost::lockfree::capacity<kCapacity>>>;

template <class Item>
class BoostMessageQueue {
 public:
  BoostMessageQueue(const Place& place, bool first)
      : queue_(first ? new Queue(boost::interprocess::create_only, place.name.c_str(), kCapacity,
                                 sizeof(Item))
                     : new Queue(boost::interprocess::open_only, place.name.c_str())) {}
  void push(const Item& item) { queue_->send(&item, sizeof item, 0); }
  Item pop() {
    Item item;
    Queue::size_type size = 0;
    unsigned priority = 0;
    queue_->receive(&item, sizeof item, size, priority);
    return item;
  }
  static void remove(const Place& place) { Queue::remove(place.name.c_str()); }

 private:
  using Queue = boost::interprocess::message_queue;
  std::unique_ptr<Queue> queue_;
};

}  // namespace bench
