// SPDX-License-Identifier: MIT
#include "page/chart.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "page/quantity.hpp"

namespace bench {
namespace {

// Pixels.
constexpr double kWidth = 760, kPlotLeft = 190, kPlotRight = 670;
constexpr double kPlotTop = 58, kRow = 24, kBar = 14, kBelowPlot = 34;

// Where values are further apart than that, the scale is logarithmic.
constexpr double kDecadesApart = 20;

constexpr const char* kStyle =
    "<style>\n"
    "text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}\n"
    ".title{font-size:15px;font-weight:600}\n"
    ".small{font-size:12px;fill:#59636e}\n"
    ".page{fill:#ffffff}\n"
    ".grid{stroke:#d1d9e0;stroke-width:1}\n"
    ".ours{fill:#0969da}\n"
    ".peer{fill:#9aa4af}\n"
    ".limit{fill:#ffffff;stroke:#818b98;stroke-dasharray:3 2}\n"
    ".error{stroke:#1f2328;stroke-width:1.5}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#f0f6fc}\n"
    ".small{fill:#9198a1}\n"
    ".page{fill:#0d1117}\n"
    ".grid{stroke:#3d444d}\n"
    ".ours{fill:#4493f8}\n"
    ".peer{fill:#656c76}\n"
    ".limit{fill:#0d1117;stroke:#9198a1}\n"
    ".error{stroke:#f0f6fc}\n"
    "}\n"
    "</style>\n";

std::string number(double pixels) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", pixels);
  return text;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text)
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else
      result += c;
  return result;
}

// From nanoseconds to pixels.
class Scale {
 public:
  explicit Scale(const std::vector<Chart::Bar>& bars) {
    double least = bars.front().ns.least;
    for (const Chart::Bar& bar : bars) {
      least = std::min(least, bar.ns.least);
      most_ = std::max(most_, bar.ns.most);
    }
    is_logarithmic_ = most_ > kDecadesApart * least;
    if (is_logarithmic_) first_ = std::pow(10, std::floor(std::log10(0.7 * least)));
    last_ = is_logarithmic_ ? 1.3 * most_ : 1.05 * most_;
  }
  [[nodiscard]] bool is_logarithmic() const { return is_logarithmic_; }
  [[nodiscard]] double x(double ns) const {
    const double part = is_logarithmic_
                            ? std::log(std::max(ns, first_) / first_) / std::log(last_ / first_)
                            : ns / last_;
    return kPlotLeft + part * (kPlotRight - kPlotLeft);
  }
  [[nodiscard]] std::vector<double> ticks() const {
    std::vector<double> all;
    if (is_logarithmic_) {
      for (int i = 0; first_ * std::pow(10, i) <= last_; ++i)
        all.push_back(first_ * std::pow(10, i));
      return all;
    }
    const double step = step_of(last_ / 5);
    for (int i = 0; i * step <= last_; ++i) all.push_back(i * step);
    return all;
  }

 private:
  // The next of 1, 2, 5, 10, 20, ...
  static double step_of(double at_least) {
    const double decade = std::pow(10, std::floor(std::log10(at_least)));
    for (const int times : {1, 2, 5})
      if (times * decade >= at_least) return times * decade;
    return 10 * decade;
  }
  double first_ = 0;
  double last_ = 0;
  double most_ = 0;
  bool is_logarithmic_ = false;
};

std::string text(double x, double y, const char* anchor, const char* style,
                 const std::string& what) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor +
         "\" class=\"" + style + "\">" + escaped(what) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) +
         "\" y2=\"" + number(y2) + "\" class=\"" + style + "\"/>\n";
}

std::string rectangle(double x, double y, double width, double height, const char* style) {
  return "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) +
         "\" height=\"" + number(height) + "\" class=\"" + style + "\"/>\n";
}

std::string grid(const Scale& scale, double bottom) {
  std::string result;
  for (const double ns : scale.ticks()) {
    result += line(scale.x(ns), kPlotTop, scale.x(ns), bottom, "grid");
    result +=
        text(scale.x(ns), bottom + 18, "middle", "small", ns == 0 ? "0" : round_time_text(ns));
  }
  return result;
}

const char* style_of(Chart::Kind kind) {
  return kind == Chart::Kind::ours ? "ours" : kind == Chart::Kind::limit ? "limit" : "peer";
}

std::string row(const Chart::Bar& bar, const Scale& scale, double top) {
  const double middle = top + kRow / 2;
  const double least = scale.x(bar.ns.least);
  const double most = scale.x(bar.ns.most);
  return text(kPlotLeft - 8, middle + 4.5, "end", "label", bar.label) +
         rectangle(kPlotLeft, middle - kBar / 2, scale.x(bar.ns.median) - kPlotLeft, kBar,
                   style_of(bar.kind)) +
         line(least, middle, most, middle, "error") +
         line(least, middle - 4, least, middle + 4, "error") +
         line(most, middle - 4, most, middle + 4, "error") +
         text(kPlotRight + 8, middle + 4.5, "start", "value", time_text(bar.ns.median));
}

}  // namespace

std::string svg(const Chart& chart) {
  const Scale scale(chart.bars);
  const double bottom = kPlotTop + kRow * static_cast<double>(chart.bars.size());
  const std::string width = number(kWidth);
  const std::string height = number(bottom + kBelowPlot);
  std::string result = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + width +
                       "\" height=\"" + height + "\" viewBox=\"0 0 " + width + " " + height +
                       "\" role=\"img\">\n<title>" + escaped(chart.title) + "</title>\n" + kStyle +
                       rectangle(0, 0, kWidth, bottom + kBelowPlot, "page") +
                       text(16, 24, "start", "title", chart.title) +
                       text(16, 44, "start", "small",
                            std::string("less is better; the bar is the median, the line goes from "
                                        "the least to the most") +
                                (scale.is_logarithmic() ? "; logarithmic" : "")) +
                       grid(scale, bottom);
  double top = kPlotTop;
  for (const Chart::Bar& bar : chart.bars) {
    result += row(bar, scale, top);
    top += kRow;
  }
  return result + "</svg>\n";
}

}  // namespace bench
