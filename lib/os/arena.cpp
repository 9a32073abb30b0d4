// SPDX-License-Identifier: MIT
#include "os/arena.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <system_error>

namespace shoal::os {

Arena::Arena(std::size_t least, std::size_t most) {
  void* memory = MAP_FAILED;
  for (size_ = most; size_ >= least; size_ /= 2) {
    memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) break;
  }
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  ::madvise(memory, size_, MADV_DONTDUMP);
  data_ = static_cast<std::byte*>(memory);
}

Arena::~Arena() { ::munmap(data_, size_); }

void Arena::discard(std::size_t offset, std::size_t length) const {
  ::madvise(data_ + offset, length, MADV_REMOVE);
}

bool is_mapped(std::uintptr_t address) {
  constexpr std::uintptr_t kFirst = 1 << 16;  // nothing is below, by vm.mmap_min_addr
  if (address < kFirst) return false;
  unsigned char resident = 0;
  void* const page = reinterpret_cast<void*>(address & ~(Arena::kPage - 1));  // NOLINT
  return ::mincore(page, Arena::kPage, &resident) == 0 || errno != ENOMEM;
}

}  // namespace shoal::os
