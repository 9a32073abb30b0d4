// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
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
  bool linked = false;       // it has a name
  std::uint64_t memory = 0;  // bytes that it takes of the machine's
};

// An open file in /dev/shm, closed with its File. What may fail returns why: an error
// code that is false for success.
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
  [[nodiscard]] static std::error_code open(std::string_view name, File& file);
  // The same, to look only: for status(), read_at() and is_locked().
  [[nodiscard]] static std::error_code open_to_read(std::string_view name, File& file);
  // Makes a file without a name; it vanishes with its last user, unless it is published.
  [[nodiscard]] static std::error_code create(unsigned mode, File& file);
  // Makes a file that can never have a name.
  [[nodiscard]] static std::error_code create_anonymous(File& file);
  // The same file once more, with a description and so with locks of its own.
  [[nodiscard]] std::error_code reopen(File& file) const;
  // Gives the file its name, unless that is taken: file_exists.
  [[nodiscard]] std::error_code publish(std::string_view name) const;

  [[nodiscard]] std::error_code status(FileStatus& status) const;
  [[nodiscard]] std::error_code resize(std::uint64_t size) const;
  // Backs a range with memory, so that writing there cannot fail. no_space_on_device: there is no
  // more.
  [[nodiscard]] std::error_code allocate(std::uint64_t offset, std::uint64_t length) const;
  // Gives a range of whole pages back; it reads as zeros then.
  std::error_code discard(std::uint64_t offset, std::uint64_t length) const;
  // From the file's start; io_error where it is shorter.
  [[nodiscard]] std::error_code read(void* to, std::size_t size) const;
  // What there is of a range; `got` says how much.
  [[nodiscard]] std::error_code read_at(std::uint64_t offset, void* to, std::size_t size,
                                        std::size_t& got) const;
  [[nodiscard]] std::error_code write(const void* from, std::size_t size) const;

  [[nodiscard]] std::error_code lock(std::uint64_t byte) const;  // waits
  [[nodiscard]] std::error_code try_lock(std::uint64_t byte) const;
  // All of so many bytes, or none.
  [[nodiscard]] std::error_code try_lock(std::uint64_t first, std::uint64_t count) const;
  void unlock(std::uint64_t byte) const;
  // True also where the kernel does not say: who may be alive is not to be robbed.
  [[nodiscard]] bool is_locked(std::uint64_t byte) const;

 private:
  explicit File(int fd) : fd_(fd) {}
  int fd_ = -1;
};

[[nodiscard]] std::error_code remove_file(std::string_view name);
// The names of the files that this user may read and write.
std::vector<std::string> list_files();
std::string path_of(std::string_view name);

}  // namespace shoal::os
