// SPDX-License-Identifier: MIT
//
// Shows:    three scripts at once: each worker of a Pool runs one, by Boost.Process, and
//           gives back what it printed.
// Look for: three process ids, and the outputs in the order of the scripts, whichever ended
//           first. Each has also written a file, and here is what is in it.

#include <boost/process/child.hpp>
#include <boost/process/io.hpp>
#include <boost/process/pipe.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <shoal/shoal.hpp>
#include <string>
#include <vector>

namespace fs = std::filesystem;

std::string run(const std::string& script) {
  boost::process::ipstream pipe;
  boost::process::child shell("sh " + script, boost::process::std_out > pipe);
  std::string output(std::istreambuf_iterator<char>(pipe), {});
  shell.wait();
  return output;
}

int main() {
  const fs::path folder =
      fs::temp_directory_path() / ("scripts." + std::to_string(std::random_device{}()));
  fs::create_directory(folder);
  std::vector<std::string> scripts;
  for (const char* const n : {"1", "2", "3"}) {
    scripts.push_back(folder / "script" += n);
    std::ofstream(scripts.back()) << "echo hello from script " << n << ", executed by process $$.\n"
                                  << "echo hello from script " << n << " > $0.txt\n";
  }
  shoal::Pool pool(3);
  for (const std::string& output : pool.map(run, scripts)) std::cout << output;
  for (const std::string& script : scripts)
    std::cout << "file: " << std::ifstream(script + ".txt").rdbuf();
  fs::remove_all(folder);
}
