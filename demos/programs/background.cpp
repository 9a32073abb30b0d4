// SPDX-License-Identifier: MIT
//
// Shows:    std::system(), which gives a line to the shell. With & at its end the shell does
//           not wait, and what comes of it has to be fetched from a file.
// Look for: the waiting. Nobody tells this program when the other one is done, so it has to
//           look for the file again and again; shoal::Process tells.

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <thread>

int main() {
  const auto folder = std::filesystem::temp_directory_path();
  const auto file = folder / ("background." + std::to_string(std::random_device{}()));
  const std::string name = file.string();
  const std::string line = "(sleep 0.1; echo done > " + name + ".new; mv " + name + ".new " + name;
  if (std::system((line + ") &").c_str()) != 0) return 1;
  std::cout << "system() has returned; the file is "
            << (std::filesystem::exists(file) ? "there" : "not there yet") << std::endl;
  while (!std::filesystem::exists(file)) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::cout << "the program has written: " << std::ifstream(file).rdbuf();
  std::filesystem::remove(file);
}
