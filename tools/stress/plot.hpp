// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "engine.hpp"

// Plots, as SVG that takes its colours from the page around it.
namespace shoal::stress {

// How often a wait took how long: both axes logarithmic.
std::string plot_waits(const Histogram& histogram);
// How far each participant was at each time.
std::string plot_progress(const Outcome& outcome);

}  // namespace shoal::stress
