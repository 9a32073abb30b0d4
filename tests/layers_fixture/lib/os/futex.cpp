// SPDX-License-Identifier: MIT
#include "os/futex.hpp"

#include <linux/futex.h>

#include <boost/version.hpp>
#include <cerrno>

#include "core/word.hpp"
