// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "shoal/detail/lock_word.hpp"

namespace shoal::detail {

// A value in shared memory: this, then its bytes. One copy where T fits an atomic; else two, of
// which `version` says which is current:
//
//   version        current copy   other copy                          who may change it
//   even           first          being written, by writer's holder   writer's holder, + 1
//   odd            second         the same                            the same
//
// V1 -> V2   the writer fills the other copy in, then stores version + 1 (release); a reader loads
//            version (acquire), copies, and loads it again: unchanged, the copy was whole.
struct ValueWord {
  LockWord lock;    // get_lock(): the users'
  LockWord writer;  // inner, of the inherit kind: who died holding it left the current copy whole
  std::atomic<std::uint64_t> version;
  std::uint64_t reserved[7];
};
static_assert(std::is_standard_layout_v<ValueWord>);
static_assert(sizeof(ValueWord) == 320 && offsetof(ValueWord, version) == 256, "docs/format.md");

}  // namespace shoal::detail
