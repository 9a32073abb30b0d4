// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace shoal::detail {

// The first words of what every error says: which segment, which object.
std::string in_segment(std::string_view segment);
std::string in_object(std::string_view segment, std::string_view kind, std::string_view object);

// Throws InvalidName unless the name is 1 to 63 bytes of A-Z a-z 0-9 . _ - not starting with a dot.
void check_name(std::string_view name, std::string_view what);
bool is_valid_name(std::string_view name);

}  // namespace shoal::detail
