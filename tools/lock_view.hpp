// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "segment_view.hpp"

namespace shoal::tool {

// A process, or a thread of it, as people know it. Zeros and an empty name: not known.
struct Who {
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::string process;
};
std::string spelled(const Who& who);  // "process 12 (worker), thread 13"

// A lock in an object, at the moment it was read.
struct LockView {
  enum class State {
    free,
    held,
    left,       // by a dead process, and nobody has noticed yet
    abandoned,  // the same, noticed
  };
  std::string role;    // empty: it is the object. Else what it is in it
  bool inner = false;  // the library's own: whoever comes next mends it by itself
  State state = State::free;
  Who holder;  // or who died holding it
  bool inherited = false;
  bool inherits = false;  // by the creator's choice the next caller has it
  std::uint32_t depth = 0;
  // To tell whether it has been let go of between two looks: who gives it back while somebody
  // sleeps changes `sleepers`.
  detail::OwnerValue owner = 0;
  std::uint32_t sleepers = 0;
};
const char* state_name(LockView::State state);

// Throws Damaged.
std::vector<LockView> read_locks(const SegmentView& view, const ObjectView& object);

// The threads of the living that wait for the object.
std::vector<Who> waiters_of(const SegmentView& view, const ObjectView& object);
Who who(const SegmentView& view, const ThreadView& thread);
Who who(const Participant& process);

}  // namespace shoal::tool
