// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "crew.hpp"
#include "pool_memory.hpp"

namespace shoal::detail {

// The crews of a Pool: the newest, and older ones that finish what they have begun. The caller sees
// to it that one thread at a time uses it.
class CrewList {
 public:
  CrewList(PoolMemory& memory, const CrewOptions& options) : memory_(memory), options_(options) {}

  // Workers that have the memory of this process as it is now. Those of before leave. Throws Error.
  void hire();
  // Of a crew whose foreman has ended nobody is left to work, or there is nobody to look after them.
  void drop_ended();
  // Kills all there are, and waits until they are gone.
  void end_all();

  [[nodiscard]] bool empty() const { return crews_.empty(); }
  [[nodiscard]] std::uint64_t newest() const { return newest_; }
  // Shared with those who wait for its end.
  [[nodiscard]] std::shared_ptr<Crew> oldest() const { return crews_.front(); }

 private:
  [[nodiscard]] std::shared_ptr<Crew> fork_crew();
  [[nodiscard]] std::uint32_t free_numbers();
  [[nodiscard]] std::optional<std::uint32_t> gap_before_all() const;
  void bury(const Crew& crew);

  PoolMemory& memory_;
  const CrewOptions& options_;
  Family family_;
  std::vector<std::shared_ptr<Crew>> crews_;
  std::uint64_t newest_ = 0;
};

}  // namespace shoal::detail
