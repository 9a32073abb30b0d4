// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

namespace shoal::os {

std::uint32_t process_id();
std::uint32_t thread_id();
std::string_view program_name();  // without its folder
std::int64_t unix_time();         // nanoseconds; for people to read, never for waiting
std::uint64_t random_number();
bool is_root();
std::uint32_t user_id();

// Three words that are zero in the child of any fork, even of a raw clone(2) that runs no handlers;
// for as long as the process lives. Throws std::bad_alloc. One thread at a time may take or give.
struct WipedOnFork {
  std::atomic<std::uint64_t> words[3];
};
WipedOnFork* take_wiped_on_fork();
void give_back(WipedOnFork* words);

// A word of each thread's, nullptr at first. When a thread ends, after the destructors of all its
// objects, `end` is called with what stands there, unless that is nullptr; not when the process does.
class ThreadWord {
 public:
  explicit ThreadWord(void (*end)(void*));
  void set(void* word) const;  // or nothing, where the process has no room for more of them

 private:
  std::optional<std::uint32_t> key_;
};

// Calls these around every fork() of the process, in the order that pthread_atfork(3) tells.
void at_fork(void (*prepare)(), void (*parent)(), void (*child)());

}  // namespace shoal::os
