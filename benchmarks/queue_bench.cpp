// SPDX-License-Identifier: MIT
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "limits.hpp"
#include "python.hpp"
#include "queue_contenders.hpp"
#include "queue_peers.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Sums {
  std::atomic<std::uint64_t> pushed;
  std::atomic<std::uint64_t> popped;
  std::atomic<int> producers;  // that have not finished
};

// An item's number: whose, and the how manieth.
constexpr int kProducerShift = 48;
constexpr std::uint64_t kMostProducers = 16;

// Throws where a producer's items come out of order, twice, or torn.
class Order {
 public:
  template <class Item>
  void check(const Item& item) {
    const std::uint64_t number = item.words.front();
    std::uint64_t& last = last_[(number >> kProducerShift) % kMostProducers];
    if (item.words.back() != number) throw std::runtime_error("an item is torn");
    if (number <= last) throw std::runtime_error("items come out of order");
    last = number;
  }

 private:
  std::array<std::uint64_t, kMostProducers> last_{};
};

template <class Item>
void set_number(Item& item, std::uint64_t number) {
  item.words.front() = item.words.back() = number;
}

// Pushes until the time is over. The last producer to finish sends every consumer home.
template <class Item, class Queue>
void produce(const Worker& worker, Queue& queue, Sums& sums, int consumers) {
  constexpr int kBatch = 64;
  Item item{};
  std::uint64_t number = static_cast<std::uint64_t>(worker.number()) << kProducerShift;
  std::uint64_t sum = 0;
  while (!worker.stopped())
    for (int i = 0; i < kBatch; ++i) {
      sum += ++number;
      set_number(item, number);
      queue.push(item);
    }
  sums.pushed.fetch_add(sum);
  set_number(item, kEnd);
  if (sums.producers.fetch_sub(1) == 1)
    for (int i = 0; i < consumers; ++i) queue.push(item);
}

template <class Item, class Queue>
void consume(const Worker& worker, Queue& queue, Sums& sums) {
  std::uint64_t items = 0;
  std::uint64_t sum = 0;
  Order order;
  const auto begin = Clock::now();
  for (;; ++items) {
    const Item item = queue.pop();
    if (item.words.front() == kEnd) break;
    order.check(item);
    sum += item.words.front();
  }
  worker.report(items, Clock::now() - begin);
  sums.popped.fetch_add(sum);
}

template <class Item, class Queue>
Sample pass(int producers, int consumers) {
  const auto work = [=](const Worker& worker, const Place& place) {
    const auto queue = open_together<Queue>(worker, place);
    auto& sums = talk<Sums>(place);
    if (worker.number() == 0) sums.producers.store(producers);
    worker.meet();
    if (worker.number() < producers)
      produce<Item>(worker, *queue, sums, consumers);
    else
      consume<Item>(worker, *queue, sums);
    worker.meet();
    if (sums.pushed.load() != sums.popped.load())
      throw std::runtime_error("what was popped is not what was pushed");
  };
  return one_of(in_processes(producers + consumers, work, std::chrono::milliseconds(150)));
}

// An item in one queue is the second worker's turn, one in the other queue the first worker's.
template <class Item, class Queue>
class Turns {
 public:
  Turns(const Place& place, bool first)
      : there_(part(place, 0), first), back_(part(place, 1), first), mine_(first) {}
  void await(int worker) {
    if (!mine_) static_cast<void>((worker == 0 ? back_ : there_).pop());
    mine_ = false;
  }
  void give(int worker) { (worker == 0 ? back_ : there_).push(Item{}); }
  static void remove(const Place& place) {
    if constexpr (requires { Queue::remove(place); })
      for (const int i : {0, 1}) Queue::remove(part(place, i));
  }

 private:
  static Place part(const Place& place, int i) {
    return {static_cast<std::byte*>(place.memory) + Place::kBytes / 4 * static_cast<std::size_t>(i),
            place.name + "-" + std::to_string(i)};
  }
  Queue there_;
  Queue back_;
  bool mine_;
};

// --- Python's, where there is Python

// Two queues, two processes: one runs other(), the other one begins and does n operations.
Sample python_queue(const std::string& other, const std::string& measure) {
  return python(
      "import multiprocessing, time\n"
      "def other(there, back, item):\n" +
      other +
      "if __name__ == \"__main__\":\n"
      " there, back = multiprocessing.Queue(1024), multiprocessing.Queue(1024)\n" +
      measure + " print((time.perf_counter_ns() - begin) / n)\n process.join()\n");
}

Sample python_passes(std::size_t bytes) {
  return python_queue(
      " there.put(0)\n"
      " back.get()\n"
      " for i in range(20000): there.put((i, item))\n",
      " n, item = 20000, bytes(" + std::to_string(bytes - 8) +
          ")\n"
          " process = multiprocessing.Process(target=other, args=(there, back, item))\n"
          " process.start()\n"
          " there.get()\n"
          " begin = time.perf_counter_ns()\n"
          " back.put(0)\n"
          " for i in range(n): assert there.get() == (i, item)\n");
}

Sample python_turns() {
  return python_queue(" for i in range(1000): back.put(there.get())\n",
                      " n = 2000\n"
                      " process = multiprocessing.Process(target=other, args=(there, back, 0))\n"
                      " process.start()\n"
                      " begin = time.perf_counter_ns()\n"
                      " for i in range(1000):\n"
                      "  there.put(i)\n"
                      "  assert back.get() == i\n");
}

// --- Who takes part

// A new contender is one line here; where there are two processes only, in the next one.
template <class Item, class Measure>
std::vector<Contender> for_many(Measure measure) {
  return {{"shoal::Queue", [=] { return measure(Type<ShoalQueue<Item>>{}); }},
          {"ring, spins and yields", [=] { return measure(Type<YieldingRing<Item>>{}); }, true},
          {"boost lockfree queue", [=] { return measure(Type<BoostQueue<Item>>{}); }},
#ifdef SHOAL_BENCH_CK
          {"ck ring, mpmc", [=] { return measure(Type<CkRingOfMany<Item>>{}); }},
#endif
          {"boost message queue", [=] { return measure(Type<BoostMessageQueue<Item>>{}); }},
          {"POSIX mq", [=] { return measure(Type<PosixMessageQueue<Item>>{}); }},
          {"pipe(2)", [=] { return measure(Type<PipeOfTheKernel<Item>>{}); }},
          {"AF_UNIX, seqpacket", [=] { return measure(Type<UnixSocket<Item>>{}); }}};
}

template <class Item, class Measure>
std::vector<Contender> for_two(Measure measure) {
  std::vector<Contender> all = for_many<Item>(measure);
  all.push_back({"ring, spins", [=] { return measure(Type<SpinningRing<Item>>{}); }, true});
  all.push_back({"boost spsc queue", [=] { return measure(Type<BoostSpscQueue<Item>>{}); }});
#ifdef SHOAL_BENCH_CK
  all.push_back({"ck ring, spsc", [=] { return measure(Type<CkRingOfTwo<Item>>{}); }});
#endif
#ifdef SHOAL_BENCH_ZMQ
  all.push_back({"ZeroMQ, ipc", [=] { return measure(Type<ZeroMq<Item>>{}); }});
#endif
  return all;
}

// --- The cases

template <std::size_t kBytes>
Case passing(int producers, int consumers) {
  const auto measure = [=]<class Queue>(Type<Queue>) {
    return pass<Item<kBytes>, Queue>(producers, consumers);
  };
  const bool are_two = producers + consumers == 2;
  const std::string counts = std::to_string(producers) + "." + std::to_string(consumers);
  const std::string bytes = std::to_string(kBytes);
  Case what{"queue." + counts + "." + bytes,
            std::to_string(producers) + " producers, " + std::to_string(consumers) +
                " consumers, items of " + bytes + " bytes, capacity 1024; time per item",
            are_two ? "ring, spins" : "ring, spins and yields",
            are_two ? for_two<Item<kBytes>>(measure) : for_many<Item<kBytes>>(measure)};
  if (are_two && has_python())
    what.contenders.push_back({"Python's Queue", [] { return python_passes(kBytes); }});
  if (kBytes == 1024) what.contenders.push_back(one_memcpy<1024>());
  return what;
}

// What the library is held to is said of items of 8 bytes.
Case passing_words(int producers, int consumers) {
  Case what = passing<8>(producers, consumers);
  if (producers + consumers > 2) {
    what.targets = {{"shoal::Queue", "ring, spins and yields", 1 / 0.75}};
    return what;
  }
  what.targets = {{"shoal::Queue", "ring, spins", 1 / 0.9},
                  {"shoal::Queue", "boost lockfree queue", 1 / 8.0},
                  {"shoal::Queue", "boost message queue", 1 / 11.0},
                  {"shoal::Queue", "pipe(2)", 1 / 16.0}};
  if (has_python()) what.targets.push_back({"shoal::Queue", "Python's Queue", 1 / 250.0});
  return what;
}

Case to_and_fro() {
  using Word = Item<8>;
  Case what{
      "queue.turns", "items of 8 bytes to and fro through two queues; time of one way", "pipe(2)",
      for_two<Word>([]<class Queue>(Type<Queue>) { return take_turns<Turns<Word, Queue>>(); })};
  if (has_python()) what.contenders.push_back({"Python's Queue", python_turns});
  what.contenders.push_back(cache_line_one_way());
  return what;
}

}  // namespace

std::vector<Case> queue_cases() {
  std::vector<Case> cases;
  for (const int each : {1, 2, 4}) {
    cases.push_back(passing_words(each, each));
    cases.push_back(passing<64>(each, each));
    cases.push_back(passing<1024>(each, each));
  }
  cases.push_back(to_and_fro());
  return cases;
}

std::vector<std::string> absent_contenders() {
  std::vector<std::string> absent;
#ifndef SHOAL_BENCH_CK
  absent.push_back("libck's rings (libck-dev)");
#endif
#ifndef SHOAL_BENCH_ZMQ
  absent.push_back("ZeroMQ (libzmq3-dev)");
#endif
  if (!has_python()) absent.push_back("Python's Queue and Pool (python3)");
  return absent;
}

}  // namespace bench
