// SPDX-License-Identifier: MIT

// Garbage written into a live segment, while other processes use objects of every type in it: errors,
// time-outs, wrong data, and no more.
//
//   a signal            never
//   an exception that is not derived from std::exception      never
//   a call that goes on behind its deadline                   never, but for those that wait for an
//                       inner lock (the last column of the table of calls): that waits as long as a
//                       living process holds it. Garbage may say so; then it is mended, and the call
//                       must end

#include <doctest/doctest.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <random>
#include <shoal/shoal.hpp>
#include <string>
#include <thread>
#include <vector>

#include "format.hpp"
#include "support/child.hpp"
#include "support/full_programme.hpp"
#include "support/gate.hpp"
#include "support/patience.hpp"
#include "support/segment_bytes.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"
#include "tables.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Segment;
namespace format = shoal::format;

namespace {

using Clock = std::chrono::steady_clock;
using Random = std::mt19937_64;
using Wide = std::array<std::uint64_t, 40>;  // no atomic, and no item of a slot

shoal::SegmentOptions small() {
  shoal::SegmentOptions options;
  options.capacity = 256 << 10;
  options.max_objects = 32;
  options.max_processes = 16;
  options.max_threads = 16;
  return options;
}

// One object of each type.
struct Objects {
  explicit Objects(const TempName& name) : segment(name, small()) {}

  Segment segment;
  shoal::Value<std::uint64_t> value{segment, "value"};
  shoal::Value<Wide> wide_value{segment, "wide.value"};
  shoal::Array<std::uint64_t> array{segment, "array", 8};
  shoal::Array<Wide> wide_array{segment, "wide.array", 8};
  shoal::Lock lock{segment, "lock"};
  shoal::RLock rlock{segment, "rlock"};
  shoal::Semaphore semaphore{segment, "semaphore", 2};
  shoal::BoundedSemaphore bounded{segment, "bounded", 2};
  shoal::Event event{segment, "event"};
  shoal::Condition condition{segment, "condition"};
  shoal::Barrier barrier{segment, "barrier", 2};
  shoal::Queue<std::int64_t> queue{segment, "queue", 4};
  shoal::Queue<Wide> wide_queue{segment, "wide.queue", 4};
  shoal::Queue<std::string> text_queue{segment, "text.queue", {.capacity = 4, .bytes = 4096}};
  shoal::JoinableQueue<std::int64_t> jobs{segment, "jobs", 4};
  shoal::Pipe pipe{segment, "pipe", {.capacity = 2048}};
};

constexpr auto kShort = 200us;

// An end of the pipe, where it can be had.
std::optional<shoal::Connection> end_of(const shoal::Pipe& pipe, bool first) {
  try {
    return first ? pipe.first() : pipe.second();
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// Whether a call may wait behind its deadline: for a lock that garbage says somebody alive holds, or, who
// pushes a Loan, for the room that is its own.
enum class Waits { never, until_mended };

struct Use {
  const char* name;
  Waits waits;
  std::function<void()> call;
};

// All that ends by itself, on whatever is there.
std::vector<Use> uses_of(const TempName& name, const Objects& of, bool first) {
  using W = Waits;
  auto end = std::make_shared<std::optional<shoal::Connection>>();
  const auto at_end = [=, &of](auto what) {
    return [=, &of] {
      if (!*end) *end = end_of(of.pipe, first);
      if (*end) what(**end);
    };
  };
  const auto locked = [](const auto& lock) {
    if (lock.try_lock()) lock.unlock();
    if (lock.try_lock_for(kShort)) lock.unlock();
  };
  const auto acquired = [](const auto& semaphore) {
    if (semaphore.try_acquire()) semaphore.release();
    if (semaphore.try_acquire_for(kShort)) semaphore.release();
    static_cast<void>(semaphore.value());
    static_cast<void>(semaphore.waiting());
  };
  const auto looked_at = [](const auto& queue) {
    static_cast<void>(queue.size());
    static_cast<void>(queue.full());
    static_cast<void>(queue.waiting());
    static_cast<void>(queue.closed());
  };
  return {
      {"Value", W::never,
       [&] {
         of.value.store(of.value.load() ^ of.value.fetch_add(1));
         of.value.update([](std::uint64_t& n) { n ^= 1; });
       }},
      {"Value large: load", W::until_mended, [&] { static_cast<void>(of.wide_value.load()); }},
      {"Value large: store", W::until_mended, [&] { of.wide_value.store({}); }},
      {"Value large: update", W::until_mended,
       [&] { of.wide_value.update([](Wide& wide) { ++wide[7]; }); }},
      {"Value: get_lock", W::never, [&] { locked(of.value.get_lock()); }},
      {"Array", W::never,
       [&] {
         of.array.store(3, of.array.load(7));
         ++of.array.at(1);
       }},
      {"Array large", W::until_mended, [&] { of.wide_array.store(7, of.wide_array.load(3)); }},
      {"Lock", W::never, [&] { locked(of.lock); }},
      {"Lock: look", W::never,
       [&] {
         static_cast<void>(of.lock.is_locked());
         static_cast<void>(of.lock.owner());
         static_cast<void>(of.lock.inherited());
         static_cast<void>(of.lock.on_owner_death());
       }},
      {"Lock: unlock", W::never, [&] { of.lock.unlock(); }},
      {"RLock", W::never,
       [&] {
         locked(of.rlock);
         if (!of.rlock.try_lock()) return;
         locked(of.rlock);
         of.rlock.unlock();
       }},
      {"Semaphore", W::never, [&] { acquired(of.semaphore); }},
      {"Semaphore: release", W::never, [&] { of.semaphore.release(2); }},
      {"BoundedSemaphore", W::until_mended, [&] { acquired(of.bounded); }},
      {"Event", W::never,
       [&] {
         of.event.set();
         of.event.clear();
         static_cast<void>(of.event.wait_for(kShort));
         static_cast<void>(of.event.waiting());
       }},
      {"Condition: wait", W::until_mended,
       [&] {
         // A guard that finds that it is not the holder any more would end the process.
         std::unique_lock held(of.lock, std::defer_lock);
         if (!held.try_lock()) return;
         try {
           static_cast<void>(of.condition.wait_for(held, kShort));
         } catch (const shoal::Error&) {  // it may own its lock, or not
         }
         if (held.owns_lock()) held.release()->unlock();
       }},
      {"Condition: notify", W::never,
       [&] {
         of.condition.notify_one();
         of.condition.notify_all();
         static_cast<void>(of.condition.waiting());
       }},
      {"Barrier", W::never, [&] { static_cast<void>(of.barrier.arrive_and_wait_for(kShort)); }},
      {"Barrier: look, abort, reset", W::never,
       [&] {
         static_cast<void>(of.barrier.waiting());
         static_cast<void>(of.barrier.parties());
         of.barrier.abort();
         static_cast<void>(of.barrier.broken());
         of.barrier.reset();
       }},
      {"Queue: push", W::never,
       [&] {
         static_cast<void>(of.queue.try_push(1));
         static_cast<void>(of.queue.push_for(1, kShort));
       }},
      {"Queue: pop", W::never,
       [&] {
         static_cast<void>(of.queue.try_pop());
         static_cast<void>(of.queue.pop_for(kShort));
       }},
      {"Queue: some", W::never,
       [&] {
         std::array<std::int64_t, 3> items{};
         static_cast<void>(of.queue.try_push_some(items));
         static_cast<void>(of.queue.try_pop_some(items));
       }},
      {"Queue: lend", W::until_mended,
       [&] {
         if (auto loan = of.queue.try_loan()) of.queue.push(std::move(*loan));
         static_cast<void>(of.queue.try_take());
         static_cast<void>(of.queue.try_loan());
       }},
      {"Queue: look", W::never, [&] { looked_at(of.queue); }},
      {"Queue of large items: push", W::never,
       [&] {
         static_cast<void>(of.wide_queue.try_push({}));
         static_cast<void>(of.wide_queue.push_for({}, kShort));
       }},
      {"Queue of large items: pop", W::never,
       [&] {
         static_cast<void>(of.wide_queue.try_pop());
         static_cast<void>(of.wide_queue.pop_for(kShort));
       }},
      {"Queue of large items: lend", W::never,
       [&] {
         const auto loan = of.wide_queue.try_loan();
         if (const auto taken = of.wide_queue.try_take()) static_cast<void>((**taken)[39]);
         looked_at(of.wide_queue);
       }},
      {"Queue of varying items: push", W::never,
       [&] {
         static_cast<void>(of.text_queue.try_push(std::string(1000, 'x')));
         static_cast<void>(of.text_queue.push_for("short", kShort));
       }},
      {"Queue of varying items: pop", W::never,
       [&] {
         static_cast<void>(of.text_queue.try_pop());
         static_cast<void>(of.text_queue.pop_for(kShort));
       }},
      {"JoinableQueue: push", W::never, [&] { static_cast<void>(of.jobs.push_for(1, kShort)); }},
      {"JoinableQueue: pop", W::until_mended,
       [&] {
         static_cast<void>(of.jobs.try_pop());
         static_cast<void>(of.jobs.pop_for(kShort));
       }},
      {"JoinableQueue: done", W::until_mended, [&] { of.jobs.task_done(); }},
      {"JoinableQueue: join", W::until_mended,
       [&] {
         static_cast<void>(of.jobs.join_for(kShort));
         static_cast<void>(of.jobs.lost());
       }},
      {"Pipe: send little", W::never, at_end([](const shoal::Connection& connection) {
         const std::array<std::byte, 8> bytes{};
         static_cast<void>(connection.send_bytes_for(bytes, kShort));
       })},
      {"Pipe: send", W::never, at_end([](const shoal::Connection& connection) {
         const std::array<std::byte, 100> bytes{};
         static_cast<void>(connection.send_bytes_for(bytes, kShort));
       })},
      {"Pipe: send much", W::never, at_end([](const shoal::Connection& connection) {
         const std::array<std::byte, 3000> bytes{};
         static_cast<void>(connection.send_bytes_for(bytes, kShort));
       })},
      {"Pipe: receive", W::never, at_end([](const shoal::Connection& connection) {
         static_cast<void>(connection.poll());
         static_cast<void>(connection.recv_bytes_for(kShort));
         static_cast<void>(connection.recv_for<std::int64_t>(0s));
       })},
      {"Pipe: close", W::never, [=] { end->reset(); }},
      {"wait_any", W::until_mended,
       [&] {
         static_cast<void>(shoal::wait_any(
             {of.lock, of.rlock, of.semaphore, of.bounded, of.event, of.queue, of.jobs}, kShort));
       }},
      {"open, look, make, erase", W::until_mended,
       [&] {
         const Segment again(name, small());
         static_cast<void>(again.objects());
         static_cast<void>(again.used());
         static_cast<void>(shoal::Lock(again, "fresh").is_locked());
         static_cast<void>(again.erase("fresh"));
       }},
  };
}

// Written by one who uses, read by the one who watches.
struct Progress {
  std::atomic<std::int64_t> begun;  // when, of the call that it is in; 0: none
  std::atomic<std::int32_t> use;    // which
  std::atomic<std::int64_t> calls, errors, foreign_errors, memory_errors;
};

void use_one(const Use& use, std::int32_t index, Progress& progress) {
  progress.use = index;
  progress.begun = Clock::now().time_since_epoch().count();
  try {
    use.call();
  } catch (const shoal::Error&) {
    ++progress.errors;
  } catch (const std::bad_alloc&) {
    ++progress.memory_errors;
  } catch (const std::exception&) {
    ++progress.foreign_errors;
  }
  ++progress.calls;
  progress.begun = 0;
}

// Random and structured garbage, where it hurts.
class Scribbler {
 public:
  Scribbler(const SegmentBytes& bytes, std::uint64_t seed) : bytes_(bytes), random_(seed) {
    const shoal::detail::Tables tables = bytes.tables();
    for (std::uint32_t i = 0; i < tables.objects(); ++i)
      if (const auto extent = tables.extent(i))
        objects_.push_back({tables.header().heap_at + extent->offset, extent->bytes});
    tables_ = {{format::kMarksAt, sizeof(format::Marks)},
               {format::kCpuNotesAt, format::kCpus * sizeof(format::CpuNotes)},
               {shoal::detail::Tables::process_at(0), 5 * sizeof(format::ProcessRecord)},
               {tables.header().opens_at, std::size_t{32} * 8},
               {tables.object_at(0), 18 * sizeof(format::ObjectRecord)},
               {tables.thread_at(0), 5 * sizeof(format::ThreadRecord)}};
  }

  void scribble() {
    const std::size_t at = place();
    switch (random_() % 8) {
      case 0:
        std::atomic_ref(bytes_[at]).store(static_cast<unsigned char>(random_()));
        return;
      case 1:
        std::atomic_ref(bytes_[at]).fetch_xor(static_cast<unsigned char>(1U << random_() % 8));
        return;
      case 2:  // what means something elsewhere
        bytes_.word(at).store(bytes_.word(place()).load());
        return;
      case 3:
        bytes_.word(at).fetch_add(random_() % 5 - 2);
        return;
      case 4:
        return copy_object();
      default:
        bytes_.word(at).store(garbage(random_));
    }
  }

 private:
  struct Range {
    std::size_t at;
    std::size_t size;
  };

  Range any_of(const std::vector<Range>& ranges) { return ranges[random_() % ranges.size()]; }
  // Mostly in an object's first words: there it says what is what.
  std::size_t place() {
    const Range range = any_of(random_() % 4 == 0 ? tables_ : objects_);
    const std::size_t most =
        random_() % 4 == 0 ? range.size : std::min<std::size_t>(range.size, 256);
    return range.at + random_() % most;
  }
  void copy_object() {
    const Range from = any_of(objects_);
    const Range to = any_of(objects_);
    const std::size_t words = std::min<std::size_t>({from.size, to.size, 512}) / 8;
    const bool zero = random_() % 4 == 0;
    for (std::size_t i = 0; i < words; ++i)
      bytes_.word(to.at + 8 * i).store(zero ? 0 : bytes_.word(from.at + 8 * i).load());
  }

  const SegmentBytes& bytes_;
  Random random_;
  std::vector<Range> objects_, tables_;
};

constexpr int kUsers = 3;

struct Tally {
  std::int64_t scribbles = 0, calls = 0, errors = 0, foreign_errors = 0, memory_errors = 0;
  int mended = 0;  // calls that waited until the segment was as before
  int kills = 0;
  int hangs = 0;
  int signals = 0;
};

// A segment, its users, and who writes over it.
class Round {
 public:
  Round(std::uint64_t seed, Tally& tally) : seed_(seed), tally_(tally) {
    sound_.resize(bytes_->size());
    std::copy_n(&(*bytes_)[0], bytes_->size(), sound_.begin());
  }

  void run(std::int64_t scribbles) {
    std::vector<Child> users;
    users.reserve(kUsers);
    for (int i = 0; i < kUsers; ++i) users.push_back(start(i));
    Child scribbler([&] { return write(scribbles); }, 60s);
    Random random(seed_);
    while (!scribbler.ends_by(Clock::now() + 1ms)) {
      for (int i = 0; i < kUsers; ++i) watch(users[static_cast<std::size_t>(i)], i);
      Child& mortal = users.back();
      if (random() % 64 != 0 || mortal.ends_by(Clock::time_point::min())) continue;
      mortal.kill();
      ++tally_.kills;
      mortal = start(kUsers - 1);
    }
    if (!scribbler.succeeds()) throw std::runtime_error("the scribbler failed");
    over_.open();
    for (int i = 0; i < kUsers; ++i) {
      Child& user = users[static_cast<std::size_t>(i)];
      while (!user.ends_by(Clock::now() + 1ms)) watch(user, i);
      judge(user, i);
    }
    tally_.scribbles += *scribbles_;
    for (const Progress& progress : *progress_) {
      tally_.calls += progress.calls;
      tally_.errors += progress.errors;
      tally_.foreign_errors += progress.foreign_errors;
      tally_.memory_errors += progress.memory_errors;
    }
  }

 private:
  Progress& progress(int user) const { return (*progress_)[static_cast<std::size_t>(user)]; }

  Child start(int user) {
    progress(user).begun = 0;
    const std::uint64_t seed = seed_ * 10 + static_cast<std::uint64_t>(user) + 1;
    return Child(
        [this, user, seed] {
          const std::vector<Use> uses = uses_of(name_, objects_, user % 2 == 0);
          Random random(seed);
          while (!over_.is_open()) {
            const auto index = random() % uses.size();
            use_one(uses[index], static_cast<std::int32_t>(index), progress(user));
          }
        },
        120s);
  }

  // Not faster than others use it; and now and then all is as it was.
  bool write(std::int64_t scribbles) {
    Scribbler scribbler(*bytes_, seed_);
    Random random(seed_ + 1);
    for (; *scribbles_ < scribbles; ++*scribbles_) {
      scribbler.scribble();
      if (random() % 16 == 0) mend();
      const std::int64_t calls = all_calls();
      const auto end = Clock::now() + patient(20ms);
      while (all_calls() < calls + 2 && Clock::now() < end) ::sched_yield();
    }
    return true;
  }
  std::int64_t all_calls() const {
    std::int64_t calls = 0;
    for (const Progress& progress : *progress_) calls += progress.calls;
    return calls;
  }

  // The objects and their records are as they were. Records of processes and threads are not: others
  // have them by now.
  void mend() const {
    const shoal::detail::Tables tables = bytes_->tables();
    tables.marks().processes = tables.header().max_processes;
    tables.marks().objects = tables.header().max_objects;
    tables.marks().threads = tables.header().max_threads;
    restore(tables.header().opens_at, tables.header().threads_at);
    restore(tables.header().heap_at, sound_.size());
  }
  void restore(std::size_t from, std::size_t to) const {
    for (std::size_t at = from; at < to; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, &sound_[at], sizeof word);
      if (bytes_->word(at).load() != word) bytes_->word(at).store(word);
    }
  }

  // Whether its call should have ended long ago.
  void watch(Child& user, int index) {
    const std::int64_t begun = progress(index).begun;
    if (begun == 0) return;
    const auto since = Clock::now().time_since_epoch() - std::chrono::nanoseconds(begun);
    if (since < patient(400ms)) return;
    const auto which = static_cast<std::size_t>(progress(index).use);
    const Use& use = uses_[which];
    const bool may_wait = use.waits == Waits::until_mended;
    if (may_wait && mended_at_[static_cast<std::size_t>(index)] != begun) {
      mended_at_[static_cast<std::size_t>(index)] = begun;
      ++tally_.mended;
    }
    if (may_wait) mend();
    if (since < patient(10s)) return;
    std::printf("scribble: %s hangs, seed %llu\n", use.name,
                static_cast<unsigned long long>(seed_));
    ++tally_.hangs;
    user.kill();
    user = start(index);
  }

  void judge(Child& user, int index) {
    const int status = user.exit_status();
    if (status == 0) return;
    const auto which = static_cast<std::size_t>(progress(index).use);
    std::printf("scribble: %s ends with %d, seed %llu\n", uses_[which].name, status,
                static_cast<unsigned long long>(seed_));
    ++tally_.signals;
  }

  const std::uint64_t seed_;
  Tally& tally_;
  TempName name_;
  const Objects objects_{name_};
  const std::vector<Use> uses_ = uses_of(name_, objects_, true);
  const std::optional<SegmentBytes> bytes_{std::in_place, name_};
  std::vector<unsigned char> sound_;
  const Shared<std::array<Progress, kUsers>> progress_;
  const SharedCounter scribbles_;
  const Gate over_;
  std::array<std::int64_t, kUsers> mended_at_{};
};

}  // namespace

TEST_SUITE_BEGIN("Scribble");

TEST_CASE("garbage written into a live segment: errors, time-outs, wrong data, no more") {
  const std::int64_t all = full_programme() ? 50'000 : 1'000;
  const std::int64_t each = 250;
  static const unsigned seed = std::random_device()();
  const auto begin = Clock::now();
  Tally tally;
  for (int round = 0; tally.scribbles < all; ++round)
    Round(seed + static_cast<unsigned>(round), tally).run(each);
  const std::chrono::duration<double> took = Clock::now() - begin;
  std::printf(
      "scribble: %lld scribbles, %lld calls, %lld errors, %lld other exceptions, %lld out of "
      "memory, %d mended, %d kills, %d hangs, %d signals, seed %u, %.1f s\n",
      static_cast<long long>(tally.scribbles), static_cast<long long>(tally.calls),
      static_cast<long long>(tally.errors), static_cast<long long>(tally.foreign_errors),
      static_cast<long long>(tally.memory_errors), tally.mended, tally.kills, tally.hangs,
      tally.signals, seed, took.count());
  CHECK(tally.scribbles >= all);
  CHECK(tally.calls >= tally.scribbles);
  CHECK(tally.errors >= tally.scribbles / 20);
  CHECK(tally.memory_errors == 0);
  CHECK(tally.hangs == 0);
  CHECK(tally.signals == 0);
}

TEST_SUITE_END();
