// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "format.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "os/region.hpp"
#include "segment_file.hpp"
#include "shoal/detail/object.hpp"
#include "tables.hpp"

namespace shoal::detail {

// What a process itself says of its share of an end of a pipe.
struct EndShare {
  void* pipe;
  int end;
  const std::atomic<bool>* closed;
};

// A segment in this process: its file, mapped once however many handles there are, and this
// process's place in it. It goes with the last handle; but not while the process holds something
// in it, for nobody could tell that from dying.
//
// Every change of the tables, but to attach and detach, is made under the directory lock: `mutex_`
// between the threads of this process, and a lock of the kernel's on one byte of the file between
// processes, which it drops if its holder dies. So whoever has it finds what a dead holder left, and
// nobody at work: each function says what that can be.
class Mapping : public std::enable_shared_from_this<Mapping> {
 public:
  // Attaches this process. Throws TooManyParticipants, NoSpace.
  Mapping(std::string name, SegmentFile segment);
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Tables& tables() const { return tables_; }
  [[nodiscard]] const os::File& file() const { return file_; }

  // This process in the segment, for the fast paths: its SelfWords.
  [[nodiscard]] const std::atomic<OwnerValue>* self_words() const { return self_->words; }
  // This process in the segment. kNobody in the child of a fork that ran no handlers: then
  // rejoin().
  [[nodiscard]] OwnerValue self() const {
    return self_->words[kRealSelf].load(std::memory_order_relaxed);
  }
  // Attaches the child of such a fork, or does nothing. Throws TooManyParticipants.
  void rejoin();

  // The directory lock, for as long as it lives. Throws TooManyParticipants (see rejoin).
  class Directory {
   public:
    explicit Directory(Mapping& mapping);
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory();

   private:
    const std::scoped_lock<std::mutex> held_;
    const os::File& file_;
  };

  // Gives back what the dead have left. False where nobody is dead, or the directory cannot be locked.
  bool bury_the_dead();

  // Requires the directory lock. The open object of that index; made where there is none yet.
  std::shared_ptr<const Object> open(std::uint32_t index, const std::string& name, Kind kind,
                                     void* memory);
  // An open object goes.
  void close(const Object& object);

  // Requires the directory lock. A share that the children of fork() are to have, unless it is
  // closed by the time that memory is copied.
  void add_share(const EndShare& share) { shares_.push_back(share); }
  // It goes.
  void remove_share(const std::atomic<bool>& closed);

  // Around a fork(): see registry.cpp.
  void before_fork();
  void after_fork_in_parent();
  void after_fork_in_child();
  // True once for each thing, or n of them, that this process's parent held when it forked: giving
  // that back here does nothing.
  bool forget_held_before_fork(const Object& object, int n = 1);

 private:
  struct Open {
    std::weak_ptr<const Object> object;
    int count = 0;  // Objects that have not gone yet; but for the last, they are about to
    Kind kind = Kind::none;
    void* memory = nullptr;
  };

  // An object: its index, and which of those that have used the index.
  using Which = std::pair<std::uint32_t, std::uint64_t>;
  using Amounts = std::map<Which, std::uint64_t>;

  std::mutex& joined_mutex() {
    rejoin();
    return mutex_;
  }
  void join(const os::File& file);
  void set_self(OwnerValue self);
  [[nodiscard]] bool has_nothing_open() const;
  void copy_open_sets(OwnerValue from, OwnerValue to);
  void add_held(Amounts& amounts) const;
  [[nodiscard]] Which which(std::uint32_t index) const;
  void leave_closed_ends() const;

  const std::string name_;
  os::File file_;
  const std::unique_ptr<os::Region> region_;
  const Tables tables_;
  os::WipedOnFork* const self_;
  std::mutex mutex_;
  std::map<std::uint32_t, Open> open_;        // guarded by mutex_
  std::shared_ptr<Mapping> holds_something_;  // itself, while it must not go; guarded by mutex_
  Amounts held_before_fork_;                  // guarded by mutex_
  std::vector<EndShare> shares_;              // guarded by mutex_
  // From before_fork() until after it: the child's place.
  os::File child_file_;
  OwnerValue child_self_ = kNobody;
  Amounts child_held_;
};

// An object that this process has open.
class Object {
 public:
  Object(std::shared_ptr<Mapping> mapping, std::uint32_t index, std::string name, Kind kind,
         void* memory);
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object();

  [[nodiscard]] Mapping& mapping() const { return *mapping_; }
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] void* memory() const { return memory_; }

 private:
  const std::shared_ptr<Mapping> mapping_;
  const std::uint32_t index_;
  const std::string name_;
  const Kind kind_;
  void* const memory_;
};

}  // namespace shoal::detail
