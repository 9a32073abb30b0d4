// SPDX-License-Identifier: MIT
#pragma once

// The bytes of a segment's file, for who writes over them.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "format.hpp"
#include "support/temp_name.hpp"
#include "tables.hpp"

namespace shoal_test {

class SegmentBytes {
 public:
  explicit SegmentBytes(const TempName& name) {
    const int fd = ::open(name.path().c_str(), O_RDWR | O_CLOEXEC);
    struct stat status {};
    if (fd < 0 || ::fstat(fd, &status) != 0) throw std::runtime_error("no segment " + name.path());
    size_ = static_cast<std::size_t>(status.st_size);
    void* const base = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (base == MAP_FAILED) throw std::runtime_error("cannot map " + name.path());
    base_ = static_cast<unsigned char*>(base);
  }
  ~SegmentBytes() { ::munmap(base_, size_); }
  SegmentBytes(const SegmentBytes&) = delete;
  SegmentBytes& operator=(const SegmentBytes&) = delete;

  std::size_t size() const { return size_; }
  unsigned char& operator[](std::size_t at) const { return base_[at]; }
  // The word that the byte there is in.
  std::atomic_ref<std::uint64_t> word(std::size_t at) const {
    return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(base_ + at / 8 * 8));
  }
  shoal::format::Header& header() const { return *reinterpret_cast<shoal::format::Header*>(base_); }
  shoal::detail::Tables tables() const { return {header(), reinterpret_cast<std::byte*>(base_)}; }
  shoal::format::ObjectRecord& object(const char* name) const {
    for (std::uint32_t i = 0; i < tables().objects(); ++i)
      if (std::strcmp(tables().object(i).name, name) == 0) return tables().object(i);
    throw std::runtime_error("no object " + std::string(name));
  }

  // CRC-32 as in Ethernet and zip.
  void sign() const {
    std::uint32_t crc = ~0U;
    for (std::size_t i = 0; i < offsetof(shoal::format::Header, checksum); ++i) {
      crc ^= base_[i];
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1U ? 0xedb88320U : 0U);
    }
    header().checksum = ~crc;
  }

 private:
  std::size_t size_ = 0;
  unsigned char* base_ = nullptr;
};

// A word that means something to somebody, more often than not.
template <class Random>
std::uint64_t garbage(Random& random) {
  switch (random() % 8) {
    case 0:
      return 0;
    case 1:
      return ~0ULL;
    case 2:
      return random() % 16;
    case 3:
      return std::uint64_t{1} << random() % 64;
    case 4:
      return (random() % 17) << 32 | (random() % 17);
    case 5:
      return random() % 20 | (random() % 4) << 16 | (random() % 4) << 62;  // an owner value
    case 6:
      return random() % 8 << 12;
    default:
      return random();
  }
}

}  // namespace shoal_test
