// SPDX-License-Identifier: MIT
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "page/chart.hpp"
#include "page/figures.hpp"
#include "page/page.hpp"

namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

void read(const fs::path& path, bench::Figures& figures) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  bench::read(file, figures);
}

// The pictures of the page before are taken away: some cases may have gone.
void remove_pictures(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".svg") fs::remove(entry.path());
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::fprintf(stderr,
                 "usage: shoal_bench_page PAGE.md FIGURES...\n\n"
                 "Writes the page, and its pictures into the folder PAGE beside it, from what\n"
                 "shoal_bench --json has written.\n");
    return 2;
  }
  const fs::path file = argv[1];
  const fs::path folder = file.parent_path() / file.stem();
  bench::Figures figures;
  for (int i = 2; i < argc; ++i) read(argv[i], figures);
  if (figures.tables.empty()) throw std::runtime_error("there are no figures");
  const bench::Page page = bench::page(figures, folder.filename().string());
  fs::create_directories(folder);
  remove_pictures(folder);
  write(file, page.markdown);
  for (const bench::Picture& picture : page.pictures)
    write(folder / picture.file, bench::svg(picture.chart));
  std::printf("%s, and %zu pictures in %s\n", file.c_str(), page.pictures.size(), folder.c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "shoal_bench_page: %s\n", error.what());
  return 1;
}
