// SPDX-License-Identifier: MIT
#include "terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace shoal::tool {

bool is_terminal() {
  static const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  return terminal;
}

int terminal_lines() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

int terminal_columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string coloured(Colour colour, std::string_view text) {
  static const bool on = is_terminal() && std::getenv("NO_COLOR") == nullptr;
  if (!on) return std::string(text);
  constexpr const char* codes[] = {"\033[1m", "\033[2m", "\033[31m", "\033[33m", "\033[32m"};
  return codes[static_cast<int>(colour)] + std::string(text) + "\033[0m";
}

Table::Table(std::initializer_list<std::string> titles) {
  std::vector<std::string> row;
  for (const std::string& title : titles) {
    const bool right = title.starts_with('>');
    to_the_right_.push_back(right);
    row.push_back(right ? title.substr(1) : title);
  }
  add(std::move(row), Colour::bold);
}

void Table::add(std::vector<std::string> row, std::optional<Colour> colour) {
  rows_.push_back({std::move(row), colour});
}

std::string Table::str(std::size_t most_rows) const {
  std::vector<std::size_t> widths(to_the_right_.size(), 0);
  for (const Row& row : rows_)
    for (std::size_t i = 0; i < row.cells.size(); ++i)
      widths[i] = std::max(widths[i], row.cells[i].size());
  std::string text;
  for (std::size_t n = 0; n < std::min(rows_.size(), most_rows); ++n) {
    std::string line;
    for (std::size_t i = 0; i < rows_[n].cells.size(); ++i) {
      const std::string& cell = rows_[n].cells[i];
      const std::string space(widths[i] - cell.size(), ' ');
      if (i > 0) line += "  ";
      line += to_the_right_[i] ? space + cell : cell + space;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += (rows_[n].colour ? coloured(*rows_[n].colour, line) : line) + "\n";
  }
  return text;
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot write");
}

void complain(const std::string& text) { std::fputs(("shoal: " + text + "\n").c_str(), stderr); }

}  // namespace shoal::tool
