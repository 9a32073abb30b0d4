// SPDX-License-Identifier: MIT
#pragma once

// Numbers of a command line.

#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline std::int64_t number(const std::string& option, std::string_view text, std::int64_t least,
                           std::int64_t most) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
    throw UsageError(option + ": a number from " + std::to_string(least) + " to " +
                     std::to_string(most) + " is needed, not '" + std::string(text) + "'");
  return value;
}
