// SPDX-License-Identifier: MIT
#include "os/region.hpp"

#include <sys/mman.h>

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <system_error>

namespace shoal::os {
namespace {

namespace bip = boost::interprocess;

// A File as Boost.Interprocess asks for what it maps.
struct Mappable {
  int fd;
  bip::mapping_handle_t get_mapping_handle() const {
    return bip::ipcdetail::mapping_handle_from_file_handle(fd);
  }
  static bip::mode_t get_mode() { return bip::read_write; }
};

}  // namespace

Region::Region(const File& file, std::size_t size) try
    : region_(std::make_unique<bip::mapped_region>(Mappable{file.descriptor()}, bip::read_write, 0,
                                                   size)),
      data_(static_cast<std::byte*>(region_->get_address())) {
} catch (const bip::interprocess_exception& error) {
  throw std::system_error(error.get_native_error(), std::generic_category(), "mmap");
}

Region::~Region() = default;

bool Region::remap(const File& file) {
  return ::mmap(data_, region_->get_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                file.descriptor(), 0) != MAP_FAILED;
}

}  // namespace shoal::os
