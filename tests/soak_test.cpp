// SPDX-License-Identifier: MIT
//
// A queue under kill -9: three producers and three consumers, one of whom is killed every 0.2 to
// 1 ms and replaced by another.
//
// Oracle, in memory that is not the library's: each life of a producer has a number, and pushes
// 0, 1, 2 ... with it; it notes how far it got after each push has returned. Who pops an item marks
// it. So:
//
//   marked twice                               a duplicate: never
//   marked, and neither returned nor the next  an item that nobody pushed: never
//   returned, and not marked                   lost: at most one for each consumer that was killed
//   a consumer sees one life's items in order

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "shoal/queue.hpp"
#include "shoal/segment.hpp"
#include "support/child.hpp"
#include "support/full_programme.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Queue;
using shoal::Segment;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kCapacity = 64;
constexpr std::size_t kLives = 12'000;
constexpr std::size_t kItems = 16'384;  // of one life; then it waits for its end

std::int64_t now_ns() { return Clock::now().time_since_epoch().count(); }

struct Oracle {
  std::atomic<std::uint32_t> returned[kLives];  // pushes of that life
  std::atomic<std::uint64_t> marks[kLives][kItems / 64];
  std::atomic<std::int64_t> popped, duplicates, strangers, out_of_order;
  std::atomic<std::int64_t> last_pop, longest_gap;  // nanoseconds

  bool is_marked(std::size_t life, std::size_t item) const {
    return (marks[life][item / 64].load() >> item % 64 & 1) != 0;
  }
  void mark(std::uint64_t item) {
    const std::size_t life = item >> 32;
    const std::size_t number = item & 0xffff'ffff;
    if (life >= kLives || number >= kItems) {
      ++strangers;
      return;
    }
    const std::uint64_t bit = std::uint64_t{1} << number % 64;
    if ((marks[life][number / 64].fetch_or(bit) & bit) != 0) ++duplicates;
    ++popped;
    note_progress();
  }
  void note_progress() {
    const std::int64_t now = now_ns();
    const std::int64_t gap = now - last_pop.exchange(now);
    std::int64_t longest = longest_gap.load();
    while (gap > longest && !longest_gap.compare_exchange_weak(longest, gap)) {
    }
  }
};

void produce(const Queue<std::uint64_t>& queue, Oracle& oracle, std::uint64_t life) {
  for (std::uint32_t i = 0; i < kItems; ++i) {
    queue.push(life << 32 | i);
    oracle.returned[life].store(i + 1);
  }
  sleep_forever();
}

void consume(const Queue<std::uint64_t>& queue, Oracle& oracle) {
  std::map<std::uint64_t, std::uint64_t> last;
  for (;;) {
    const std::uint64_t item = queue.pop();
    oracle.mark(item);
    const auto [at, is_new] = last.try_emplace(item >> 32, item);
    if (!is_new && at->second >= item) ++oracle.out_of_order;
    at->second = item;
  }
}

class Soak {
 public:
  explicit Soak(unsigned seed) : random_(seed) {
    oracle->last_pop = now_ns();
    for (int i = 0; i < 6; ++i) crew_.push_back(start(i % 2 == 0));
  }

  // Kills one, and puts another in its place.
  void kill_one() {
    Member& member = crew_[random_() % crew_.size()];
    member.child.kill();
    ++(member.produces ? producer_kills : consumer_kills);
    member = start(member.produces);
    std::this_thread::sleep_for(std::chrono::microseconds(200 + random_() % 800));
  }

  // All are killed, and what is left is marked.
  void end() {
    for (Member& member : crew_) {
      member.child.kill();
      ++(member.produces ? producer_kills : consumer_kills);
    }
    crew_.clear();
    const Queue<std::uint64_t> queue(Segment(name_), "queue", kCapacity);
    while (const auto item = queue.try_pop()) oracle->mark(*item);
    capacity_left = 0;
    while (queue.try_push(0)) ++capacity_left;
  }

  std::int64_t count_lost() const {
    std::int64_t lost = 0;
    for (std::size_t life = 0; life < lives_; ++life)
      for (std::uint32_t i = 0; i < oracle->returned[life].load(); ++i)
        lost += oracle->is_marked(life, i) ? 0 : 1;
    return lost;
  }
  // Marked, though its push had not even begun.
  std::int64_t count_invented() const {
    std::int64_t invented = 0;
    for (std::size_t life = 0; life < lives_; ++life)
      for (std::uint32_t i = oracle->returned[life].load() + 1; i < kItems; ++i)
        invented += oracle->is_marked(life, i) ? 1 : 0;
    return invented;
  }

  Shared<Oracle> oracle;
  std::int64_t producer_kills = 0;
  std::int64_t consumer_kills = 0;
  std::size_t capacity_left = 0;

 private:
  struct Member {
    bool produces;
    Child child;
  };

  Member start(bool produces) {
    const std::uint64_t life = produces ? lives_++ : 0;
    return {produces, Child([this, produces, life] {
              const Queue<std::uint64_t> queue(Segment(name_), "queue", kCapacity);
              if (produces)
                produce(queue, *oracle, life);
              else
                consume(queue, *oracle);
              return false;
            })};
  }

  TempName name_;
  std::mt19937 random_;
  std::size_t lives_ = 0;
  std::vector<Member> crew_;
};

}  // namespace

TEST_SUITE_BEGIN("Soak");

TEST_CASE("a queue whose users are killed all the time loses nothing but what a killed one had") {
  const int kills = full_programme() ? 10'000 : 600;
  const unsigned seed = std::random_device()();
  const auto begin = Clock::now();
  Soak soak(seed);
  for (int i = 0; i < kills; ++i) soak.kill_one();
  soak.end();

  const Oracle& oracle = *soak.oracle;
  const std::int64_t lost = soak.count_lost();
  const std::chrono::duration<double> took = Clock::now() - begin;
  MESSAGE("soak: " << soak.producer_kills << " producers and " << soak.consumer_kills
                   << " consumers killed, " << oracle.popped.load() << " items popped, " << lost
                   << " lost, " << oracle.duplicates.load() << " duplicates, longest gap "
                   << oracle.longest_gap.load() / 1'000'000 << " ms, seed " << seed << ", "
                   << took.count() << " s");
  CHECK(soak.producer_kills + soak.consumer_kills >= kills);
  CHECK(oracle.popped >= 100 * kills);
  CHECK(oracle.duplicates == 0);
  CHECK(oracle.strangers == 0);
  CHECK(oracle.out_of_order == 0);
  CHECK(soak.count_invented() == 0);
  CHECK(lost <= soak.consumer_kills);
  CHECK(soak.capacity_left == kCapacity);
}

TEST_SUITE_END();
