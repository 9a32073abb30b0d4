// SPDX-License-Identifier: MIT

#include <string_view>

#include "page_template.hpp"
#include "plot.hpp"
#include "run.hpp"

namespace shoal::stress {
namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '&':
        result += "&amp;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        // What is no text in a page is shown as a question mark.
        result +=
            static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e ? '?' : c;
    }
  }
  return result;
}

std::string paragraph(const char* kind, const std::string& text) {
  return "<p class=\"" + std::string(kind) + "\">" + escaped(text) + "</p>\n";
}

std::string fact(const char* name, const std::string& value) {
  return "<div><dt>" + std::string(name) + "</dt><dd>" + escaped(value) + "</dd></div>\n";
}

std::string facts(const Outcome& outcome) {
  const auto wait = [&](double share) { return spelled_duration(outcome.waits.percentile(share)); };
  return "<dl class=\"facts\">\n" + fact("steps", spelled_count(outcome.total())) +
         fact("a second", spelled_count(static_cast<std::uint64_t>(outcome.rate()))) +
         fact("fairness", spelled_share(outcome.fairness())) + fact("wait, p50", wait(0.5)) +
         fact("p99", wait(0.99)) + fact("p99.9", wait(0.999)) +
         fact("longest wait", spelled_duration(outcome.waits.max())) +
         fact("longest stall", spelled_milliseconds(outcome.longest_stall_ms) + " (P" +
                                   std::to_string(outcome.longest_stall_of) + ")") +
         fact("killed", spelled_count(outcome.kills)) +
         fact("stopped", spelled_count(outcome.pauses)) + "</dl>\n";
}

std::string figure(const char* title, const std::string& svg) {
  if (svg.empty()) return {};
  return "<figure><h3>" + std::string(title) + "</h3>\n" + svg + "</figure>\n";
}

std::string section(const Run& run) {
  std::string text = "<section>\n<div class=\"head\"><h2>" + escaped(run.name) +
                     "</h2><b class=\"" + (run.is_well() ? "good" : "bad") + "\">" + verdict(run) +
                     "</b></div>\n" + paragraph("soft", run.about);
  if (!run.skipped.empty()) return text + paragraph("", run.skipped) + "</section>\n";
  for (const Failure& failure : run.outcome.failures)
    text +=
        paragraph("bad", "After " + spelled_milliseconds(failure.ms) + ": " + failure.what + ".");
  if (run.is_broken()) text += paragraph("", run.why);
  if (!run.source.empty()) text += paragraph("soft", "Source: " + run.source + ".");
  text += "<p><code>" + escaped(spelled_plan(run.outcome.plan)) + "</code></p>\n";
  return text + facts(run.outcome) + "<div class=\"plots\">\n" +
         figure("Waits", plot_waits(run.outcome.waits)) +
         figure("Steps of each participant", plot_progress(run.outcome)) + "</div>\n</section>\n";
}

void fill_in(std::string& page, std::string_view place, const std::string& text) {
  page.replace(page.find(place), place.size(), text);
}

}  // namespace

std::string page_report(const std::vector<Run>& runs, const std::string& verdict) {
  std::string sections;
  for (const Run& run : runs) sections += section(run);
  const std::string heading = runs.size() == 1 ? runs.front().name + " under stress"
                                               : std::to_string(runs.size()) + " under stress";
  std::string page = kPageTemplate;
  fill_in(page, "{{title}}", "shoal stress: " + verdict);
  fill_in(page, "{{heading}}",
          escaped(heading) + ": <span class=\"" + (verdict == "PASS" ? "good" : "bad") + "\">" +
              verdict + "</span>");
  fill_in(page, "{{runs}}", sections);
  return page;
}

}  // namespace shoal::stress
