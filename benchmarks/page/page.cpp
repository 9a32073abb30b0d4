// SPDX-License-Identifier: MIT
#include "page/page.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "near.hpp"
#include "page/quantity.hpp"
#include "spread.hpp"

namespace bench {
namespace {

using Row = Figures::Row;
using Table = Figures::Table;

bool is_ours(const Row& row) { return row.contender.starts_with("shoal::"); }

std::string name_of(const Row& row) {
  if (is_ours(row)) return "**" + row.contender + "**";
  if (row.is_limit) return "*" + row.contender + "*";
  return row.contender;
}

Spread ratio(const Row& row, const Row& to) { return spread_of_ratios(row.ns, to.ns); }

// --- What was to be reached

std::string target_line(const Table& table, const Row& row, const Figures::Target& target) {
  const Row* const against = table.find(target.against);
  if (!row.broken.empty() || (!target.against.empty() && against == nullptr)) return "";
  const Spread found = target.is_fairness   ? spread(row.fairness)
                       : against != nullptr ? ratio(row, *against)
                                            : spread(row.ns);
  const bool is_time = !target.is_fairness && against == nullptr;
  const std::string most = is_time ? time_text(target.most) : times_text(target.most);
  const std::string of = target.is_fairness   ? " of the fewest turns"
                         : against != nullptr ? " of " + target.against
                                              : "";
  return "| " + table.name + " | " + row.contender + " | " + most + of + " | " +
         (is_time ? time_text(found) : times_text(found)) + " | " +
         (found.median <= target.most  ? "yes"
          : found.least <= target.most ? "now and then"
                                       : "**no**") +
         " |\n";
}

std::string targets(const std::vector<Table>& tables, const std::string& library) {
  std::string lines;
  for (const Table& table : tables)
    for (const Row& row : table.rows)
      for (const Figures::Target& target : row.targets)
        if (table.library == library) lines += target_line(table, row, target);
  if (lines.empty()) return "";
  return "| case | contender | at most | measured | met |\n|---|---|---|---|---|\n" + lines + "\n";
}

// --- A case

bool any(const Table& table, std::vector<double> Row::*values) {
  return std::any_of(table.rows.begin(), table.rows.end(),
                     [&](const Row& row) { return !(row.*values).empty(); });
}

std::string turns_text(const std::vector<double>& fairness) {
  const double turns = spread(fairness).median;
  return turns < 1000 ? times_text(turns) : "> 1000";
}

std::string cells(const Table& table, const Row& row) {
  if (!row.broken.empty()) return "broken: " + row.broken + " | |";
  const Row* const baseline = table.find(table.baseline);
  std::string result = time_text(spread(row.ns)) + " | " +
                       (baseline != nullptr ? times_text(ratio(row, *baseline)) : "") + " |";
  const auto optional = [&](std::vector<double> Row::*values, auto text) {
    if (any(table, values)) result += (row.*values).empty() ? " |" : " " + text(row.*values) + " |";
  };
  const auto median = [](const auto& values) { return time_text(spread(values).median); };
  optional(&Row::p99, median);
  optional(&Row::p999, median);
  optional(&Row::fairness, turns_text);
  return result;
}

std::string table_text(const Table& table) {
  std::string titles = "| | median (least–most) | ratio to " + table.baseline + " |";
  std::string rule = "|---|---|---|";
  const auto column = [&](const char* title) {
    titles += std::string(" ") + title + " |";
    rule += "---|";
  };
  if (any(table, &Row::p99)) column("p99");
  if (any(table, &Row::p999)) column("p99.9");
  if (any(table, &Row::fairness)) column("most/fewest turns");
  std::string result = titles + "\n" + rule + "\n";
  for (const Row& row : table.rows)
    result += "| " + name_of(row) + " | " + cells(table, row) + "\n";
  if (table.others_cores > 0.1)
    result += "\nThe machine was not quiet: others kept " + times_text(table.others_cores) +
              " cores busy.\n";
  std::vector<double> lines;
  for (const Row& row : table.rows)
    lines.insert(lines.end(), row.line_ns.begin(), row.line_ns.end());
  if (const std::string apart = apart_text(std::move(lines), table.left_out); !apart.empty())
    result += "\n" + apart + "\n";
  return result + "\n";
}

Chart chart_of(const Table& table) {
  Chart chart{table.name, {}};
  for (const Row& row : table.rows)
    if (row.broken.empty())
      chart.bars.push_back({row.contender,
                            is_ours(row)   ? Chart::Kind::ours
                            : row.is_limit ? Chart::Kind::limit
                                           : Chart::Kind::peer,
                            spread(row.ns)});
  return chart;
}

// --- The page

// Of "lock.contended.2.0": Lock.
std::string section_of(const Table& table) {
  std::string word = table.name.substr(0, table.name.find('.'));
  if (word == "rlock") return "RLock";
  word.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(word.front())));
  return word;
}

// Where a case has a number of its own.
std::string rounds_text(const Table& table, std::size_t usual) {
  const std::size_t rounds = table.rows.front().ns.size();
  if (rounds == usual) return "";
  return rounds == 1 ? "; once" : "; " + std::to_string(rounds) + " rounds";
}

std::string opening(const Figures& figures) {
  std::string text =
      "# Performance\n\n"
      "<!-- Written by ./run bench --page, from what it measured: not to be edited. -->\n\n"
      "Measured on " +
      figures.processor + ", " + std::to_string(figures.cores) + " cores, " + figures.kernel +
      ", " + figures.compiler +
      ".\n\n"
      "Less is better everywhere. Times are those of one operation: the median of " +
      std::to_string(figures.rounds) +
      " rounds, if\n"
      "nothing else is said, and in brackets the least and the most. A ratio compares with the\n"
      "baseline in the same round. Cores are near each other, so that they share a cache, if a\n"
      "table does not say otherwise. Rows in *italics* are no contenders: what the machine allows, "
      "or\n"
      "what neither sleeps nor survives a death. What is timed, how, and what stands in the way "
      "of\n"
      "what is missed: [benchmarks/README.md](../benchmarks/README.md).\n\n";
  for (const std::string& absent : figures.absent)
    text += "Not installed, and so not measured: " + absent + ".\n\n";
  return text;
}

}  // namespace

Page page(const Figures& figures, const std::string& folder) {
  Page result{opening(figures), {}};
  std::string library;
  std::string section;
  for (const Table& table : figures.tables) {
    if (table.library != library) {
      library = table.library;
      section.clear();
      result.markdown += "## shoal " + library + "\n\n" + targets(figures.tables, library);
    }
    if (section_of(table) != section) {
      section = section_of(table);
      result.markdown += "### " + section + "\n\n";
    }
    result.markdown += "**" + table.name + "**: " + table.what +
                       rounds_text(table, figures.rounds) + "\n\n" + table_text(table);
    Chart chart = chart_of(table);
    if (chart.bars.size() < 3) continue;
    const bool is_first = library == figures.tables.front().library;
    const std::string file = (is_first ? "" : "shared.") + table.name + ".svg";
    result.markdown += "![" + table.name + "](" + folder + "/" + file + ")\n\n";
    result.pictures.push_back({file, std::move(chart)});
  }
  return result;
}

}  // namespace bench
