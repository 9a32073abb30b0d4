// SPDX-License-Identifier: MIT
#include <pthread.h>

#include "core/word.hpp"
