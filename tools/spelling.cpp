// SPDX-License-Identifier: MIT
#include "spelling.hpp"

#include <pwd.h>

#include <cstdio>
#include <ctime>
#include <iterator>
#include <map>

#include "segment_view.hpp"

namespace shoal::tool {

std::string plural(std::uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string join(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

std::string spelled_bytes(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1023.95 && unit + 1 < std::size(units); ++unit) amount /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", amount, units[unit]);
  return text;
}

std::string spelled_time(std::int64_t unix_time) {
  const std::time_t seconds = unix_time / 1'000'000'000;
  std::tm time{};
  char text[32] = "?";
  if (::localtime_r(&seconds, &time) != nullptr)
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &time);
  return text;
}

std::string user_name(std::uint32_t user) {
  static std::map<std::uint32_t, std::string> names;
  const auto [found, is_new] = names.try_emplace(user, std::to_string(user));
  if (is_new)
    if (const passwd* const entry = ::getpwuid(user)) found->second = printable(entry->pw_name);
  return found->second;
}

}  // namespace shoal::tool
