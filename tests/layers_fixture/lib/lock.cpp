// SPDX-License-Identifier: MIT
#include "shoal/lock.hpp"

#include <fcntl.h>

#include <boost/version.hpp>

#include "core/word.hpp"
#include "os/futex.hpp"
#include "segment_file.hpp"
