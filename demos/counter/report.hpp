// SPDX-License-Identifier: MIT
#pragma once

// What is printed.

#include <cstdint>

#include "meeting.hpp"
#include "options.hpp"

void print_task(const Options& options, int processes);
// Returns the exit code.
int print_result(const Options& options, std::int64_t got, const Tally& tally, int processes);
