// SPDX-License-Identifier: MIT
#include "os/checksum.hpp"

#include <boost/crc.hpp>

namespace shoal::os {

std::uint32_t checksum(const void* bytes, std::size_t size) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes, size);
  return crc.checksum();
}

}  // namespace shoal::os
