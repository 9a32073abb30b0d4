// SPDX-License-Identifier: MIT

#include "description.hpp"
#include "run.hpp"

namespace shoal::stress {
namespace {

using tool::Json;

Json to_json(const Plan& plan) {
  return {{"processes", plan.processes}, {"seconds", plan.seconds},
          {"seed", plan.seed},           {"kill", plan.kills},
          {"pause", plan.pauses},        {"inject", spelled(plan.inject)},
          {"cpus", plan.cpus},           {"patience", plan.patience}};
}

Json to_json(const Histogram& waits) {
  Json buckets = Json::array();
  for (std::size_t i = 0; i < kBuckets; ++i)
    if (waits.count(i) > 0)
      buckets.push_back({{"from", bucket_begin(i)}, {"count", waits.count(i)}});
  return {{"count", waits.total()},
          {"p50", waits.percentile(0.5)},
          {"p99", waits.percentile(0.99)},
          {"p99_9", waits.percentile(0.999)},
          {"max", waits.max()},
          {"buckets", std::move(buckets)}};
}

Json to_json(const Run& run) {
  Json facts{{"name", run.name}, {"about", run.about}, {"verdict", verdict(run)}};
  if (run.is_broken()) facts["why"] = run.why;
  if (!run.source.empty()) facts["source"] = run.source;
  if (!run.skipped.empty()) {
    facts["skipped"] = run.skipped;
    return facts;
  }
  const Outcome& outcome = run.outcome;
  facts["failures"] = Json::array();
  for (const Failure& failure : outcome.failures)
    facts["failures"].push_back({{"what", failure.what}, {"ms", failure.ms}});
  facts["parameters"] = to_json(outcome.plan);
  facts["seconds"] = outcome.seconds;
  facts["steps"] = outcome.total();
  facts["steps_per_second"] = outcome.rate();
  facts["steps_of_each"] = outcome.operations;
  facts["fairness"] = outcome.fairness();
  facts["waits_ns"] = to_json(outcome.waits);
  facts["longest_stall_ms"] = outcome.longest_stall_ms;
  facts["longest_stall_of"] = outcome.longest_stall_of;
  facts["kills"] = outcome.kills;
  facts["pauses"] = outcome.pauses;
  return facts;
}

}  // namespace

std::string json_report(const std::vector<Run>& runs, const std::string& verdict) {
  Json facts{{"verdict", verdict}, {"runs", Json::array()}};
  for (const Run& run : runs) facts["runs"].push_back(to_json(run));
  return tool::spelled_json(facts);
}

std::string json_list(const std::vector<Entry>& entries) {
  Json facts{{"subjects", Json::array()}};
  for (const Entry& entry : entries)
    facts["subjects"].push_back({{"name", entry.name},
                                 {"about", entry.about},
                                 {"broken", entry.is_broken()},
                                 {"survives_kills", entry.survives_kills},
                                 {"needs_two_cpus", entry.needs_two_cpus}});
  return tool::spelled_json(facts);
}

}  // namespace shoal::stress
