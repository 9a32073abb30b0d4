// SPDX-License-Identifier: MIT
#pragma once

// All of shoal: shared objects and locks for processes that were started independently.

#include "shoal/error.hpp"
#include "shoal/fixed_string.hpp"
#include "shoal/lock.hpp"
#include "shoal/open.hpp"
#include "shoal/segment.hpp"
#include "shoal/shareable.hpp"
#include "shoal/type_name.hpp"
#include "shoal/value.hpp"
