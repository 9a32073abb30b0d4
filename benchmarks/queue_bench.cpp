// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/lockfree/queue.hpp>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "shoal/queue.hpp"
#include "shoal/segment.hpp"

namespace bench {
namespace {

namespace bip = boost::interprocess;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kCapacity = 1024;

// What can take part: a class with push(item), pop(), and what lock_contenders.hpp says of making
// and removing one.

class ShoalQueue {
 public:
  ShoalQueue(const Place& place, bool) : queue_(shoal::Segment(place.name), "queue", kCapacity) {}
  void push(std::uint64_t item) { queue_.push(item); }
  std::uint64_t pop() { return queue_.pop(); }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  shoal::Queue<std::uint64_t> queue_;
};

// The bare ring (Dmitry Vyukov, "Bounded MPMC queue", 2010). It cannot sleep, and a process that
// dies inside wedges it.
enum class Spin { only, and_yield };
template <Spin spin>
class BareRing {
 public:
  BareRing(const Place& place, bool first) : ring_(*static_cast<Ring*>(place.memory)) {
    for (std::uint64_t i = 0; first && i < kCapacity; ++i) ring_.cells[i].turn.store(i);
  }
  void push(std::uint64_t item) {
    const auto [cell, position] = claim(ring_.tail, 0);
    cell->item = item;
    cell->turn.store(position + 1, std::memory_order_release);
  }
  std::uint64_t pop() {
    const auto [cell, position] = claim(ring_.head, 1);
    const std::uint64_t item = cell->item;
    cell->turn.store(position + kCapacity, std::memory_order_release);
    return item;
  }

 private:
  struct Cell {
    std::atomic<std::uint64_t> turn;
    std::uint64_t item;
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

// Of fixed size, as it must be in shared memory. It cannot sleep; a process that dies inside takes a
// node with it.
class BoostLockfree {
 public:
  BoostLockfree(const Place& place, bool first) {
    if (first) {
      bip::shared_memory_object made(bip::create_only, place.name.c_str(), bip::read_write);
      made.truncate(sizeof(Queue));
    }
    const bip::shared_memory_object memory(bip::open_only, place.name.c_str(), bip::read_write);
    region_ = bip::mapped_region(memory, bip::read_write);
    queue_ = first ? new (region_.get_address()) Queue : static_cast<Queue*>(region_.get_address());
  }
  void push(std::uint64_t item) {
    spin_until([&] { return queue_->bounded_push(item); });
  }
  std::uint64_t pop() {
    std::uint64_t item = 0;
    spin_until([&] { return queue_->pop(item); });
    return item;
  }
  static void remove(const Place& place) { bip::shared_memory_object::remove(place.name.c_str()); }

 private:
  using Queue = boost::lockfree::queue<std::uint64_t, boost::lockfree::capacity<kCapacity>>;
  bip::mapped_region region_;
  Queue* queue_ = nullptr;
};

class BoostMessageQueue {
 public:
  BoostMessageQueue(const Place& place, bool first)
      : queue_(first ? new bip::message_queue(bip::create_only, place.name.c_str(), kCapacity,
                                              sizeof(std::uint64_t))
                     : new bip::message_queue(bip::open_only, place.name.c_str())) {}
  void push(std::uint64_t item) { queue_->send(&item, sizeof item, 0); }
  std::uint64_t pop() {
    std::uint64_t item = 0;
    bip::message_queue::size_type size = 0;
    unsigned priority = 0;
    queue_->receive(&item, sizeof item, size, priority);
    return item;
  }
  static void remove(const Place& place) { bip::message_queue::remove(place.name.c_str()); }

 private:
  std::unique_ptr<bip::message_queue> queue_;
};

// A FIFO with a name: pipe(2) for processes that were started independently.
class PipeOfTheKernel {
 public:
  PipeOfTheKernel(const Place& place, bool first)
      : path_(path(place)), file_((make(path_, first), ::open(path_.c_str(), O_RDWR))) {
    if (file_ < 0) throw std::runtime_error("cannot open a FIFO");
    ::fcntl(file_, F_SETPIPE_SZ, 65536);
  }
  PipeOfTheKernel(const PipeOfTheKernel&) = delete;
  PipeOfTheKernel& operator=(const PipeOfTheKernel&) = delete;
  ~PipeOfTheKernel() { ::close(file_); }
  void push(std::uint64_t item) {
    if (::write(file_, &item, sizeof item) != sizeof item) throw std::runtime_error("write failed");
  }
  std::uint64_t pop() {
    std::uint64_t item = 0;
    if (::read(file_, &item, sizeof item) != sizeof item) throw std::runtime_error("read failed");
    return item;
  }
  static void remove(const Place& place) { ::unlink(path(place).c_str()); }

 private:
  static std::string path(const Place& place) { return "/dev/shm/" + place.name + ".fifo"; }
  static void make(const std::string& path, bool first) {
    if (first) ::mkfifo(path.c_str(), 0600);
  }
  std::string path_;
  int file_;
};

struct Sums {
  std::atomic<std::uint64_t> pushed;
  std::atomic<std::uint64_t> popped;
  std::atomic<int> producers;  // that have not finished
};

constexpr std::uint64_t kEnd = ~std::uint64_t{0};  // no item: its consumer has done its work

// Pushes until the time is over. The last producer to finish sends every consumer home.
template <class Queue>
void produce(const Worker& worker, Queue& queue, Sums& sums, int consumers) {
  constexpr int kBatch = 64;
  std::uint64_t item = 0;
  std::uint64_t sum = 0;
  while (!worker.stopped())
    for (int i = 0; i < kBatch; ++i) {
      sum += ++item;
      queue.push(item);
    }
  sums.pushed.fetch_add(sum);
  if (sums.producers.fetch_sub(1) == 1)
    for (int i = 0; i < consumers; ++i) queue.push(kEnd);
}

template <class Queue>
void consume(const Worker& worker, Queue& queue, Sums& sums) {
  std::uint64_t items = 0;
  std::uint64_t sum = 0;
  const auto begin = Clock::now();
  for (std::uint64_t item; (item = queue.pop()) != kEnd; ++items) sum += item;
  worker.report(items, Clock::now() - begin);
  sums.popped.fetch_add(sum);
}

template <class Queue>
Sample pass(int producers, int consumers) {
  const auto work = [=](const Worker& worker, const Place& place) {
    const auto queue = open_together<Queue>(worker, place);
    auto& sums = talk<Sums>(place);
    if (worker.number() == 0) sums.producers.store(producers);
    worker.meet();
    if (worker.number() < producers)
      produce(worker, *queue, sums, consumers);
    else
      consume(worker, *queue, sums);
    worker.meet();
    if (sums.pushed.load() != sums.popped.load())
      throw std::runtime_error("what was popped is not what was pushed");
  };
  const Report report = in_processes(producers + consumers, work, std::chrono::milliseconds(150));
  return {report.ns / static_cast<double>(report.operations), 0, report.broken};
}

// 64 items at a time, or one; 64 are measured as one operation.
enum class Portion { one, many };
template <Portion portion>
Sample pass_sixty_four() {
  constexpr std::size_t kMany = 64;
  const auto work = [](const Worker& worker, const Place& place) {
    const auto queue = [&] {
      if (worker.number() != 0) worker.meet();
      shoal::Queue<std::uint64_t> opened(shoal::Segment(place.name), "queue", kCapacity);
      if (worker.number() == 0) worker.meet();
      return opened;
    }();
    worker.meet();
    if (worker.number() == 0) shoal::Segment::remove(place.name);
    std::array<std::uint64_t, kMany> items{};
    const auto pass_all = [&](auto some, auto single) {
      if (portion == Portion::one)
        for (auto& item : items) single(item);
      else
        for (std::span<std::uint64_t> left(items); !left.empty();) left = left.subspan(some(left));
    };
    std::uint64_t times = 0;
    const auto begin = Clock::now();
    if (worker.number() == 0) {
      for (bool last = false; !last; ++times) {
        last = worker.stopped();
        items.fill(last ? kEnd : times + 1);
        pass_all([&](auto left) { return queue.try_push_some(left); },
                 [&](auto& item) { queue.push(item); });
      }
      return;
    }
    for (; times == 0 || items[0] != kEnd; ++times) {
      pass_all([&](auto left) { return queue.try_pop_some(left); },
               [&](auto& item) { item = queue.pop(); });
      for (const std::uint64_t item : items)
        if (item != times + 1 && item != kEnd) throw std::runtime_error("not what was pushed");
    }
    worker.report(times, Clock::now() - begin);
  };
  const Report report = in_processes(2, work, std::chrono::milliseconds(150));
  return {report.ns / static_cast<double>(report.operations), 0, report.broken};
}

// One process lends room, pushes, takes and gives back: nothing is copied.
template <std::size_t kBytes>
struct Item {
  std::array<std::uint64_t, kBytes / sizeof(std::uint64_t)> words;
};
template <std::size_t kBytes>
Sample lend() {
  return alone([](const Worker& worker, const Place& place) {
    const shoal::Queue<Item<kBytes>> queue(shoal::Segment(place.name), "queue", 4);
    shoal::Segment::remove(place.name);
    std::uint64_t number = 0;
    report_time_of(worker, [&](std::uint64_t n) {
      for (std::uint64_t i = 0; i < n; ++i) {
        auto loan = queue.loan();
        loan->words.front() = loan->words.back() = ++number;
        queue.push(std::move(loan));
        if (queue.take()->words.back() != number) throw std::runtime_error("not what was pushed");
      }
    });
  });
}
// The same by copies: into the queue, and out of it.
template <std::size_t kBytes>
Sample copy_twice() {
  return alone([](const Worker& worker, const Place& place) {
    void* const shared =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) throw std::runtime_error("mmap failed");
    static_cast<void>(place);
    const auto in = std::make_unique<Item<kBytes>>();
    const auto out = std::make_unique<Item<kBytes>>();
    report_time_of(worker, [&](std::uint64_t n) {
      for (std::uint64_t i = 0; i < n; ++i) {
        std::memcpy(shared, in.get(), kBytes);
        keep(shared);
        std::memcpy(out.get(), shared, kBytes);
        keep(*out);
      }
    });
    ::munmap(shared, kBytes);
  });
}

Case passing(int producers, int consumers) {
  const auto measured = [=]<class Queue>(Type<Queue>) {
    return [=] { return pass<Queue>(producers, consumers); };
  };
  const bool alone_on_cores = producers + consumers <= 2;
  Case what{"queue." + std::to_string(producers) + "." + std::to_string(consumers),
            std::to_string(producers) + " producers, " + std::to_string(consumers) +
                " consumers, items of 8 bytes, capacity 1024; time per item",
            alone_on_cores ? "ring, spins" : "ring, spins and yields",
            {{"shoal::Queue", measured(Type<ShoalQueue>{})}}};
  if (alone_on_cores)
    what.contenders.push_back({"ring, spins", measured(Type<BareRing<Spin::only>>{})});
  what.contenders.push_back(
      {"ring, spins and yields", measured(Type<BareRing<Spin::and_yield>>{})});
  what.contenders.push_back({"boost lockfree queue", measured(Type<BoostLockfree>{})});
  what.contenders.push_back({"boost message queue", measured(Type<BoostMessageQueue>{})});
  what.contenders.push_back({"pipe(2)", measured(Type<PipeOfTheKernel>{})});
  return what;
}

}  // namespace

std::vector<Case> queue_cases() {
  return {passing(1, 1),
          passing(2, 2),
          passing(4, 4),
          {"queue.bulk",
           "1 producer, 1 consumer, items of 8 bytes; time of 64 items",
           "one at a time",
           {{"64 at a time", pass_sixty_four<Portion::many>},
            {"one at a time", pass_sixty_four<Portion::one>}}},
          {"queue.loan",
           "lend room, push, take and give back, by one process",
           "64 bytes",
           {{"64 bytes", lend<64>},
            {"1 MiB", lend<1 << 20>},
            {"1 MiB, 2 memcpy", copy_twice<1 << 20>}}}};
}

}  // namespace bench
