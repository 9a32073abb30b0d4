// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace shoal::os {

// Makes this process one that every membarrier() reaches. 4 us in a process of one thread, 6 to
// 12 ms once there are more. False where the kernel or a filter of system calls forbids it. It
// lasts until exec; fork passes it on.
bool register_for_membarrier();

// A full memory barrier in every running thread of every registered process, and in the caller.
// False where it cannot be had.
bool membarrier();

// Gives the CPU to whoever else wants it.
void yield();

// Tells the CPU that this is a spin.
void pause();

// Counts up all the time, alike on all CPUs, by some tens to some thousands a microsecond. What it
// takes to know that a moment has passed, for less than a look at the clock.
std::uint64_t ticks();

}  // namespace shoal::os
