// SPDX-License-Identifier: MIT
#pragma once

namespace shoal::os {

// CPUs that this process may run on, at least 1; and of how many cores they are.
unsigned cpu_count();
unsigned core_count();

}  // namespace shoal::os
