// SPDX-License-Identifier: MIT
#include "queue_subject.hpp"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include "names.hpp"
#include "os/cpu.hpp"

namespace shoal::stress {
namespace {

// An item: producer << 56 | lap << 24 | number + 1. What a producer has done: lap << 24 | how many.
constexpr int kProducerAt = 56;
constexpr int kLapAt = 24;
constexpr std::uint32_t kItems = 1 << 13;  // of a lap
constexpr std::uint32_t kLaps = 16;        // that are remembered
constexpr std::uint64_t kNumberMask = (1 << kLapAt) - 1;

constexpr std::uint64_t position(std::uint32_t lap, std::uint32_t number) {
  return std::uint64_t{lap} << kLapAt | number;
}
constexpr std::uint32_t lap_of(std::uint64_t position) {
  return static_cast<std::uint32_t>(position >> kLapAt);
}
constexpr std::uint32_t number_of(std::uint64_t position) {
  return static_cast<std::uint32_t>(position & kNumberMask);
}

// Marks of 32 items each: lap << 32 | a bit for each. Those of an earlier lap count for nothing.
constexpr std::uint32_t kMarksInWord = 32;

}  // namespace

struct QueueSubject::Memory {
  struct Lap {
    std::atomic<std::uint64_t> returned;  // as the producer's, at its end
    std::array<std::atomic<std::uint64_t>, kItems / kMarksInWord> marks;
  };
  struct alignas(64) Producer {
    std::atomic<std::uint64_t> begun;
    std::atomic<std::uint64_t> returned;
    std::array<std::atomic<std::uint64_t>, 2>
        missing;  // of those forgotten by that lap: its parity
    std::array<Lap, kLaps> laps;
  };
  alignas(64) std::atomic<std::uint64_t> late;  // popped when its lap had been forgotten
  std::array<Producer, kMostProcesses / 2> producers;
};

std::size_t QueueSubject::memory_size() const { return sizeof(Memory) + queue_size(); }

void QueueSubject::set_up(void* memory, const Plan& plan) {
  memory_ = ::new (memory) Memory();
  has_kills_ = plan.kills > 0;
  set_up_queue(memory_ + 1);
}

void QueueSubject::step(Participant& me) {
  if (is_producer(me.index())) return produce(me);
  const std::optional<Item> item = me.timed([&] { return pop(me); });
  if (!item) return;
  if (const std::string wrong = receive(*item); !wrong.empty()) me.fail(wrong);
}

void QueueSubject::killed(unsigned index) {
  if (!is_producer(index)) {
    ++consumer_kills_;
  } else {
    const Memory::Producer& its = memory_->producers[index / 2];
    killed_pushing_ +=
        its.begun.load(std::memory_order_acquire) != its.returned.load(std::memory_order_acquire);
  }
}

void QueueSubject::produce(Participant& me) {
  Memory::Producer& mine = memory_->producers[me.index() / 2];
  std::uint64_t done = mine.returned.load(std::memory_order_relaxed);
  if (is_new_ || number_of(done) == kItems) {
    turn(me);
    if (me.stopping()) return;
    is_new_ = false;
    done = mine.returned.load(std::memory_order_relaxed);
  }
  mine.begun.store(done + 1, std::memory_order_release);
  const Item item = Item{me.index() / 2} << kProducerAt | (done + 1);
  if (me.timed([&] { return push(me, item); }))
    mine.returned.store(done + 1, std::memory_order_release);
}

// The end of a lap, which is remembered, and the beginning of another, for which one is forgotten.
// `returned` last: who is killed before that has done nothing.
void QueueSubject::turn(Participant& me) const {
  Memory::Producer& mine = memory_->producers[me.index() / 2];
  const std::uint64_t returned = mine.returned.load(std::memory_order_relaxed);
  const std::uint32_t lap = lap_of(returned);
  while (!has_kills_ && count_missing(me.index() / 2, returned) > 0) {
    if (me.stopping()) return;
    os::yield();
  }
  mine.laps[lap % kLaps].returned.store(returned, std::memory_order_relaxed);
  const std::uint64_t forgotten =
      mine.laps[(lap + 1) % kLaps].returned.load(std::memory_order_relaxed);
  mine.missing[(lap + 1) % 2].store(mine.missing[lap % 2].load(std::memory_order_relaxed) +
                                        count_missing(me.index() / 2, forgotten),
                                    std::memory_order_relaxed);
  mine.begun.store(position(lap + 1, 0), std::memory_order_release);
  mine.returned.store(position(lap + 1, 0), std::memory_order_release);
}

// Pushed in that lap, and not popped.
std::uint32_t QueueSubject::count_missing(unsigned producer, std::uint64_t returned) const {
  const Memory::Lap& lap = memory_->producers[producer].laps[lap_of(returned) % kLaps];
  std::uint32_t missing = number_of(returned);
  for (std::uint32_t at = 0; at < number_of(returned); at += kMarksInWord) {
    const std::uint64_t marks = lap.marks[at / kMarksInWord].load(std::memory_order_acquire);
    if (static_cast<std::uint32_t>(marks >> kMarksInWord) != lap_of(returned)) continue;
    const std::uint32_t asked = std::min(kMarksInWord, number_of(returned) - at);
    const std::uint64_t mask = (std::uint64_t{1} << asked) - 1;
    missing -= static_cast<std::uint32_t>(std::popcount(marks & mask));
  }
  return missing;
}

std::string QueueSubject::receive(Item item) {
  if (item == kTorn) return "popped an item whose bytes are not its own";
  const auto producer = static_cast<unsigned>(item >> kProducerAt);
  const std::uint64_t at = item & ((std::uint64_t{1} << kProducerAt) - 1);
  const std::string what = "item " + std::to_string(number_of(at)) + " of lap " +
                           std::to_string(lap_of(at)) + " of " + name_of(2 * producer);
  if (producer >= memory_->producers.size() ||
      at > memory_->producers[producer].begun.load(std::memory_order_acquire))
    return "popped " + what + ", which nobody has pushed";
  const Item before = std::exchange(last_[producer], item);
  if (item <= before) return "popped " + what + (item == before ? " twice" : " after a later one");
  return mark(producer, lap_of(at), number_of(at) - 1) ? "" : "popped " + what + " twice";
}

// False: it was marked before.
bool QueueSubject::mark(unsigned producer, std::uint32_t lap, std::uint32_t number) const {
  Memory::Producer& its = memory_->producers[producer];
  const std::uint64_t bit = std::uint64_t{1} << number % kMarksInWord;
  std::atomic<std::uint64_t>& marks = its.laps[lap % kLaps].marks[number / kMarksInWord];
  std::uint64_t seen = marks.load(std::memory_order_relaxed);
  std::uint64_t marked = 0;
  do {
    const auto seen_lap = static_cast<std::uint32_t>(seen >> kMarksInWord);
    if (seen_lap > lap) break;
    if (seen_lap == lap && (seen & bit) != 0) return false;
    marked = (seen_lap == lap ? seen : std::uint64_t{lap} << kMarksInWord) | bit;
  } while (!marks.compare_exchange_weak(seen, marked, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  if (lap_of(its.returned.load(std::memory_order_acquire)) >= lap + kLaps)
    memory_->late.fetch_add(1, std::memory_order_relaxed);
  return true;
}

// Of all laps.
std::uint64_t QueueSubject::count_all_missing() const {
  std::uint64_t missing = 0;
  for (unsigned i = 0; i < memory_->producers.size(); ++i) {
    Memory::Producer& its = memory_->producers[i];
    const std::uint64_t returned = its.returned.load(std::memory_order_relaxed);
    its.laps[lap_of(returned) % kLaps].returned.store(returned, std::memory_order_relaxed);
    missing += its.missing[lap_of(returned) % 2].load(std::memory_order_relaxed);
    for (const Memory::Lap& lap : its.laps)
      missing += count_missing(i, lap.returned.load(std::memory_order_relaxed));
  }
  return missing;
}

std::string QueueSubject::diagnose(const Control&) {
  const std::uint64_t missing = count_all_missing();
  return std::to_string(missing) + (missing == 1 ? " item is" : " items are") +
         " pushed and not popped" +
         (killed_pushing_ == 0
              ? ""
              : "; " + std::to_string(killed_pushing_) + " times a producer was killed in a push");
}

std::string QueueSubject::check() {
  while (const std::optional<Item> item = try_pop())
    if (std::string wrong = receive(*item); !wrong.empty()) return wrong;
  const std::uint64_t missing = count_all_missing();
  const std::uint64_t late = memory_->late.load(std::memory_order_relaxed);
  if (missing > late + consumer_kills_)
    return std::to_string(missing - late) + " items were pushed and never popped, and " +
           std::to_string(consumer_kills_) + " consumers were killed";
  return check_queue(consumer_kills_);
}

}  // namespace shoal::stress
