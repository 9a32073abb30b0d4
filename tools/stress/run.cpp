// SPDX-License-Identifier: MIT
#include "run.hpp"

#include <algorithm>
#include <cstdio>

namespace shoal::stress {
namespace {

// As short as it can be, with so many digits.
std::string number(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}
std::string fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

// In lines that a terminal has room for, below one another behind the title.
std::string wrapped(const std::string& title, const std::string& text) {
  constexpr std::size_t width = 100;
  std::string result = title;
  std::size_t column = title.size();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (column + 1 + end - at > width) {
      result += "\n" + std::string(title.size(), ' ');
      column = title.size();
    } else if (at > 0) {
      result += ' ';
      ++column;
    }
    result.append(text, at, end - at);
    column += end - at;
    at = end + 1;
  }
  return result + "\n";
}

std::string spelled_cpus(const std::vector<unsigned>& cpus) {
  if (cpus.empty()) return "any";
  std::string text;
  for (const unsigned cpu : cpus) text += (text.empty() ? "" : ",") + std::to_string(cpu);
  return text;
}

std::string spelled_waits(const Histogram& waits) {
  const auto at = [&](double share) { return spelled_duration(waits.percentile(share)); };
  return "p50 " + at(0.5) + ", p99 " + at(0.99) + ", p99.9 " + at(0.999) + ", max " +
         spelled_duration(waits.max());
}

std::string spelled_participants(const std::vector<std::uint64_t>& operations) {
  const auto [least, most] = std::minmax_element(operations.begin(), operations.end());
  const auto one = [&](auto at) {
    return "P" + std::to_string(at - operations.begin()) + " " + spelled_count(*at);
  };
  return "least " + one(least) + ", most " + one(most);
}

}  // namespace

const char* verdict(const Run& run) {
  if (!run.skipped.empty()) return "SKIPPED";
  if (run.outcome.interrupted_by != 0 && !run.has_failed()) return "INTERRUPTED";
  if (run.is_broken()) return run.has_failed() ? "CAUGHT" : "MISSED";
  return run.has_failed() ? "FAIL" : "PASS";
}

std::string spelled(Inject inject) {
  switch (inject) {
    case Inject::none:
      return "none";
    case Inject::yield:
      return "yield";
    case Inject::delay:
      return "delay";
    case Inject::sleep:
      return "sleep";
  }
  return "";
}

std::string spelled_count(std::uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string spelled_duration(std::uint64_t nanoseconds) {
  const auto value = static_cast<double>(nanoseconds);
  if (nanoseconds < 1'000) return std::to_string(nanoseconds) + " ns";
  if (nanoseconds < 1'000'000) return number(value / 1e3, 3) + " us";
  return spelled_milliseconds(value / 1e6);
}

std::string spelled_share(double share) { return fixed(share, 3); }

std::string spelled_milliseconds(double ms) {
  return (ms < 100 ? number(ms, 3) : spelled_count(static_cast<std::uint64_t>(ms))) + " ms";
}

std::string spelled_plan(const Plan& plan) {
  return "--processes " + std::to_string(plan.processes) + " --seconds " + number(plan.seconds, 6) +
         " --seed " + std::to_string(plan.seed) + " --kill " + number(plan.kills, 6) + " --pause " +
         number(plan.pauses, 6) + " --inject " + spelled(plan.inject) + " --cpus " +
         spelled_cpus(plan.cpus) + " --patience " + number(plan.patience, 6);
}

std::string spelled_progress(const Run& run, const Sample& now) {
  std::uint64_t total = 0;
  for (const std::uint64_t count : now.operations) total += count;
  std::string text = run.name + "  " + fixed(now.seconds, 1) + " of " +
                     number(run.outcome.plan.seconds, 6) + " s, " + spelled_count(total) + " steps";
  if (!now.operations.empty()) text += ", " + spelled_participants(now.operations);
  if (run.outcome.kills > 0) text += ", " + spelled_count(run.outcome.kills) + " killed";
  return text;
}

std::string spelled_result(const Run& run) {
  const Outcome& outcome = run.outcome;
  std::string text = "  " + std::string(verdict(run));
  if (!run.skipped.empty()) return text + ": " + run.skipped + "\n";
  for (const Failure& failure : outcome.failures)
    text += (&failure == outcome.failures.data() ? " after " : "\n    and after ") +
            spelled_milliseconds(failure.ms) + ": " + failure.what;
  text += "\n";
  if (run.is_broken()) {
    text += wrapped("  why     ", run.why);
    if (!run.source.empty()) text += wrapped("  source  ", run.source);
  }
  text += "  steps   " + spelled_count(outcome.total()) + " in " + number(outcome.seconds, 3) +
          " s, " + spelled_count(static_cast<std::uint64_t>(outcome.rate())) + " a second\n";
  text += "  shares  fairness " + spelled_share(outcome.fairness()) + "; " +
          spelled_participants(outcome.operations) + "\n";
  text += "  waits   " + spelled_waits(outcome.waits) + "\n";
  text += "  stall   longest " + spelled_milliseconds(outcome.longest_stall_ms) + ", of P" +
          std::to_string(outcome.longest_stall_of) + "\n";
  text += "  kills   " + spelled_count(outcome.kills) + (run.has_failed() ? "" : " survived") +
          "; " + spelled_count(outcome.pauses) + " stopped and resumed\n";
  return text;
}

}  // namespace shoal::stress
