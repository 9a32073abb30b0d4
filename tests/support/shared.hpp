// SPDX-License-Identifier: MIT
#pragma once

// One T in anonymous shared memory: what a forked child does to it, its parent sees.
//
//   SharedCounter done;
//   Child child([&] { ++*done; return true; });
//   CHECK(child.succeeds());
//   CHECK(*done == 1);
//
// T should be an atomic, or be read only once the child has been waited for. It is not destroyed:
// its memory goes when the last process that maps it does.

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

namespace shoal_test {

template <class T>
class Shared {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  template <class... Args>
  explicit Shared(Args&&... args) : memory_(map()) {
    ::new (memory_) T{std::forward<Args>(args)...};
  }
  ~Shared() { ::munmap(memory_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  T& operator*() const { return *std::launder(static_cast<T*>(memory_)); }
  T* operator->() const { return &**this; }

 private:
  static void* map() {
    void* memory =
        ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    return memory;
  }

  void* memory_;
};

using SharedCounter = Shared<std::atomic<std::int64_t>>;

}  // namespace shoal_test
