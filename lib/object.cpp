// SPDX-License-Identifier: MIT
#include "object.hpp"

#include "kinds.hpp"
#include "machine.hpp"
#include "mapping.hpp"
#include "message.hpp"
#include "os/process.hpp"

namespace shoal::detail {

OwnerValue join(const Object& object) {
  if (this_tid == 0) this_tid = os::thread_id();
  object.mapping().rejoin();
  return object.mapping().self();
}

int count_waiting(const Object& object) {
  const Machine machine(object.mapping(), object.index());
  int count = 0;
  for (const format::ThreadRecord& thread : object.mapping().tables().waiters())
    if (thread.waits_for.load(std::memory_order_acquire) == object.index() + 1 &&
        machine.alive(thread.owner.load(std::memory_order_acquire)))
      ++count;
  return count;
}

std::string described(const Object& object) {
  return in_object(object.mapping().name(), kind_name(object.kind()), object.name());
}

}  // namespace shoal::detail
