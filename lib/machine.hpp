// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include "core/cpu_notes.hpp"
#include "core/waiter.hpp"
#include "core/world.hpp"
#include "mapping.hpp"
#include "os/cpu.hpp"
#include "os/file.hpp"
#include "shoal/detail/machine.hpp"
#include "shoal/detail/obituary.hpp"
#include "tables.hpp"

namespace shoal::detail {

// The World of production: this process, in one segment. For one call, on the stack.
class Machine : public MachineAtomics {
 public:
  using Atomics = MachineAtomics;

  // Spinning costs a CPU that somebody else may need, sleeping 25 us to the sleeper and 8 us to
  // its waker: a few looks, for whoever runs on another CPU; then yields, for whoever needs this
  // one.
  static constexpr int kLooks = 100;
  static constexpr int kYields = 3;
  static constexpr int kLooksAfterYield = 10;
  static constexpr int kRests = 8;
  static constexpr bool kTakesTurns = true;
  // Less than a time slice.
  static constexpr std::uint64_t kPatience = 2000 * os::kLeastTicksPerMicrosecond;
  // From the last instruction of a process that is killed, until its parent is told, 19 us passed at
  // the least.
  static constexpr std::uint64_t kDeathUnseen = 10 * os::kLeastTicksPerMicrosecond;

  Machine(const Tables& tables, const os::File& file, OwnerValue self);
  // Notes in this thread's record, while it waits, that it does so for that object. Inline: every
  // message through a pipe comes by here.
  Machine(Mapping& mapping, std::uint32_t object)
      : tables_(mapping.tables()),
        file_(mapping.file()),
        self_(mapping.self()),
        is_reached_(mapping.self_words()[kFastSelf].load(std::memory_order_relaxed) != kNobody),
        mapping_(&mapping),
        object_(object) {}

  static std::int64_t now() { return steady_now(); }
  static std::uint64_t ticks() { return os::ticks(); }
  static void pause() { os::pause(); }
  static void rest();
  static void yield();
  [[nodiscard]] std::span<core::BasicCpuNotes<MachineAtomics>> cpu_notes() const;
  static int cpu();
  std::uint32_t object() const { return object_; }
  static void nap(std::int64_t nanoseconds);
  static bool barrier();
  [[nodiscard]] bool is_reached() const { return is_reached_; }
  static void fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
  static void sleep(Atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t nanoseconds);
  static void wake(Atomic<std::uint32_t>& word, int count);
  void begin_wait();
  void end_wait();
  bool alive(OwnerValue owner) const;
  Facts facts(OwnerValue owner) const;

 private:
  const Tables& tables_;
  const os::File& file_;
  const OwnerValue self_;
  const bool is_reached_;
  Mapping* mapping_ = nullptr;
  std::uint32_t object_ = 0;
  format::ThreadRecord* thread_ = nullptr;
  int waits_ = 0;  // one inside another: a look may wait, too, for an inner lock
};

}  // namespace shoal::detail

namespace shoal::core {
template <>
struct WaitersIn<detail::Machine> {
  using Type = detail::ThreadRecords;
};
}  // namespace shoal::core
