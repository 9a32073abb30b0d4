// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "page/chart.hpp"
#include "page/figures.hpp"

namespace bench {

struct Picture {
  std::string file;  // its name
  Chart chart;
};

struct Page {
  std::string markdown;
  std::vector<Picture> pictures;
};

// `folder`: where the page finds its pictures. Nothing but the figures is in it: no time, no place.
Page page(const Figures& figures, const std::string& folder);

}  // namespace bench
