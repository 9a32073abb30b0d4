// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace bench {
namespace {

struct Spread {
  double median;
  double least;
  double most;
};

Spread spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

template <class F>
Spread spread_of(const std::vector<Sample>& samples, F value) {
  std::vector<double> values;
  values.reserve(samples.size());
  for (const Sample& sample : samples) values.push_back(value(sample));
  return spread(std::move(values));
}

Spread times(const std::vector<Sample>& samples) {
  return spread_of(samples, [](const Sample& sample) { return sample.ns; });
}

// Round by round: what disturbed a whole round is in both.
Spread ratios(const std::vector<Sample>& samples, const std::vector<Sample>& baseline) {
  std::vector<double> values;
  values.reserve(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) values.push_back(samples[i].ns / baseline[i].ns);
  return spread(std::move(values));
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
  const Spread time = times(samples);
  const Unit unit = result.of.unit;
  std::printf("  %-24s %8.2f %s %9.2f %9.2f", name.c_str(), time.median / unit.ns, unit.name,
              time.least / unit.ns, time.most / unit.ns);
  if (why_broken(baseline(result)).empty()) {
    const Spread ratio = ratios(samples, baseline(result));
    std::printf("   %6.3f %7.3f %6.3f", ratio.median, ratio.least, ratio.most);
  }
  if (samples.front().fairness > 0) {
    const Spread turns = spread_of(samples, [](const Sample& sample) { return sample.fairness; });
    if (turns.median < 1000)
      std::printf("   %6.2f", turns.median);
    else
      std::printf("   > 1000");
  }
  std::printf("\n");
}

}  // namespace

void print_machine(const Machine& machine, const std::string& library, int rounds) {
  std::printf("%s, %u cores, %s, %s\n", machine.processor.c_str(), machine.cores,
              machine.kernel.c_str(), machine.compiler.c_str());
  std::printf("%s; medians of %d rounds, in each of which all contenders take turns\n",
              library.c_str(), rounds);
}

void print_table(const Result& result) {
  const bool fairness = result.samples.front().front().fairness > 0;
  std::printf("\n%s: %s\n", result.of.name.c_str(), result.of.what.c_str());
  std::printf("  %-24s %11s %9s %9s   %6s %7s %6s%s\n", "", "median", "least", "most", "ratio",
              "least", "most", fairness ? "   most/fewest turns" : "");
  for (std::size_t i = 0; i < result.samples.size(); ++i)
    print_row(result, result.of.contenders[i].name, result.samples[i]);
  if (result.others > 0.1)
    std::printf("  The machine was not quiet: others kept %.2f cores busy.\n", result.others);
  std::fflush(stdout);
}

void write_json(std::FILE* file, const Machine& machine, const std::string& library,
                const Result& result) {
  for (std::size_t i = 0; i < result.samples.size(); ++i) {
    nlohmann::json line{
        {"case", result.of.name},         {"contender", result.of.contenders[i].name},
        {"baseline", result.of.baseline}, {"library", library},
        {"processor", machine.processor}, {"cores", machine.cores},
        {"kernel", machine.kernel},       {"compiler", machine.compiler},
        {"others_cores", result.others}};
    for (const Sample& sample : result.samples[i]) {
      line["ns"].push_back(sample.ns);
      if (sample.fairness > 0) line["fairness"].push_back(sample.fairness);
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
