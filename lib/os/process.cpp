// SPDX-License-Identifier: MIT
#include "os/process.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <new>
#include <vector>

namespace shoal::os {

std::uint32_t process_id() { return static_cast<std::uint32_t>(::getpid()); }
std::uint32_t thread_id() { return static_cast<std::uint32_t>(::gettid()); }
std::string_view program_name() { return program_invocation_short_name; }
bool is_root() { return ::geteuid() == 0; }
std::uint32_t user_id() { return ::geteuid(); }

std::int64_t unix_time() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::uint64_t random_number() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number)
    number = static_cast<std::uint64_t>(unix_time());
  return number;
}

namespace {

constexpr std::size_t kPage = 4096;

// Never destroyed: handles may be, after this file's statics.
std::vector<WipedOnFork*>& free_words() {
  static auto* const words = new std::vector<WipedOnFork*>;
  return *words;
}

void add_page(std::vector<WipedOnFork*>& free) {
  void* const page =
      ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::bad_alloc();
  ::madvise(page, kPage, MADV_WIPEONFORK);  // without it, raw clones go unnoticed; forks do not
  free.reserve(kPage / sizeof(WipedOnFork));
  for (std::size_t at = 0; at + sizeof(WipedOnFork) <= kPage; at += sizeof(WipedOnFork))
    free.push_back(new (static_cast<char*>(page) + at) WipedOnFork{});
}

}  // namespace

WipedOnFork* take_wiped_on_fork() {
  std::vector<WipedOnFork*>& free = free_words();
  if (free.empty()) add_page(free);
  WipedOnFork* const words = free.back();
  free.pop_back();
  return words;
}

void give_back(WipedOnFork* words) {
  for (auto& word : words->words) word.store(0, std::memory_order_relaxed);
  free_words().push_back(words);
}

ThreadWord::ThreadWord(void (*end)(void*)) {
  ::pthread_key_t key = 0;
  if (::pthread_key_create(&key, end) == 0) key_ = key;
}
void ThreadWord::set(void* word) const {
  if (key_) static_cast<void>(::pthread_setspecific(*key_, word));
}

AtFork::AtFork(void (*prepare)(), void (*parent)(), void (*child)()) {
  ::pthread_atfork(prepare, parent, child);
}

}  // namespace shoal::os
