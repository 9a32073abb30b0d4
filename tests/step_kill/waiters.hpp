// SPDX-License-Identifier: MIT
#pragma once

// Killed, or stopped, while waiting.
//
//   kill_a_waiter([&] { semaphore.acquire(); }, [&] { semaphore.release(2); });

#include <doctest/doctest.h>

#include <vector>

#include "support/child.hpp"

namespace shoal_test {

template <class Wait>
std::vector<Child> three_asleep(Wait wait) {
  std::vector<Child> waiters;
  for (int i = 0; i < 3; ++i) waiters.emplace_back(wait).wait_until_asleep();
  return waiters;
}

// Three wait, and sleep. The first, then the second is killed in its sleep; let_go() is what the
// last must go on after.
template <class Wait, class LetGo>
void kill_a_waiter(Wait wait, LetGo let_go) {
  std::vector<Child> waiters = three_asleep(wait);
  waiters[0].kill();
  waiters[1].kill();
  let_go();
  CHECK(waiters[2].succeeds());
}

// Three wait, and sleep. The first is stopped. After let_go_some() the others go on without it, and
// after let_go_rest() it goes on too, for it was not dead.
template <class Wait, class LetGoSome, class LetGoRest>
void stop_a_waiter(Wait wait, LetGoSome let_go_some, LetGoRest let_go_rest) {
  std::vector<Child> waiters = three_asleep(wait);
  waiters[0].stop();
  let_go_some();
  CHECK(waiters[1].succeeds());
  CHECK(waiters[2].succeeds());
  waiters[0].resume();
  let_go_rest();
  CHECK(waiters[0].succeeds());
}

}  // namespace shoal_test
