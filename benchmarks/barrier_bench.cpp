// SPDX-License-Identifier: MIT
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.hpp"
#include "shoal/barrier.hpp"
#include "shoal/segment.hpp"

namespace bench {
namespace {

class ShoalBarrier {
 public:
  ShoalBarrier(const Place& place, bool, int parties)
      : barrier_(shoal::Segment(place.name), "barrier", parties) {}
  void pass() { barrier_.arrive_and_wait(); }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  shoal::Barrier barrier_;
};

class PthreadBarrier {
 public:
  PthreadBarrier(const Place& place, bool first, int parties)
      : barrier_(*static_cast<pthread_barrier_t*>(place.memory)) {
    if (!first) return;
    pthread_barrierattr_t attributes;
    ::pthread_barrierattr_init(&attributes);
    ::pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_barrier_init(&barrier_, &attributes, static_cast<unsigned>(parties));
  }
  void pass() { ::pthread_barrier_wait(&barrier_); }

 private:
  pthread_barrier_t& barrier_;
};

// The sense-reversing barrier of the textbooks (Hensgen, Finkel and Manber, "Two Algorithms for
// Barrier Synchronization", 1988). It cannot sleep, and one dead party stops all.
class SpinBarrier {
 public:
  SpinBarrier(const Place& place, bool, int parties)
      : shared_(*static_cast<Shared*>(place.memory)), parties_(parties) {}
  void pass() {
    sense_ = !sense_;
    if (shared_.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 < parties_)
      return spin_until([&] { return shared_.sense.load(std::memory_order_acquire) == sense_; });
    shared_.arrived.store(0, std::memory_order_relaxed);
    shared_.sense.store(sense_, std::memory_order_release);
  }

 private:
  struct Shared {
    std::atomic<int> arrived;
    std::atomic<bool> sense;
  };
  Shared& shared_;
  const int parties_;
  bool sense_ = false;
};

struct Rounds {
  // How many rounds each party has begun; its own line, which others read once a batch.
  struct alignas(128) Begun {
    std::atomic<std::uint64_t> rounds;
  };
  Begun begun[16];
  std::atomic<bool> more[2];  // of this batch and the one before: somebody may still be in that
};

// Everybody has begun the round that is behind me; and nobody has ended the next one, which I have
// not begun. Relaxed: what is before the barrier is visible behind it.
void check(const Rounds& all, int parties, std::uint64_t mine) {
  for (int i = 0; i < parties; ++i) {
    const std::uint64_t theirs = all.begun[i].rounds.load(std::memory_order_relaxed);
    if (theirs < mine) throw std::runtime_error("did not wait for all");
    if (theirs > mine + 1) throw std::runtime_error("did not wait for one");
  }
}

// Rounds in batches, until the first party says that the last one has been: all must stop alike.
template <class Barrier>
Sample measure(int parties) {
  constexpr int kBatch = 32;
  const auto work = [parties](const Worker& worker, const Place& place) {
    const auto barrier = open_together<Barrier>(worker, place, parties);
    auto& all = talk<Rounds>(place);
    const int me = worker.number();
    std::uint64_t rounds = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (bool more = true; more;) {
      auto& says = all.more[rounds / kBatch % 2];
      if (me == 0) says.store(!worker.stopped(), std::memory_order_relaxed);
      for (int i = 0; i < kBatch; ++i) {
        all.begun[me].rounds.store(++rounds, std::memory_order_relaxed);
        barrier->pass();
      }
      check(all, parties, rounds);
      more = says.load(std::memory_order_relaxed);
    }
    worker.report(me == 0 ? rounds : 0, std::chrono::steady_clock::now() - begin);
  };
  return one_of(in_processes(parties, work, std::chrono::milliseconds(120)));
}

}  // namespace

std::vector<Case> barrier_cases() {
  std::vector<Case> cases;
  for (const int parties : {2, 4})
    cases.push_back(
        {"barrier." + std::to_string(parties),
         std::to_string(parties) + " processes, which do nothing else; time of a round",
         "pthread barrier",
         {{"shoal::Barrier", [=] { return measure<ShoalBarrier>(parties); }},
          {"sense reversing, spins", [=] { return measure<SpinBarrier>(parties); }, true},
          {"pthread barrier", [=] { return measure<PthreadBarrier>(parties); }}},
         kNanoseconds,
         0,
         {parties == 2 ? Target{"shoal::Barrier", "", 500}
                       : Target{"shoal::Barrier", "pthread barrier", 1}}});
  return cases;
}

}  // namespace bench
