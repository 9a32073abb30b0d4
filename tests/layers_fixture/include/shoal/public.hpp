// SPDX-License-Identifier: MIT
#pragma once

#define BREACH

#include <unistd.h>

#include <boost/version.hpp>
#include <cerrno>
#include <cstdint>

#include "core/word.hpp"
#include "shoal/detail/object.hpp"

#ifdef BREACH
#endif
