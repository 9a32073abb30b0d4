// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace shoal::os {

// CRC-32 (ISO 3309).
std::uint32_t checksum(const void* bytes, std::size_t size);

}  // namespace shoal::os
