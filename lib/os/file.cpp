// SPDX-License-Identifier: MIT
#include "os/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace shoal::os {
namespace {

constexpr char kFolder[] = "/dev/shm";
constexpr std::string_view kPrefix = "shoal.";

// Repeats a call that a signal interrupted; 0 or errno.
template <class Call>
int repeat(Call call) {
  while (call() < 0)
    if (errno != EINTR) return errno;
  return 0;
}

std::string descriptor_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

int open_at(const std::string& path, int flags, unsigned mode, int& fd) {
  return repeat([&] { return fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode); });
}

struct flock range(short type, std::uint64_t byte) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte);
  lock.l_len = 1;
  return lock;
}

int set_lock(int fd, int command, short type, std::uint64_t byte) {
  struct flock lock = range(type, byte);
  return repeat([&] { return ::fcntl(fd, command, &lock); });
}

}  // namespace

std::string path_of(std::string_view name) {
  return std::string(kFolder) + "/" + std::string(kPrefix) + std::string(name);
}

void File::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

int File::open(std::string_view name, File& file) {
  int fd = -1;
  // O_NONBLOCK: a FIFO of that name must not make the caller wait.
  const int error = open_at(path_of(name), O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0, fd);
  file = File(fd);
  return error;
}

int File::create(unsigned mode, File& file) {
  int fd = -1;
  if (const int error = open_at(kFolder, O_TMPFILE | O_RDWR, 0600, fd)) return error;
  file = File(fd);
  return ::fchmod(fd, mode) == 0 ? 0 : errno;  // whatever the umask is
}

int File::create_anonymous(File& file) {
  file = File(::memfd_create("shoal", MFD_CLOEXEC));
  return file.is_open() ? 0 : errno;
}

int File::reopen(File& file) const {
  int fd = -1;
  const int error = open_at(descriptor_path(fd_), O_RDWR, 0, fd);
  file = File(fd);
  return error;
}

int File::publish(std::string_view name) const {
  const std::string from = descriptor_path(fd_);
  return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path_of(name).c_str(), AT_SYMLINK_FOLLOW) == 0
             ? 0
             : errno;
}

int File::status(FileStatus& status) const {
  struct stat found {};
  if (::fstat(fd_, &found) != 0) return errno;
  status = {found.st_dev,         found.st_ino,   static_cast<std::uint64_t>(found.st_size),
            found.st_uid,         S_ISREG(found.st_mode), found.st_nlink > 0};
  return 0;
}

int File::resize(std::uint64_t size) const {
  return repeat([&] { return ::ftruncate(fd_, static_cast<off_t>(size)); });
}

int File::allocate(std::uint64_t offset, std::uint64_t length) const {
  return repeat([&] {
    return ::fallocate(fd_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  });
}

int File::discard(std::uint64_t offset, std::uint64_t length) const {
  return repeat([&] {
    return ::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  });
}

int File::read(void* to, std::size_t size) const {
  ssize_t got = 0;
  if (const int error = repeat([&] { return got = ::pread(fd_, to, size, 0); })) return error;
  return static_cast<std::size_t>(got) == size ? 0 : EIO;
}

int File::write(const void* from, std::size_t size) const {
  ssize_t put = 0;
  if (const int error = repeat([&] { return put = ::pwrite(fd_, from, size, 0); })) return error;
  return static_cast<std::size_t>(put) == size ? 0 : EIO;
}

int File::lock(std::uint64_t byte) const { return set_lock(fd_, F_OFD_SETLKW, F_WRLCK, byte); }
int File::try_lock(std::uint64_t byte) const { return set_lock(fd_, F_OFD_SETLK, F_WRLCK, byte); }
void File::unlock(std::uint64_t byte) const { set_lock(fd_, F_OFD_SETLK, F_UNLCK, byte); }

bool File::is_locked(std::uint64_t byte) const {
  struct flock lock = range(F_WRLCK, byte);
  return repeat([&] { return ::fcntl(fd_, F_OFD_GETLK, &lock); }) == 0 && lock.l_type != F_UNLCK;
}

int remove_file(std::string_view name) {
  return ::unlink(path_of(name).c_str()) == 0 ? 0 : errno;
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
