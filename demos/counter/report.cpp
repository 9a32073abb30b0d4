// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

namespace {

std::string grouped(std::int64_t number) {
  std::string text;
  const std::string digits = std::to_string(number);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > (number < 0) && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

const char* colour(const char* code) {
  static const bool terminal = !std::getenv("NO_COLOR") && ::isatty(STDOUT_FILENO) == 1;
  return terminal ? code : "";
}

const char* spelled(Way way) {
  return way == Way::racing   ? "with load and store, without a lock"
         : way == Way::locked ? "with load and store, under a lock"
                              : "with fetch_add";
}

}  // namespace

void print_task(const Options& options, int processes) {
  std::cout << processes << (processes == 1 ? " process adds" : " processes, each adds")
            << " 1 to the same number " << grouped(options.times) << " times, "
            << spelled(options.way) << ".\n"
            << std::flush;
}

int print_result(const Options& options, std::int64_t got, const Tally& tally, int processes) {
  const std::int64_t lost = tally.expected - got;
  const double share =
      tally.expected == 0 ? 0
                          : 100.0 * static_cast<double>(lost) / static_cast<double>(tally.expected);
  const char* const tint = colour(lost == 0 ? "\033[32m" : "\033[31m");
  std::printf("\n  expected  %15s\n  got       %15s\n  %slost      %15s   %.1f %%%s\n\n",
              grouped(tally.expected).c_str(), grouped(got).c_str(), tint, grouped(lost).c_str(),
              share, colour("\033[0m"));
  std::fflush(stdout);
  if (tally.finished != processes) {
    std::cout << "Only " << tally.finished << " of " << processes
              << " processes finished. What the "
              << "others had yet to count is\nmissing, not lost; nobody waited for them.\n";
    return 1;
  }
  if (options.way == Way::racing) {
    std::cout << (lost > 0 ? "Lost: between the load and the store of one process, others stored.\n"
                             "See that --lock loses nothing.\n"
                           : "Nothing was lost, by luck: no two processes met.\n");
    return 0;
  }
  if (lost == 0) {
    std::cout << (options.way == Way::locked
                      ? "Nothing was lost: load and store belong to one process at a time.\n"
                      : "Nothing was lost: load and store are one step.\n");
    return 0;
  }
  std::cout << "Lost all the same: somebody counted in another way. A lock protects only if all "
               "take it.\n";
  return 1;
}
