// SPDX-License-Identifier: MIT
#include "page/quantity.hpp"

#include <cmath>
#include <cstdio>

namespace bench {
namespace {

struct Unit {
  const char* name;
  double ns;
};

Unit unit_of(double ns) {
  constexpr Unit kUnits[] = {{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}};
  for (const Unit& unit : kUnits)
    if (ns >= 0.9995 * unit.ns) return unit;
  return {"ns", 1};
}

std::string with_digits(double value, int behind_point) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", behind_point, value);
  return text;
}

// At least two behind the point where there is a zero before it.
std::string three_digits(double value) {
  int behind_point = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  for (double limit = 0.1; value > 0 && value < limit && behind_point < 6; limit /= 10)
    ++behind_point;
  return with_digits(value, behind_point);
}

std::string spread_text(const Spread& spread, double unit, const std::string& unit_name) {
  return three_digits(spread.median / unit) + unit_name + " (" + three_digits(spread.least / unit) +
         "–" + three_digits(spread.most / unit) + ")";
}

}  // namespace

std::string time_text(double ns) {
  const Unit unit = unit_of(ns);
  return three_digits(ns / unit.ns) + " " + unit.name;
}

std::string time_text(const Spread& ns) {
  const Unit unit = unit_of(ns.median);
  return spread_text(ns, unit.ns, std::string(" ") + unit.name);
}

std::string times_text(double ratio) { return three_digits(ratio); }

std::string times_text(const Spread& ratio) { return spread_text(ratio, 1, ""); }

std::string round_time_text(double ns) {
  const Unit unit = unit_of(ns);
  const double value = ns / unit.ns;
  const bool is_whole = std::abs(value - std::round(value)) < 1e-6;
  return with_digits(value, is_whole ? 0 : 1) + " " + unit.name;
}

}  // namespace bench
