// SPDX-License-Identifier: MIT
#pragma once

// What AddressSanitizer and ThreadSanitizer must be told when a thread changes its stack. Without
// a sanitizer all of this is nothing.
//
//   renew    a fiber starts afresh, for the nth time      leave    just before a switch
//   forget   a fiber is destroyed                         arrive   just after one
//
// `state` is the one word a fiber keeps for them: AddressSanitizer's fake stack, or
// ThreadSanitizer's fiber.

#include <cstddef>

#if defined(__has_feature)
#define SHOAL_TEST_HAS(feature) __has_feature(feature)
#else
#define SHOAL_TEST_HAS(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SHOAL_TEST_HAS(address_sanitizer)

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

namespace shoal_test::sanitizer {

// The thread's own stack, which only the sanitizer knows: learnt at the first change away from it.
inline const void* thread_stack = nullptr;
inline std::size_t thread_stack_size = 0;

inline void renew(void*& state, const void* stack, std::size_t size, unsigned) {
  state = nullptr;
  __asan_unpoison_memory_region(stack, size);
}
inline void leave(void*& from, void*&, const void* stack, std::size_t size) {
  if (stack == nullptr) {
    stack = thread_stack;
    size = thread_stack_size;
  }
  __sanitizer_start_switch_fiber(&from, stack, size);
}
inline void arrive(void* state) {
  const void* left = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(state, &left, &size);
  if (thread_stack == nullptr) {
    thread_stack = left;
    thread_stack_size = size;
  }
}
inline void forget(void*, bool) {}

}  // namespace shoal_test::sanitizer

#elif defined(__SANITIZE_THREAD__) || SHOAL_TEST_HAS(thread_sanitizer)

#include <sanitizer/tsan_interface.h>

namespace shoal_test::sanitizer {

inline void forget(void* state, bool own_stack) {
  if (own_stack && state != nullptr) __tsan_destroy_fiber(state);
}
// Making one takes as long as some hundred steps; keeping one for ever would let what abandoned
// runs left on its shadow stack pile up.
inline void renew(void*& state, const void*, std::size_t, unsigned starts) {
  constexpr unsigned kStartsOfOne = 256;
  if (starts % kStartsOfOne != 0) return;
  forget(state, true);
  state = __tsan_create_fiber(0);
}
inline void leave(void*& from, void*& to, const void*, std::size_t) {
  if (from == nullptr) from = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(to, 0);
}
inline void arrive(void*) {}

}  // namespace shoal_test::sanitizer

#else

namespace shoal_test::sanitizer {

inline void renew(void*&, const void*, std::size_t, unsigned) {}
inline void leave(void*&, void*&, const void*, std::size_t) {}
inline void arrive(void*) {}
inline void forget(void*, bool) {}

}  // namespace shoal_test::sanitizer

#endif
