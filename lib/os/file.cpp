// SPDX-License-Identifier: MIT
#include "os/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "os/descriptor.hpp"

namespace shoal::os {
namespace {

constexpr char kFolder[] = "/dev/shm";
constexpr std::string_view kPrefix = "shoal.";

std::error_code last_error() { return {errno, std::generic_category()}; }

// Repeats a call that a signal interrupted.
template <class Call>
std::error_code repeat(Call call) {
  while (call() < 0)
    if (errno != EINTR) return last_error();
  return {};
}

std::string descriptor_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

std::error_code open_at(const std::string& path, int flags, unsigned mode, int& fd) {
  const std::error_code error =
      repeat([&] { return fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode); });
  move_beyond_stderr(fd);
  return error;
}

struct flock range(short type, std::uint64_t byte, std::uint64_t count = 1) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte);
  lock.l_len = static_cast<off_t>(count);
  return lock;
}

std::error_code set_lock(int fd, int command, short type, std::uint64_t byte,
                         std::uint64_t count = 1) {
  struct flock lock = range(type, byte, count);
  return repeat([&] { return ::fcntl(fd, command, &lock); });
}

}  // namespace

std::string path_of(std::string_view name) {
  return std::string(kFolder) + "/" + std::string(kPrefix) + std::string(name);
}

void File::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::error_code File::open(std::string_view name, File& file) {
  int fd = -1;
  // O_NONBLOCK: a FIFO of that name must not make the caller wait.
  const std::error_code error = open_at(path_of(name), O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0, fd);
  file = File(fd);
  return error;
}

std::error_code File::open_to_read(std::string_view name, File& file) {
  int fd = -1;
  const std::error_code error = open_at(path_of(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, fd);
  file = File(fd);
  return error;
}

std::error_code File::create(unsigned mode, File& file) {
  int fd = -1;
  if (const std::error_code error = open_at(kFolder, O_TMPFILE | O_RDWR, 0600, fd)) return error;
  file = File(fd);
  return ::fchmod(fd, mode) == 0 ? std::error_code{} : last_error();  // whatever the umask is
}

std::error_code File::create_anonymous(File& file) {
  int fd = -1;
  const std::error_code error = repeat([&] { return fd = ::memfd_create("shoal", MFD_CLOEXEC); });
  move_beyond_stderr(fd);
  file = File(fd);
  return error;
}

std::error_code File::reopen(File& file) const {
  int fd = -1;
  const std::error_code error = open_at(descriptor_path(fd_), O_RDWR, 0, fd);
  file = File(fd);
  return error;
}

std::error_code File::publish(std::string_view name) const {
  const std::string from = descriptor_path(fd_);
  return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path_of(name).c_str(), AT_SYMLINK_FOLLOW) == 0
             ? std::error_code{}
             : last_error();
}

std::error_code File::status(FileStatus& status) const {
  struct stat found {};
  if (::fstat(fd_, &found) != 0) return last_error();
  status = {found.st_dev,
            found.st_ino,
            static_cast<std::uint64_t>(found.st_size),
            found.st_uid,
            S_ISREG(found.st_mode),
            found.st_nlink > 0,
            static_cast<std::uint64_t>(found.st_blocks) * 512};
  return {};
}

std::error_code File::resize(std::uint64_t size) const {
  return repeat([&] { return ::ftruncate(fd_, static_cast<off_t>(size)); });
}

std::error_code File::allocate(std::uint64_t offset, std::uint64_t length) const {
  return repeat([&] {
    return ::fallocate(fd_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  });
}

std::error_code File::discard(std::uint64_t offset, std::uint64_t length) const {
  return repeat([&] {
    return ::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  });
}

std::error_code File::read(void* to, std::size_t size) const {
  ssize_t got = 0;
  if (const std::error_code error = repeat([&] { return got = ::pread(fd_, to, size, 0); }))
    return error;
  return static_cast<std::size_t>(got) == size ? std::error_code{}
                                               : make_error_code(std::errc::io_error);
}

std::error_code File::read_at(std::uint64_t offset, void* to, std::size_t size,
                              std::size_t& got) const {
  for (got = 0; got < size;) {
    ssize_t more = 0;
    if (const std::error_code error = repeat([&] {
          return more = ::pread(fd_, static_cast<char*>(to) + got, size - got,
                                static_cast<off_t>(offset + got));
        }))
      return error;
    if (more == 0) break;
    got += static_cast<std::size_t>(more);
  }
  return {};
}

std::error_code File::write(const void* from, std::size_t size) const {
  ssize_t put = 0;
  if (const std::error_code error = repeat([&] { return put = ::pwrite(fd_, from, size, 0); }))
    return error;
  return static_cast<std::size_t>(put) == size ? std::error_code{}
                                               : make_error_code(std::errc::io_error);
}

std::error_code File::lock(std::uint64_t byte) const {
  return set_lock(fd_, F_OFD_SETLKW, F_WRLCK, byte);
}
std::error_code File::try_lock(std::uint64_t byte) const {
  return set_lock(fd_, F_OFD_SETLK, F_WRLCK, byte);
}
std::error_code File::try_lock(std::uint64_t first, std::uint64_t count) const {
  return set_lock(fd_, F_OFD_SETLK, F_WRLCK, first, count);
}
void File::unlock(std::uint64_t byte) const { set_lock(fd_, F_OFD_SETLK, F_UNLCK, byte); }

bool File::is_locked(std::uint64_t byte) const {
  struct flock lock = range(F_WRLCK, byte);
  return repeat([&] { return ::fcntl(fd_, F_OFD_GETLK, &lock); }) || lock.l_type != F_UNLCK;
}

std::error_code remove_file(std::string_view name) {
  return ::unlink(path_of(name).c_str()) == 0 ? std::error_code{} : last_error();
}

std::vector<std::string> list_files() {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(kFolder), ::closedir);
  while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    const std::string_view file = entry->d_name;
    if (!file.starts_with(kPrefix)) continue;
    struct stat found {};
    const int fd = ::dirfd(folder.get());
    if (::fstatat(fd, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode) &&
        ::faccessat(fd, entry->d_name, R_OK | W_OK, AT_EACCESS) == 0)
      names.emplace_back(file.substr(kPrefix.size()));
  }
  return names;
}

}  // namespace shoal::os
