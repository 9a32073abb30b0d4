// SPDX-License-Identifier: MIT
#pragma once

// What is printed: tables, and colours where there is a terminal.

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shoal::tool {

bool is_terminal();
int terminal_lines();
int terminal_columns();

enum class Colour { bold, faint, red, yellow, green };
// As it is, where standard output is no terminal, or NO_COLOR is set.
std::string coloured(Colour colour, std::string_view text);

// Columns as wide as what they hold; nothing is filled up behind the last one.
class Table {
 public:
  explicit Table(std::initializer_list<std::string> titles);
  // A title that begins with '>' makes its column stand to the right.
  void add(std::vector<std::string> row, std::optional<Colour> colour = std::nullopt);
  [[nodiscard]] std::string str(std::size_t most_rows = static_cast<std::size_t>(-1)) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    std::optional<Colour> colour;
  };
  std::vector<bool> to_the_right_;
  std::vector<Row> rows_;
};

void print(std::string_view text);
// To standard error: "shoal: ...".
void complain(const std::string& text);

}  // namespace shoal::tool
