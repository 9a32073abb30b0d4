// SPDX-License-Identifier: MIT

#include "recording.hpp"

#include <chrono>
#include <mutex>
#include <random>
#include <shoal/shoal.hpp>
#include <stdexcept>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;  // the same for all processes

std::int64_t now() { return std::chrono::nanoseconds(Clock::now().time_since_epoch()).count(); }

// Some tenths of a millisecond, in which a real program would compute something from what it has
// loaded. It makes the race wide enough to be seen.
void work(std::mt19937& random) {
  std::this_thread::sleep_for(
      std::chrono::microseconds(std::uniform_int_distribution<int>(100, 500)(random)));
}

// The bug: whoever stores between this load and this store is overwritten. exchange() is a store
// that tells what was there.
void add_one(const shoal::Value<Number>& number, int process, int round, std::mt19937& random,
             Addition& note) {
  note.load.before = now();
  note.loaded = number.load();
  note.load.after = now();
  work(random);
  note.stored = {note.loaded.value + 1, static_cast<std::int16_t>(process),
                 static_cast<std::int16_t>(round)};
  note.store.before = now();
  note.overwritten = number.exchange(note.stored);
  note.store.after = now();
}

}  // namespace

Recording record(int processes, int times, bool locked) {
  const auto segment = shoal::Segment::anonymous();
  const shoal::Value<Number> number(segment, "number");
  const shoal::Lock lock(segment, "number.lock");
  const shoal::Barrier start(segment, "start", processes);
  const shoal::Value<std::int64_t> begin(segment, "begin");
  const auto count = static_cast<std::size_t>(times);
  const shoal::Array<Addition> notes(segment, "notes", static_cast<std::size_t>(processes) * count);

  const auto run = [=](int process) {
    std::mt19937 random(static_cast<unsigned>(process));
    start.arrive_and_wait([&] { begin.store(now() + 3'000'000); });
    std::this_thread::sleep_for(std::chrono::nanoseconds(begin.load() - now()));
    for (std::size_t round = 0; round < count; ++round) {
      Addition& note = notes[static_cast<std::size_t>(process) * count + round];
      note.asked = now();
      std::unique_lock held(lock, std::defer_lock);
      if (locked) held.lock();
      add_one(number, process, static_cast<int>(round), random, note);
      if (locked) held.unlock();
      work(random);
    }
  };
  std::vector<shoal::Process> others;
  for (int process = 0; process < processes; ++process) others.emplace_back(run, process).start();
  for (shoal::Process& other : others) {
    other.join();
    if (other.exit_code() != 0) throw std::runtime_error("a process failed");
  }

  Recording recording{processes, times, locked, {notes.begin(), notes.end()}};
  for (Addition& note : recording.additions)
    for (std::int64_t* const time :
         {&note.asked, &note.load.before, &note.load.after, &note.store.before, &note.store.after})
      *time -= begin.load();
  return recording;
}
