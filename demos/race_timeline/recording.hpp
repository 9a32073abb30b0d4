// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

// The number that the processes share, and who stored it: so whoever loads it, or stores over it,
// knows whose it was. No guess is made from clocks.
struct Number {
  std::int32_t value = 0;
  std::int16_t process = -1;  // nobody's: the beginning
  std::int16_t round = 0;
  bool operator==(const Number&) const = default;
};

// The clock before and after something, in nanoseconds from the beginning of the run.
struct Span {
  std::int64_t before = 0;
  std::int64_t after = 0;
};

// One process adds 1, once: it loads the number, works for a moment, and stores the number plus 1.
struct Addition {
  std::int64_t asked = 0;  // with the lock: when it asked for it
  Number loaded;
  Number stored;
  Number overwritten;  // what was there when it stored
  Span load;
  Span store;
};

struct Recording {
  int processes = 0;
  int times = 0;
  bool locked = false;
  std::vector<Addition> additions;  // process by process
};

// Lets so many processes add 1 to the same number so many times, and tells what happened.
Recording record(int processes, int times, bool locked);
