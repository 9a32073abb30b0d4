// SPDX-License-Identifier: MIT
#pragma once

namespace shoal {

// What happens to a lock whose holder dies: `raise` tells every caller until one recovers it,
// `inherit` gives it to the next caller, whose inherited() is then true.
enum class OnOwnerDeath { raise, inherit };

}  // namespace shoal
