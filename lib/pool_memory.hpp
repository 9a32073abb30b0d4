// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/task_list.hpp"
#include "family.hpp"
#include "os/arena.hpp"
#include "shoal/detail/job.hpp"

namespace shoal::detail {

// Bytes of a task's: in its slot where there is room, else in pages of their own.
struct TaskBytes {
  std::uint64_t page = 0;  // where in the arena; 0: in the slot
  std::uint64_t size = 0;
};

struct TaskSlot {
  std::atomic<core::TaskState> state;
  std::uint64_t crew;
  RunTask run;
  TaskBytes arguments;
  TaskBytes result;
  std::array<std::byte, 72> room;
};
static_assert(sizeof(TaskSlot) == 128);

// Why a worker has ended, as waitid(2) tells: a signal, or else an exit status.
struct WorkerEnd {
  std::int32_t pid;
  std::int32_t signal;
  std::int32_t status;
};

// Why there is no use in starting workers: the type of an exception, and its what().
struct Complaint {
  std::atomic<std::uint32_t> is_made;  // released by make(), acquired by whoever reads the texts
  std::array<char, 250> type;
  std::array<char, 766> what;

  void make(const std::string& of_type, const std::string& says);
};

enum class WorkerStage : std::uint32_t {
  forked,
  initializing,  // in its pool's initializer
  at_work,       // which has returned
};

struct WorkerWords {
  std::atomic<std::uint64_t> note;
  std::atomic<std::uint32_t> pid;  // read when nobody is left to write it
  std::atomic<WorkerStage> stage;  // likewise
  Complaint complaint;
};

constexpr std::size_t up_to_page(std::size_t size) {
  return (size + os::Arena::kPage - 1) / os::Arena::kPage * os::Arena::kPage;
}

// What a Pool and its workers share.
class PoolMemory {
 public:
  using List = core::TaskList<Family, TaskSlot>;

  PoolMemory();

  List& list() { return list_; }
  WorkerWords& worker(std::uint32_t number) { return shared_->workers[number]; }
  Complaint& complaint() { return shared_->complaint; }
  // How many workers have ever begun to work. Nothing is published by it.
  std::atomic<std::uint64_t>& begun() { return shared_->begun; }

  // Puts bytes where they fit, in the slot or in pages; `place` says so before they are there: who is
  // killed in between leaves pages that can be given back. Throws std::bad_alloc.
  void put(TaskSlot& slot, TaskBytes& place, std::span<const std::byte> bytes);
  [[nodiscard]] std::span<const std::byte> get(const TaskSlot& slot, TaskBytes place) const;
  // Gives pages back, if there are any.
  void drop(TaskBytes& place);
  // The slots of tasks below `id` are not in use: gives the last whole page of them back.
  void drop_slots_before(core::TaskId id);

 private:
  static constexpr std::uint64_t kSlots = 1 << 22;
  static constexpr std::uint64_t kSlotsDropped = 1 << 10;  // at a time

  struct Shared {
    core::TaskListWords<Family> words;
    alignas(64) std::atomic<std::uint64_t> pages;  // ever taken; nothing is published by it
    std::atomic<std::uint64_t> begun;
    alignas(64) Complaint complaint;
    std::array<WorkerWords, core::kMostWorkers> workers;
    std::array<std::atomic<std::uint64_t>, kSlots / 64> done;
  };
  static constexpr std::size_t kSlotsAt = up_to_page(sizeof(Shared));
  static constexpr std::size_t kPagesAt = kSlotsAt + kSlots * sizeof(TaskSlot);

  std::uint64_t take_pages(std::size_t size);

  os::Arena arena_;
  Shared* shared_;
  List list_;
};

}  // namespace shoal::detail
