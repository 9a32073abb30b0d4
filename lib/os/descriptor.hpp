// SPDX-License-Identifier: MIT
#pragma once

namespace shoal::os {

// Not where a closed stdin, stdout or stderr has been: who prints would write into it. A negative one,
// and one that cannot be moved, stays as it is.
void move_beyond_stderr(int& descriptor);

}  // namespace shoal::os
