// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "near.hpp"
#include "spread.hpp"

namespace bench {
namespace {

std::vector<double> every(const std::vector<Sample>& samples, double Sample::*value) {
  std::vector<double> values;
  values.reserve(samples.size());
  for (const Sample& sample : samples) values.push_back(sample.*value);
  return values;
}

std::string why_broken(const std::vector<Sample>& samples) {
  for (const Sample& sample : samples)
    if (!sample.broken.empty()) return sample.broken;
  return "";
}

const std::vector<Sample>& baseline(const Result& result) {
  const auto found = std::find_if(
      result.of.contenders.begin(), result.of.contenders.end(),
      [&](const Contender& contender) { return contender.name == result.of.baseline; });
  return result.samples.at(static_cast<std::size_t>(found - result.of.contenders.begin()));
}

void print_row(const Result& result, const std::string& name, const std::vector<Sample>& samples) {
  if (const std::string broken = why_broken(samples); !broken.empty()) {
    std::printf("  %-24s  BROKEN: %s\n", name.c_str(), broken.c_str());
    return;
  }
  const Spread time = spread(every(samples, &Sample::ns));
  const Unit unit = result.of.unit;
  std::printf("  %-24s %8.2f %s %9.2f %9.2f", name.c_str(), time.median / unit.ns, unit.name,
              time.least / unit.ns, time.most / unit.ns);
  if (why_broken(baseline(result)).empty()) {
    const Spread ratio =
        spread_of_ratios(every(samples, &Sample::ns), every(baseline(result), &Sample::ns));
    std::printf("   %6.3f %7.3f %6.3f", ratio.median, ratio.least, ratio.most);
  }
  if (samples.front().fairness > 0) {
    const double turns = spread(every(samples, &Sample::fairness)).median;
    if (turns < 1000)
      std::printf("   %6.2f", turns);
    else
      std::printf("   > 1000");
  }
  if (samples.front().p99 > 0)
    std::printf("   %9.2f %9.2f", spread(every(samples, &Sample::p99)).median / unit.ns,
                spread(every(samples, &Sample::p999)).median / unit.ns);
  std::printf("\n");
}

nlohmann::json targets_of(const Case& of, const std::string& contender, bool is_shared) {
  auto all = nlohmann::json::array();
  for (const Target& target : of.targets) {
    const double most = is_shared ? target.most_shared : target.most;
    if (target.contender == contender && most > 0)
      all.push_back(
          {{"against", target.against}, {"most", most}, {"is_fairness", target.is_fairness}});
  }
  return all;
}

}  // namespace

void print_setting(const Setting& setting) {
  const Machine& machine = setting.machine;
  std::printf("%s, %u cores, %s, %s\n", machine.processor.c_str(), machine.cores,
              machine.kernel.c_str(), machine.compiler.c_str());
  std::printf("shoal %s; medians of %d rounds, in each of which all contenders take turns\n",
              setting.library.c_str(), setting.rounds);
  for (const std::string& absent : setting.absent)
    std::printf("absent, and so not measured: %s\n", absent.c_str());
}

void print_table(const Result& result) {
  const auto some = [&](double Sample::*value) {
    return std::any_of(result.samples.begin(), result.samples.end(),
                       [&](const auto& samples) { return samples.front().*value > 0; });
  };
  std::printf("\n%s: %s\n", result.of.name.c_str(), result.of.what.c_str());
  std::printf("  %-24s %11s %9s %9s   %6s %7s %6s%s%s\n", "", "median", "least", "most", "ratio",
              "least", "most", some(&Sample::fairness) ? "   most/fewest turns" : "",
              some(&Sample::p99) ? "         p99     p99.9" : "");
  for (std::size_t i = 0; i < result.samples.size(); ++i)
    print_row(result, result.of.contenders[i].name, result.samples[i]);
  if (result.others > 0.1)
    std::printf("  The machine was not quiet: others kept %.2f cores busy.\n", result.others);
  std::vector<double> lines;
  for (const auto& samples : result.samples)
    for (const double line : every(samples, &Sample::line_ns)) lines.push_back(line);
  if (const std::string apart = apart_text(std::move(lines), result.left_out); !apart.empty())
    std::printf("  %s\n", apart.c_str());
  std::fflush(stdout);
}

void write_json(std::FILE* file, const Setting& setting, const Result& result) {
  for (std::size_t i = 0; i < result.samples.size(); ++i) {
    const Contender& contender = result.of.contenders[i];
    nlohmann::json line{{"case", result.of.name},
                        {"what", result.of.what},
                        {"contender", contender.name},
                        {"is_limit", contender.is_limit},
                        {"baseline", result.of.baseline},
                        {"targets", targets_of(result.of, contender.name, setting.is_shared)},
                        {"library", setting.library},
                        {"processor", setting.machine.processor},
                        {"cores", setting.machine.cores},
                        {"kernel", setting.machine.kernel},
                        {"compiler", setting.machine.compiler},
                        {"absent", setting.absent},
                        {"rounds", setting.rounds},
                        {"left_out", result.left_out},
                        {"others_cores", result.others}};
    for (const Sample& sample : result.samples[i]) {
      line["ns"].push_back(sample.ns);
      line["line_ns"].push_back(sample.line_ns);
      if (sample.fairness > 0) line["fairness"].push_back(sample.fairness);
      if (sample.p99 > 0) line["p99"].push_back(sample.p99);
      if (sample.p999 > 0) line["p999"].push_back(sample.p999);
    }
    if (const std::string broken = why_broken(result.samples[i]); !broken.empty())
      line["broken"] = broken;
    std::fprintf(file, "%s\n", line.dump().c_str());
  }
  std::fflush(file);
}

bool is_broken(const Result& result) {
  return std::any_of(result.samples.begin(), result.samples.end(),
                     [](const auto& samples) { return !why_broken(samples).empty(); });
}

}  // namespace bench
