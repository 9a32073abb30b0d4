// SPDX-License-Identifier: MIT

// The program that ExecChild runs: shoal_test_child SCENARIO [ARGUMENT...]
//
// What a test wants done by a freshly started process is a function here, with a line in the table.
// Its result is the exit status: 0 is success. 126: there is no such scenario.

#include <unistd.h>

#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Arguments = std::vector<std::string>;

// Succeeds if it was given two equal arguments.
int same(const Arguments& arguments) { return arguments.at(0) == arguments.at(1) ? 0 : 1; }

const std::map<std::string_view, int (*)(const Arguments&)> kScenarios = {
    {"same", same},
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  const auto scenario = kScenarios.find(name);
  if (scenario == kScenarios.end()) {
    std::fprintf(stderr, "no scenario '%s'\n", name.data());
    return 126;
  }
  try {
    return scenario->second(Arguments(argv + 2, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "scenario %s: %s\n", name.data(), error.what());
    return 1;
  }
}
