// SPDX-License-Identifier: MIT
#include "page/figures.hpp"

#include <algorithm>
#include <istream>
#include <nlohmann/json.hpp>

namespace bench {
namespace {

using nlohmann::json;

Figures::Row row_of(const json& line) {
  Figures::Row row;
  row.contender = line.at("contender");
  row.is_limit = line.at("is_limit");
  for (const json& target : line.at("targets"))
    row.targets.push_back({target.at("against"), target.at("most"), target.at("is_fairness")});
  row.broken = line.value("broken", "");
  const auto values = [&](const char* name) { return line.value(name, std::vector<double>{}); };
  row.ns = values("ns");
  row.fairness = values("fairness");
  row.p99 = values("p99");
  row.p999 = values("p999");
  row.line_ns = values("line_ns");
  return row;
}

Figures::Table& table_of(const json& line, Figures& figures) {
  const std::string name = line.at("case");
  const std::string library = line.at("library");
  const auto found = std::find_if(
      figures.tables.begin(), figures.tables.end(),
      [&](const auto& table) { return table.name == name && table.library == library; });
  if (found != figures.tables.end()) return *found;
  Figures::Table table;
  table.name = name;
  table.library = library;
  table.what = line.at("what");
  table.baseline = line.at("baseline");
  table.others_cores = line.at("others_cores");
  table.left_out = line.value("left_out", std::vector<double>{});
  return figures.tables.emplace_back(table);
}

}  // namespace

const Figures::Row* Figures::Table::find(const std::string& contender) const {
  for (const Row& row : rows)
    if (row.contender == contender && row.broken.empty()) return &row;
  return nullptr;
}

void read(std::istream& from, Figures& into) {
  for (std::string text; std::getline(from, text);) {
    const json line = json::parse(text);
    into.processor = line.at("processor");
    into.kernel = line.at("kernel");
    into.compiler = line.at("compiler");
    into.cores = line.at("cores");
    into.rounds = line.at("rounds");
    into.absent = line.at("absent").get<std::vector<std::string>>();
    table_of(line, into).rows.push_back(row_of(line));
  }
}

}  // namespace bench
