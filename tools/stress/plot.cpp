// SPDX-License-Identifier: MIT
#include "plot.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <vector>

#include "run.hpp"

namespace shoal::stress {
namespace {

// As wide as a telephone, so that its text can be read there; on wider screens there are two in a row.
constexpr double kWidth = 360;
constexpr double kHeight = 220;
constexpr double kLeft = 44;
constexpr double kRight = kWidth - 26;
constexpr double kTop = 18;
constexpr double kBottom = kHeight - 22;
constexpr unsigned kColours = 6;

std::string at(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

// "950", "12 k", "3.4 M"
std::string short_count(double count) {
  constexpr const char* units[] = {"", " k", " M", " G", " T"};
  std::size_t unit = 0;
  for (; count >= 1000 && unit < 4; ++unit) count /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, "%.3g%s", count, units[unit]);
  return text;
}

// Of an axis: two digits will do.
std::string short_duration(double nanoseconds) {
  constexpr const char* units[] = {"ns", "us", "ms", "s"};
  std::size_t unit = 0;
  for (; nanoseconds >= 1000 && unit < 3; ++unit) nanoseconds /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, nanoseconds < 100 ? "%.2g %s" : "%.0f %s", nanoseconds,
                units[unit]);
  return text;
}

std::string text_at(double x, double y, const char* anchor, const std::string& text,
                    const std::string& kind = {}) {
  return "<text x=\"" + at(x) + "\" y=\"" + at(y) + "\" text-anchor=\"" + anchor + "\"" +
         (kind.empty() ? "" : " class=\"" + kind + "\"") + ">" + text + "</text>\n";
}

std::string line(const char* kind, double x1, double y1, double x2, double y2) {
  return "<line class=\"" + std::string(kind) + "\" x1=\"" + at(x1) + "\" y1=\"" + at(y1) +
         "\" x2=\"" + at(x2) + "\" y2=\"" + at(y2) + "\"/>\n";
}

std::string framed(const std::string& label, const std::string& content) {
  return "<svg viewBox=\"0 0 " + at(kWidth) + " " + at(kHeight) + "\" role=\"img\" aria-label=\"" +
         label + "\">\n" + content + line("grid", kLeft, kBottom, kRight, kBottom) + "</svg>\n";
}

// --- Waits: an octave is a bar

struct Waits {
  const Histogram& histogram;
  std::vector<std::uint64_t> octaves = std::vector<std::uint64_t>(64);  // from 2^i ns
  std::size_t first = 64;
  std::size_t last = 0;
  double most = 1;  // log10

  explicit Waits(const Histogram& all) : histogram(all) {
    for (std::size_t i = 0; i < kBuckets; ++i) {
      if (all.count(i) == 0) continue;
      const std::uint64_t begin = bucket_begin(i);
      const std::size_t octave =
          begin == 0 ? 0 : static_cast<std::size_t>(std::bit_width(begin)) - 1;
      octaves[octave] += all.count(i);
      first = std::min(first, octave);
      last = std::max(last, octave);
      most = std::max(most, std::log10(static_cast<double>(octaves[octave])));
    }
  }
  [[nodiscard]] double x(double log2) const {
    return kLeft + (log2 - static_cast<double>(first)) / static_cast<double>(last + 1 - first) *
                       (kRight - kLeft);
  }
  [[nodiscard]] double y(double log10) const {
    return kBottom - (log10 + 0.3) / (most + 0.6) * (kBottom - kTop);
  }
};

std::string bars(const Waits& waits) {
  std::string svg;
  for (std::size_t i = waits.first; i <= waits.last; ++i) {
    const std::uint64_t count = waits.octaves[i];
    if (count == 0) continue;
    const double top = waits.y(std::log10(static_cast<double>(count)));
    const double left = waits.x(static_cast<double>(i)) + 0.75;
    svg += "<rect class=\"bar\" x=\"" + at(left) + "\" y=\"" + at(top) + "\" width=\"" +
           at(waits.x(static_cast<double>(i) + 1) - left - 0.75) + "\" height=\"" +
           at(kBottom - top) + "\"><title>" + spelled_count(count) + " waits from " +
           spelled_duration(std::uint64_t{1} << i) + " to " +
           spelled_duration(std::uint64_t{2} << i) + "</title></rect>\n";
  }
  return svg;
}

std::string wait_axes(const Waits& waits) {
  std::string svg;
  for (int power = 0; power <= waits.most; power += waits.most > 5 ? 2 : 1) {
    svg += line("grid", kLeft, waits.y(power), kRight, waits.y(power));
    svg += text_at(kLeft - 5, waits.y(power) + 4, "end", short_count(std::pow(10, power)));
  }
  const std::size_t every = (waits.last - waits.first) / 5 + 1;
  for (std::size_t i = waits.first; i <= waits.last; i += every)
    svg += text_at(waits.x(static_cast<double>(i)), kBottom + 15, "middle",
                   short_duration(std::pow(2, static_cast<double>(i))));
  return svg;
}

std::string wait_marks(const Waits& waits) {
  struct Mark {
    const char* name;
    double share;
  };
  constexpr Mark marks[] = {{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}};
  std::string svg;
  double free_from = 0;
  for (const Mark& mark : marks) {
    const auto value = static_cast<double>(waits.histogram.percentile(mark.share));
    const double x = waits.x(std::log2(std::max(value, 1.0)));
    svg += line("mark", x, kTop - 4, x, kBottom);
    if (x < free_from) continue;  // its name would stand on the one before
    svg += text_at(x, kTop - 7, "middle", mark.name, "mark-name");
    free_from = x + 34;
  }
  return svg;
}

// --- Progress

// 1, 2 or 5 times a power of ten: some four of them up to `most`.
double step_for(double most) {
  const double power = std::pow(10, std::floor(std::log10(most / 4)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (most / (factor * power) <= 5) return factor * power;
  return 10 * power;
}

double y_of(double operations, double most) {
  return kBottom - operations / most * (kBottom - kTop);
}

std::string curves(const Outcome& outcome, double most, double seconds) {
  std::string svg;
  for (std::size_t i = 0; i < outcome.operations.size(); ++i) {
    const std::string name = "P" + std::to_string(i);
    const std::string kind = "p" + std::to_string(i % kColours);
    svg += "<polyline class=\"" + kind + "\" points=\"";
    for (const Sample& sample : outcome.samples)
      svg += at(kLeft + sample.seconds / seconds * (kRight - kLeft)) + "," +
             at(y_of(static_cast<double>(sample.operations[i]), most)) + " ";
    svg += "\"><title>" + name + ": " + spelled_count(outcome.operations[i]) +
           " steps</title></polyline>\n";
  }
  return svg;
}

// Beside the ends of the curves, as far as there is room: the upmost first.
std::string names(const Outcome& outcome, double most) {
  std::vector<std::size_t> order(outcome.operations.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return outcome.operations[a] > outcome.operations[b];
  });
  std::string svg;
  double free_from = 0;
  for (const std::size_t i : order) {
    const double y =
        std::max(y_of(static_cast<double>(outcome.operations[i]), most) + 4, free_from);
    if (y > kBottom + 8) break;
    svg += text_at(kRight + 4, y, "start", "P" + std::to_string(i),
                   "p" + std::to_string(i % kColours));
    free_from = y + 11;
  }
  return svg;
}

}  // namespace

std::string plot_waits(const Histogram& histogram) {
  if (histogram.total() == 0) return {};
  const Waits waits(histogram);
  return framed("How often a wait took how long",
                wait_axes(waits) + bars(waits) + wait_marks(waits));
}

std::string plot_progress(const Outcome& outcome) {
  const auto most = static_cast<double>(std::max<std::uint64_t>(
      *std::max_element(outcome.operations.begin(), outcome.operations.end()), 1));
  const double seconds = std::max(outcome.seconds, 1e-6);
  std::string svg;
  const double rise = step_for(most);
  for (int i = 0; i * rise <= most; ++i) {
    const double y = i * rise;
    svg += line("grid", kLeft, y_of(y, most), kRight, y_of(y, most));
    svg += text_at(kLeft - 5, y_of(y, most) + 4, "end", short_count(y));
  }
  const double step = step_for(seconds);
  for (int i = 0; i * step <= seconds; ++i) {
    const double x = i * step;
    svg += text_at(kLeft + x / seconds * (kRight - kLeft), kBottom + 15, "middle",
                   seconds < 1 ? short_count(x * 1000) + " ms" : short_count(x) + " s");
  }
  return framed("How many steps each participant had done, over time",
                svg + curves(outcome, most, seconds) + names(outcome, most));
}

}  // namespace shoal::stress
