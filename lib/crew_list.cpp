// SPDX-License-Identifier: MIT
#include "crew_list.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "os/process.hpp"
#include "shoal/error.hpp"

namespace shoal::detail {

void CrewList::hire() {
  crews_.push_back(fork_crew());
  memory_.list().change_crew(family_, ++newest_);  // until then they wait
}

std::shared_ptr<Crew> CrewList::fork_crew() {
  const std::uint32_t first = free_numbers();
  std::vector<WorkerRange> older;
  for (const auto& crew : crews_) older.push_back(crew->workers());
  try {
    return std::make_shared<Crew>(memory_, options_, first, newest_ + 1, std::move(older));
  } catch (const std::system_error& error) {
    throw Error(error.code(), "pool: workers cannot be started: " + error.code().message());
  }
}

// For as many workers: numbers that no other crew's have.
std::uint32_t CrewList::free_numbers() {
  for (;;) {
    std::uint32_t first = 0;
    for (const auto& crew : crews_)  // in the order of their numbers, or after a wait
      first = std::max(first, crew->workers().first + crew->workers().count);
    if (first + options_.size <= core::kMostWorkers) return first;
    if (const auto gap = gap_before_all()) return *gap;
    static_cast<void>(crews_.front()->ends_by(steady_now() + 10 * core::kMillisecond));
    drop_ended();
  }
}

std::optional<std::uint32_t> CrewList::gap_before_all() const {
  std::uint32_t least = core::kMostWorkers;
  for (const auto& crew : crews_) least = std::min(least, crew->workers().first);
  if (least >= options_.size) return 0;
  return std::nullopt;
}

void CrewList::drop_ended() {
  std::erase_if(crews_, [this](const std::shared_ptr<Crew>& crew) {
    if (!crew->has_ended()) return false;
    crew->end();
    bury(*crew);
    return true;
  });
}

void CrewList::bury(const Crew& crew) {
  for (std::uint32_t i = 0; i < crew.workers().count; ++i) {
    const std::uint32_t number = crew.workers().first + i;
    const std::uint32_t pid = memory_.worker(number).pid.load(std::memory_order_relaxed);
    bury_worker(memory_, number, {static_cast<std::int32_t>(pid), os::kKill, 0});
  }
}

void CrewList::end_all() {
  for (const auto& crew : crews_) crew->end();
  crews_.clear();
}

}  // namespace shoal::detail
