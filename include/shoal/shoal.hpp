// SPDX-License-Identifier: MIT
#pragma once

// All of shoal: shared objects and locks for processes that were started independently.

#include "shoal/array.hpp"
#include "shoal/barrier.hpp"
#include "shoal/codec.hpp"
#include "shoal/condition.hpp"
#include "shoal/error.hpp"
#include "shoal/event.hpp"
#include "shoal/fixed_string.hpp"
#include "shoal/lock.hpp"
#include "shoal/on_owner_death.hpp"
#include "shoal/open.hpp"
#include "shoal/pipe.hpp"
#include "shoal/pool.hpp"
#include "shoal/process.hpp"
#include "shoal/queue.hpp"
#include "shoal/rlock.hpp"
#include "shoal/segment.hpp"
#include "shoal/semaphore.hpp"
#include "shoal/shareable.hpp"
#include "shoal/type_name.hpp"
#include "shoal/value.hpp"
#include "shoal/wait.hpp"
