// SPDX-License-Identifier: MIT

#include "page.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

#include "page_template.hpp"

namespace {

// --- Where things are, in pixels. Along the time it is so until the page's script knows its width

constexpr int kGutter = 52;
constexpr int kWidth = 1160;
constexpr int kNumberHeight = 24;
constexpr int kLanes = 46;  // where the first process's lane begins
constexpr int kLaneHeight = 30;
constexpr int kLanePitch = 44;

int lane(int process) { return kLanes + process * kLanePitch; }
int middle(int process) { return lane(process) + kLaneHeight / 2; }
int bottom(int processes) { return lane(processes) - kLanePitch + kLaneHeight; }

// --- Pieces of SVG

class Chart {
 public:
  Chart(const Timeline& timeline, std::int64_t whole) : timeline_(timeline), whole_(whole) {}
  std::string svg();

 private:
  double x(std::int64_t time) const {
    return std::round(10.0 * static_cast<double>(time) / static_cast<double>(whole_) *
                      (kWidth - kGutter)) /
           10;
  }
  static std::string process(const Number& number) {
    return number.process < 0 ? "first" : "p" + std::to_string(number.process);
  }
  void begin(std::string_view kind, std::int64_t from, std::int64_t to, int y, int loss = -1);
  void begin(std::string_view kind, std::int64_t at, int y, int loss = -1);
  void bar(std::int64_t from, std::int64_t to, int height, const std::string& texts);
  void line(std::string_view attributes) { out_ << "<line " << attributes << "/>"; }
  void end() { out_ << "</g>\n"; }

  void lanes();
  void number(std::size_t at);
  void connections(const Step& step);
  void addition(const Step& step);
  void loss(int index);
  std::string told(const Step& step) const;

  const Timeline& timeline_;
  std::int64_t whole_;
  std::ostringstream out_;
};

std::string attribute_of(int loss) {
  return loss < 0 ? "" : " data-loss=\"" + std::to_string(loss) + '"';
}

void Chart::begin(std::string_view kind, std::int64_t from, std::int64_t to, int y, int loss) {
  out_ << "<g class=\"" << kind << "\" data-a=\"" << from << "\" data-b=\"" << to << "\" data-y=\""
       << y << '"' << attribute_of(loss) << " transform=\"translate(" << x(from) << ' ' << y
       << ")\">";
}

void Chart::begin(std::string_view kind, std::int64_t at, int y, int loss) {
  out_ << "<g class=\"" << kind << "\" data-a=\"" << at << "\" data-y=\"" << y << '"'
       << attribute_of(loss) << " transform=\"translate(" << x(at) << ' ' << y << ")\">";
}

// The first of the texts, between blanks, that has room; here the first.
void Chart::bar(std::int64_t from, std::int64_t to, int height, const std::string& texts) {
  const double width = std::max(x(to) - x(from), 1.5);
  out_ << "<rect width=\"" << width << "\" height=\"" << height << "\" rx=\"3\"/><text x=\""
       << width / 2 << "\" y=\"" << height / 2 + 4 << "\" text-anchor=\"middle\" data-texts=\""
       << texts << "\">" << texts.substr(0, texts.find(' ')) << "</text>";
}

// --- What is in the picture

std::string milliseconds(std::int64_t time) {
  std::ostringstream text;
  text.precision(3);
  text << std::fixed << static_cast<double>(time) / 1e6 << " ms";
  return text.str();
}

std::string Chart::told(const Step& step) const {
  const Addition& what = step.what;
  const std::string who = "P" + std::to_string(what.stored.process);
  std::string text = who + " loaded " + std::to_string(what.loaded.value) + " at " +
                     milliseconds(step.loaded) + " and stored " +
                     std::to_string(what.stored.value) + " at " + milliseconds(step.stored) + ".";
  if (timeline_.locked)
    text += " It had waited " + milliseconds(step.loaded - what.asked) + " for the lock.";
  if (step.loss >= 0)
    text += " Lost: " + sentence(timeline_, timeline_.losses[static_cast<std::size_t>(step.loss)]);
  return text;
}

void Chart::lanes() {
  out_ << "<text class=\"name\" x=\"0\" y=\"16\">number</text>\n";
  for (int process = 0; process < timeline_.processes; ++process)
    out_ << "<text class=\"name p" << process << "\" x=\"0\" y=\"" << middle(process) + 4 << "\">P"
         << process << "</text>\n";
  out_ << "<svg class=\"plot\" x=\"" << kGutter << "\" width=\"" << kWidth - kGutter
       << "\" height=\"" << bottom(timeline_.processes) + 22 << "\">\n";
  for (int process = 0; process < timeline_.processes; ++process)
    out_ << "<rect class=\"lane\" y=\"" << lane(process) << "\" width=\"" << kWidth - kGutter
         << "\" height=\"" << kLaneHeight << "\" rx=\"4\"/>\n";
  out_ << "<g class=\"tick\" data-y=\"" << bottom(timeline_.processes) + 18 << "\"></g>\n";
}

// What the number is, from this store to the next.
void Chart::number(std::size_t at) {
  if (at == 0) {
    begin("value first", 0, timeline_.steps[0].stored, 0);
    bar(0, timeline_.steps[0].stored, kNumberHeight, "0");
    end();
  }
  const Step& step = timeline_.steps[at];
  const bool is_last = at + 1 == timeline_.steps.size();
  const std::int64_t until = is_last ? whole_ : timeline_.steps[at + 1].stored;
  begin("value " + process(step.what.stored), step.stored, until, 0);
  bar(step.stored, until, kNumberHeight, std::to_string(step.what.stored.value));
  line("class=\"edge\" y2=\"" + std::to_string(kNumberHeight) + '"');
  end();
}

void Chart::connections(const Step& step) {
  const std::string who = process(step.what.stored);
  const std::string length =
      "y2=\"" + std::to_string(lane(step.what.stored.process) - kNumberHeight) + '"';
  begin("read " + who, step.loaded, kNumberHeight);
  line(length);
  end();
  begin("write " + who, step.stored, kNumberHeight);
  line(length);
  end();
}

void Chart::addition(const Step& step) {
  const Addition& what = step.what;
  const std::string who = process(what.stored);
  if (timeline_.locked) {
    begin("wait " + who, what.asked, step.loaded, middle(what.stored.process));
    line("class=\"long\" x2=\"" + std::to_string(x(step.loaded) - x(what.asked)) + '"');
    end();
  }
  begin("step " + who + (step.loss >= 0 ? " lost" : ""), step.loaded, step.stored,
        lane(what.stored.process), step.loss);
  out_ << "<title>" << told(step) << "</title>";
  bar(step.loaded, step.stored, kLaneHeight,
      std::to_string(what.loaded.value) + "→" + std::to_string(what.stored.value) + ' ' +
          std::to_string(what.stored.value));
  end();
}

// From the store that did it to the one that it overwrote.
void Chart::loss(int index) {
  const Loss& loss = timeline_.losses[static_cast<std::size_t>(index)];
  const Step& by = timeline_.steps[static_cast<std::size_t>(loss.by)];
  const Step& over = timeline_.steps[static_cast<std::size_t>(loss.by - 1)];
  const int from = middle(by.what.stored.process);
  const int to = middle(over.what.stored.process);
  out_ << "<path class=\"over\" data-a=\"" << by.stored << "\" data-y=\"" << from << "\" data-b=\""
       << over.stored << "\" data-to=\"" << to << '"' << attribute_of(index) << " d=\"M"
       << x(by.stored) << ' ' << from << 'L' << x(over.stored) << ' ' << to << "\"/>\n";
  begin("badge", over.stored, to, index);
  out_ << "<circle r=\"8.5\"/><text y=\"4\">" << index + 1 << "</text>";
  end();
}

std::string Chart::svg() {
  const int height = bottom(timeline_.processes) + 24;
  out_ << "<svg class=\"chart\" role=\"img\" aria-label=\"Who loaded and stored what, and when\" "
          "data-gutter=\""
       << kGutter << "\" viewBox=\"0 0 " << kWidth << ' ' << height << "\" height=\"" << height
       << "\" xmlns=\"http://www.w3.org/2000/svg\">\n";
  lanes();
  for (const Step& step : timeline_.steps) connections(step);
  for (std::size_t at = 0; at < timeline_.steps.size(); ++at) number(at);
  for (const Step& step : timeline_.steps) addition(step);
  for (int index = 0; index < static_cast<int>(timeline_.losses.size()); ++index) loss(index);
  out_ << "</svg>\n</svg>\n";
  return out_.str();
}

// --- What is around it

std::string losses(const Timeline& timeline) {
  if (timeline.losses.empty())
    return timeline.locked ? "<p>Nothing is lost: while one process is between its load and its "
                             "store, the others wait.</p>\n"
                           : "<p>Nothing was lost, by luck.</p>\n";
  std::ostringstream out;
  out << "<ol class=\"losses\">\n";
  for (std::size_t index = 0; index < timeline.losses.size(); ++index) {
    const Loss& loss = timeline.losses[index];
    const Step& by = timeline.steps[static_cast<std::size_t>(loss.by)];
    const Step& first = timeline.steps[static_cast<std::size_t>(loss.lost.front())];
    out << "<li><button type=\"button\" aria-pressed=\"false\" data-from=\""
        << std::min(by.loaded, first.loaded) << "\" data-to=\"" << by.stored << "\"><b>"
        << index + 1 << "</b><span>" << sentence(timeline, loss) << "</span></button></li>\n";
  }
  out << "</ol>\n";
  return out.str();
}

std::string key(const Timeline& timeline) {
  std::string text =
      "<ul class=\"key\"><li><svg class=\"p0 step\"><rect y=\"1\" width=\"30\" height=\"12\" "
      "rx=\"3\"/></svg>from load to store</li>";
  text += timeline.locked
              ? "<li><svg class=\"p0 wait\"><line y1=\"7\" x2=\"30\" y2=\"7\"/></svg>waiting for "
                "the lock</li>"
              : "<li><svg class=\"step lost\"><rect y=\"1\" width=\"30\" height=\"12\" "
                "rx=\"3\"/></svg>lost</li><li><svg><path class=\"over\" d=\"M2 7H28\"/></svg>"
                "stored over it</li>";
  return text + "<li>Above: what the number is, in the colour of who stored it.</li></ul>\n";
}

std::string section(const Timeline& timeline, std::int64_t whole) {
  std::ostringstream out;
  out << "<section id=\"" << (timeline.locked ? "locked" : "race")
      << "\">\n<div class=\"head\"><h2>"
      << (timeline.locked ? "The same under a lock" : "Without a lock")
      << "</h2>\n<dl class=\"tally\"><div><dt>expected</dt><dd>" << timeline.expected()
      << "</dd></div><div><dt>got</dt><dd>" << timeline.got()
      << "</dd></div><div><dt>lost</dt><dd class=\"" << (timeline.lost() > 0 ? "some" : "none")
      << "\">" << timeline.lost() << "</dd></div></dl></div>\n"
      << Chart(timeline, whole).svg() << key(timeline)
      << "<p class=\"detail soft\" aria-live=\"polite\">Click a bar, and be told what it is.</p>\n"
      << losses(timeline) << "</section>\n";
  return out.str();
}

std::int64_t end_of(const Timeline& timeline) {
  return timeline.steps.empty() ? 1 : timeline.steps.back().stored;
}

void fill_in(std::string& page, std::string_view place, const std::string& text) {
  page.replace(page.find(place), place.size(), text);
}

}  // namespace

std::string page(const Timeline& race, const Timeline& locked) {
  const std::int64_t whole = std::max(end_of(race), end_of(locked)) * 21 / 20;
  const std::string additions = std::to_string(race.expected());
  const int times = race.expected() / race.processes;
  std::string text = kPageTemplate;
  fill_in(text, "{{whole}}", std::to_string(whole));
  fill_in(text, "{{title}}", additions + " times plus 1 makes " + std::to_string(race.got()));
  fill_in(text, "{{what}}",
          std::to_string(race.processes) + " processes each add 1 to the same number, " +
              std::to_string(times) + (times == 1 ? " time." : " times."));
  fill_in(text, "{{race}}", section(race, whole));
  fill_in(text, "{{locked}}", section(locked, whole));
  return text;
}
