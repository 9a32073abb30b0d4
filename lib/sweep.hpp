// SPDX-License-Identifier: MIT
#pragma once

#include "os/file.hpp"
#include "shoal/detail/owner_value.hpp"
#include "tables.hpp"

namespace shoal::detail {

// Takes the name of a dead process out of everything that it had open, and gives its thread records
// back. Requires that nobody else does so: the directory lock, or to be that process. `self` and
// `file` are the asker's, as in is_alive(). Each step is idempotent: it may be killed and done again.
void sweep(const Tables& tables, const os::File& file, OwnerValue self, OwnerValue dead);

}  // namespace shoal::detail
