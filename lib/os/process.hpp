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

// As a static: calls these around every fork() of the process, in the order that pthread_atfork(3) tells.
// With [[gnu::init_priority(101)]] from before there is any other thread, or any other static.
struct AtFork {
  AtFork(void (*prepare)(), void (*parent)(), void (*child)());
};

// A static that is there before anything is constructed, and is never destroyed: handles may be
// statics. A static of a function has a guard, which the child of a fork may find taken, for ever, by
// a thread that it does not have.
template <class T>
class Lasting {
 public:
  constexpr Lasting() : value_() {}
  Lasting(const Lasting&) = delete;
  Lasting& operator=(const Lasting&) = delete;
  ~Lasting() {}  // NOLINT(modernize-use-equals-default): that would be deleted
  T* operator->() { return &value_; }

 private:
  union {
    T value_;
  };
};

}  // namespace shoal::os
