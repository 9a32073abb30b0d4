// SPDX-License-Identifier: MIT
#include "machine.hpp"

#include "os/cpu.hpp"
#include "os/futex.hpp"
#include "process_record.hpp"
#include "registry.hpp"
#include "thread_record.hpp"

namespace shoal::detail {

Machine::Machine(const Tables& tables, const os::File& file, OwnerValue self)
    : tables_(tables), file_(file), self_(self), is_reached_(membarrier_reaches_us()) {}

// Some 100 ns: as long as a cache line takes to come and go.
void Machine::rest() {
  for (int i = 0; i < 8; ++i) os::pause();
}
void Machine::yield() { os::yield(); }
std::span<core::BasicCpuNotes<MachineAtomics>> Machine::cpu_notes() const {
  return tables_.cpu_notes();
}
int Machine::cpu() { return os::this_cpu(); }
// Not by nanosleep(), in which a thread may be cancelled.
void Machine::nap(std::int64_t nanoseconds) {
  const std::atomic<std::uint32_t> nobodys{0};
  os::futex_wait(nobodys, 0, nanoseconds);
}
bool Machine::barrier() { return os::membarrier(); }

void Machine::sleep(Atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t nanoseconds) {
  os::futex_wait(word, expected, nanoseconds);
}

void Machine::begin_wait() {
  if (waits_++ > 0) return;
  thread_ = mapping_ ? thread_record(*mapping_) : nullptr;
  if (thread_) thread_->waits_for.store(object_ + 1, std::memory_order_release);
}

void Machine::end_wait() {
  if (--waits_ > 0) return;
  if (thread_) thread_->waits_for.store(0, std::memory_order_release);
}

void Machine::wake(Atomic<std::uint32_t>& word, int count) { os::futex_wake(word, count); }

bool Machine::alive(OwnerValue owner) const { return is_alive(tables_, file_, self_, owner); }
Facts Machine::facts(OwnerValue owner) const { return facts_of(tables_, owner); }

}  // namespace shoal::detail
