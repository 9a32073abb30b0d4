// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shoal::os {

// What fstat(2) says of a file.
struct FileStatus {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::uint32_t user = 0;
  bool regular = false;
  bool linked = false;  // it has a name
};

// An open file in /dev/shm, closed with its File. What may fail returns an errno, 0 for success.
//
// Locks on single bytes, anywhere up to 2^62, belong to the open file description: they go with
// its last descriptor, so when its process dies and nobody has inherited it, after the process's
// memory has gone. is_locked() does not see those of this same File.
class File {
 public:
  File() = default;
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~File() { close(); }
  void close();
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int descriptor() const { return fd_; }

  // Opens the file of that name. Follows no link, and waits for nobody.
  [[nodiscard]] static int open(std::string_view name, File& file);
  // Makes a file without a name; it vanishes with its last user, unless it is published.
  [[nodiscard]] static int create(unsigned mode, File& file);
  // Makes a file that can never have a name.
  [[nodiscard]] static int create_anonymous(File& file);
  // The same file once more, with a description and so with locks of its own.
  [[nodiscard]] int reopen(File& file) const;
  // Gives the file its name, unless that is taken: EEXIST.
  [[nodiscard]] int publish(std::string_view name) const;

  [[nodiscard]] int status(FileStatus& status) const;
  [[nodiscard]] int resize(std::uint64_t size) const;
  // Backs a range with memory, so that writing there cannot fail. ENOSPC: there is no more.
  [[nodiscard]] int allocate(std::uint64_t offset, std::uint64_t length) const;
  // Gives a range of whole pages back; it reads as zeros then.
  int discard(std::uint64_t offset, std::uint64_t length) const;
  // From the file's start; EIO where it is shorter.
  [[nodiscard]] int read(void* to, std::size_t size) const;
  [[nodiscard]] int write(const void* from, std::size_t size) const;

  [[nodiscard]] int lock(std::uint64_t byte) const;  // waits
  [[nodiscard]] int try_lock(std::uint64_t byte) const;
  void unlock(std::uint64_t byte) const;
  [[nodiscard]] bool is_locked(std::uint64_t byte) const;

 private:
  explicit File(int fd) : fd_(fd) {}
  int fd_ = -1;
};

[[nodiscard]] int remove_file(std::string_view name);
// The names of the files that this user may read and write.
std::vector<std::string> list_files();
std::string path_of(std::string_view name);

}  // namespace shoal::os
