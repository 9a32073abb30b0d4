// SPDX-License-Identifier: MIT
#include "section.hpp"

#include <new>

#include "names.hpp"

namespace shoal::stress {

// inside               meaning
// 0                    nobody
// life << 32 | i + 1   participant i in that life; if it is condemned, it may have died here
//
// A visit stores, in this order: inside; log.target = 0, log.done, log.target; counter; done; inside
// = 0. Whoever finds a dead one inside: if the counter is the log's target, the update was made, and
// log.done is how many there are by now; else it was not.
struct Section::Memory {
  struct alignas(64) Log {
    std::atomic<std::uint64_t> target;  // what the counter is going to be
    std::atomic<std::uint64_t> after;   // what done is going to be
    std::atomic<std::uint64_t> done;    // updates by this participant, in all of its lives
  };
  alignas(64) std::atomic<std::uint64_t> inside;
  std::atomic<std::uint64_t> counter;
  std::array<Log, kMostProcesses> logs;
};

namespace {

using Word = std::atomic<std::uint64_t>;

// Signal fences keep the compiler from moving these; the CPU may do with them what it does.
std::uint64_t load(const Word& word) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return word.load(std::memory_order_relaxed);
}
void store(Word& word, std::uint64_t value) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  word.store(value, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

constexpr std::uint64_t kAuditEvery = 32;  // visits, about
constexpr std::uint64_t kIndexBits = 32;
std::uint64_t mark_of(const Participant& me) {
  return std::uint64_t{me.life()} << kIndexBits | (me.index() + 1);
}
unsigned index_of(std::uint64_t mark) { return static_cast<std::uint32_t>(mark) - 1; }
std::uint32_t life_of(std::uint64_t mark) { return static_cast<std::uint32_t>(mark >> kIndexBits); }

}  // namespace

std::size_t Section::memory_size() { return sizeof(Memory); }

void Section::set_up(void* memory, const Plan& plan) {
  memory_ = ::new (memory) Memory();
  processes_ = plan.processes;
}

void Section::settle(unsigned dead) const {
  Memory::Log& log = memory_->logs[dead];
  const std::uint64_t target = load(log.target);
  if (target != 0 && load(memory_->counter) == target) store(log.done, load(log.after));
}

void Section::enter(Participant& me, bool told, bool silent) const {
  const std::uint64_t before = load(memory_->inside);
  if (before != 0) {
    const std::string both =
        name_of(me.index()) + " got the lock while " + name_of(index_of(before));
    if (!me.is_condemned(index_of(before), life_of(before)))
      me.fail("mutual exclusion: " + both + " held it");
    else if (!told && !silent)
      me.fail(both + ", dead, still held it, and was not told so");
    else
      settle(index_of(before));
  }
  store(memory_->inside, mark_of(me));
}

// What two did at the very same moment neither of them sees: their stores are still under way. But an
// update is missing then, and for its holder the sum has to be right at any time.
void Section::audit(Participant& me) const {
  const std::string wrong = sum();
  if (!wrong.empty()) me.fail(wrong);
}

void Section::visit(Participant& me, bool told, bool silent) const {
  enter(me, told, silent);
  if (me.random() % kAuditEvery == 0) audit(me);
  Memory::Log& log = memory_->logs[me.index()];
  const std::uint64_t seen = load(memory_->counter);
  store(log.target, 0);
  store(log.after, load(log.done) + 1);
  store(log.target, seen + 1);
  me.pause();
  const std::uint64_t now = load(memory_->counter);
  store(memory_->counter, seen + 1);
  store(log.done, load(log.after));
  if (now != seen)
    me.fail("lost update: " + name_of(me.index()) + " read " + std::to_string(seen) +
            ", and before it wrote that plus 1, somebody wrote " + std::to_string(now));
  const std::uint64_t inside = load(memory_->inside);
  if (inside != mark_of(me))
    me.fail("mutual exclusion: " + name_of(me.index()) + " held the lock, and " +
            (inside == 0 ? "somebody" : name_of(index_of(inside))) + " got it too");
  store(memory_->inside, 0);
}

std::string Section::diagnose(const Control& control) const {
  const std::uint64_t inside = load(memory_->inside);
  if (inside == 0) return "nobody holds the lock at this moment";
  return name_of(index_of(inside)) + (control.is_condemned(index_of(inside), life_of(inside))
                                          ? " was killed holding the lock"
                                          : " holds the lock at this moment");
}

std::string Section::sum() const {
  std::uint64_t done = 0;
  for (unsigned i = 0; i < processes_; ++i) done += load(memory_->logs[i].done);
  const std::uint64_t counter = load(memory_->counter);
  if (done == counter) return {};
  return "lost updates: " + std::to_string(done) + " times somebody added 1, and the sum is " +
         std::to_string(counter);
}

std::string Section::check() const {
  // Of one who died last nobody has settled the log.
  if (const std::uint64_t inside = load(memory_->inside); inside != 0) settle(index_of(inside));
  return sum();
}

}  // namespace shoal::stress
