// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include <atomic>

#include "os/futex.hpp"
#include "shoal/detail/object.hpp"
#include "shoal/lock.hpp"
