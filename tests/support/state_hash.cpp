// SPDX-License-Identifier: MIT
#include "support/state_hash.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string_view>
#include <vector>

namespace shoal_test {
namespace {

// Each run of data is hashed with its position.
std::uint64_t hash_of_open_file(int file) {
  struct stat facts {};
  ::fstat(file, &facts);
  std::uint64_t hash = static_cast<std::uint64_t>(facts.st_size) + 1;  // 0: no file
  std::vector<char> bytes;
  for (off_t hole = 0;;) {
    const off_t data = ::lseek(file, hole, SEEK_DATA);
    hole = data < 0 ? data : ::lseek(file, data, SEEK_HOLE);
    if (hole < 0) return hash;
    bytes.resize(static_cast<std::size_t>(hole - data));
    const ssize_t read = ::pread(file, bytes.data(), bytes.size(), data);
    hash = hash_of_both(hash, static_cast<std::uint64_t>(data));
    if (read > 0) hash = hash_of_both(hash, hash_of(bytes.data(), static_cast<std::size_t>(read)));
  }
}

}  // namespace

std::uint64_t hash_of(const void* memory, std::size_t bytes) {
  return std::hash<std::string_view>{}({static_cast<const char*>(memory), bytes});
}

std::uint64_t hash_of_both(std::uint64_t first, std::uint64_t second) {
  const std::uint64_t both[] = {first, second};
  return hash_of(both, sizeof both);
}

std::uint64_t hash_of_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return 0;
  const std::uint64_t hash = hash_of_open_file(file);
  ::close(file);
  return hash;
}

}  // namespace shoal_test
