// SPDX-License-Identifier: MIT
#include "sweep.hpp"

#include "format.hpp"
#include "kinds.hpp"

namespace shoal::detail {
namespace {

void sweep_threads(const Tables& tables, const os::File& file, OwnerValue self, OwnerValue dead) {
  for (format::ThreadRecord& thread : tables.waiters()) {
    if (thread.owner.load(std::memory_order_acquire) != dead) continue;
    sweep_thread(tables, file, self, thread);
    thread.waits_for.store(0, std::memory_order_relaxed);
    clear_intent(thread.intent);
    thread.owner.store(kNobody, std::memory_order_release);
  }
}

}  // namespace

void sweep(const Tables& tables, const os::File& file, OwnerValue self, OwnerValue dead) {
  const std::uint32_t process = record_of(dead);
  for (std::uint32_t i = 0; i < tables.objects(); ++i) {
    if (!tables.is_open_by(i, process)) continue;
    if (const auto object = object_in(tables, i))
      sweep_object(tables, file, self, object->kind, object->memory, dead);
    tables.clear_open(i, process);
  }
  sweep_threads(tables, file, self, dead);
}

}  // namespace shoal::detail
