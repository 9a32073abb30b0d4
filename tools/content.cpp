// SPDX-License-Identifier: MIT
#include "content.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>

namespace shoal::tool {
namespace {

template <class T>
Json number(const Bytes& bytes) {
  return bytes.get<T>(0);
}

using Decode = Json (*)(const Bytes&);
const std::map<std::string, Decode, std::less<>>& arithmetic() {
  static const std::map<std::string, Decode, std::less<>> types = {
      {"bool", [](const Bytes& bytes) -> Json { return bytes.get<std::uint8_t>(0) != 0; }},
      {"int8", number<std::int8_t>},
      {"int16", number<std::int16_t>},
      {"int32", number<std::int32_t>},
      {"int64", number<std::int64_t>},
      {"uint8", number<std::uint8_t>},
      {"uint16", number<std::uint16_t>},
      {"uint32", number<std::uint32_t>},
      {"uint64", number<std::uint64_t>},
      {"float32", number<float>},
      {"float64", number<double>}};
  return types;
}

std::string hex(const Bytes& bytes) {
  constexpr std::size_t most = 32;
  std::string text;
  for (std::size_t i = 0; i < std::min(bytes.size(), most); ++i) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02x ", bytes.get<unsigned char>(i));
    text += digits;
  }
  if (bytes.size() > most) return text + "...";
  if (!text.empty()) text.pop_back();
  return text;
}

bool is_text(const std::string& type) {
  return type.size() > 4 && type.starts_with("text") &&
         std::all_of(type.begin() + 4, type.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Json decode(const std::string& type, const Bytes& bytes) {
  const auto known = arithmetic().find(type);
  if (known != arithmetic().end()) return known->second(bytes);
  if (is_text(type)) return bytes.text(0, bytes.size());
  return {{"hex", hex(bytes)}};
}

std::string spelled(const Json& content) {
  if (content.is_object()) return "[" + content.value("hex", "") + "]";
  return content.dump(-1, ' ', true,
                      Json::error_handler_t::replace);  // ASCII, control characters escaped
}

}  // namespace shoal::tool
