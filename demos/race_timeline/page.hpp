// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "timeline.hpp"

// One HTML page, complete in itself: the two timelines above one another, on the same scale.
std::string page(const Timeline& race, const Timeline& locked);
