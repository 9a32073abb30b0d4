// SPDX-License-Identifier: MIT
#include "mapping.hpp"

#include <system_error>
#include <utility>

#include "kinds.hpp"
#include "message.hpp"
#include "mutant.hpp"
#include "process_record.hpp"
#include "registry.hpp"
#include "shoal/error.hpp"

namespace shoal::detail {
namespace {

void lock_directory(const os::File& file, const std::string& name) {
  if (const std::error_code error = file.lock(format::kDirectoryByte))
    throw Error(error, in_segment(name) + ": cannot lock its directory: " + error.message());
}

// Never one that a thread of this process, or of its parent, may have in its ThreadPlace.
std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> serials{0};
  return serials.fetch_add(1, std::memory_order_relaxed) + 1;
}

// The kernel's half of the directory lock.
class FileLock {
 public:
  FileLock(const os::File& file, const std::string& name) : file_(file) {
    lock_directory(file, name);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() { file_.unlock(format::kDirectoryByte); }

 private:
  const os::File& file_;
};

OwnerValue attach_or_throw(const Tables& tables, const os::File& file, const std::string& name) {
  try {
    if (const auto self = attach(tables, file)) return *self;
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::no_space_on_device)
      throw NoSpace(in_segment(name) + ": cannot be joined: /dev/shm is full");
    throw Error(error.code(), in_segment(name) + ": cannot be joined: " + error.code().message());
  }
  throw TooManyParticipants(in_segment(name) +
                            ": cannot be joined: " + std::to_string(tables.header().max_processes) +
                            " processes are alive in it; create it with more "
                            "SegmentOptions::max_processes, or end one");
}

}  // namespace

Mapping::Directory::Directory(Mapping& mapping)
    : held_(mapping.joined_mutex()), file_(mapping.file_) {
  lock_directory(file_, mapping.name_);
}

Mapping::Directory::~Directory() { file_.unlock(format::kDirectoryByte); }

Mapping::Mapping(std::string name, SegmentFile segment)
    : name_(std::move(name)),
      file_(std::move(segment.file)),
      region_(std::move(segment.region)),
      tables_(segment.header, region_->data()),
      self_(os::take_wiped_on_fork()) {
  try {
    join(file_);
  } catch (...) {
    os::give_back(self_);
    throw;
  }
}

Mapping::~Mapping() {
  const std::scoped_lock registry_held(registry_mutex());
  remove_from_registry(*this);
  if (self() != kNobody) detach(tables_, file_, self());
  os::give_back(self_);
}

void Mapping::set_self(OwnerValue self) {
  const bool fast = self != kNobody && membarrier_reaches_us();
  self_->words[kFastSelf].store(fast ? self : kNobody, std::memory_order_relaxed);
  self_->words[kSerial].store(fast ? next_serial() : 0, std::memory_order_relaxed);
  self_->words[kRealSelf].store(self, std::memory_order_relaxed);
}

void Mapping::join(const os::File& file) {
  if (const auto self = attach_to_free(tables_, file)) return set_self(*self);
  const FileLock held(file, name_);
  set_self(attach_or_throw(tables_, file, name_));
}

void Mapping::rejoin() {
  if (self() != kNobody) return;
  const std::scoped_lock held(mutex_);
  if (self() != kNobody) return;
  // The file that was inherited is the parent's, and keeps it alive: never use it, and let it go.
  os::File own;
  if (!file_.is_open() || file_.reopen(own))
    throw TooManyParticipants(
        in_segment(name_) +
        ": this forked process could not join it: too many open files, or processes in it, a full "
        "/dev/shm, or it may no longer open the file");
  join(own);
  file_ = std::move(own);
  static_cast<void>(region_->remap(file_));  // lets go of the parent's, as after_fork_in_child()
  this_tid = os::thread_id();
  for (const auto& [index, entry] : open_) tables_.set_open(index, record_of(self()));
}

bool Mapping::bury_the_dead() {
  try {
    const Directory held(*this);
    return detail::bury_the_dead(tables_, file_, self());
  } catch (const Error&) {
    return false;
  }
}

std::shared_ptr<const Object> Mapping::open(std::uint32_t index, const std::string& name, Kind kind,
                                            void* memory) {
  Open& entry = open_[index];
  if (auto object = entry.object.lock()) return object;
  auto object = std::make_shared<const Object>(shared_from_this(), index, name, kind, memory);
  tables_.set_open(index, record_of(self()));
  entry = {object, entry.count + 1, kind, object->memory()};
  return object;
}

void Mapping::close(const Object& object) {
  std::shared_ptr<Mapping> last;  // released after the mutex
  const std::scoped_lock held(mutex_);
  const auto entry = open_.find(object.index());
  if (--entry->second.count > 0) return;
  open_.erase(entry);
  if (self() == kNobody) return;
  if (count_held(object.kind(), object.memory(), self()) > 0) {
    holds_something_ = shared_from_this();
    return;
  }
  tables_.clear_open(object.index(), record_of(self()));
  if (has_nothing_open()) last = std::exchange(holds_something_, nullptr);
}

// In the table, where the bits of what is held stay when its handles have gone.
bool Mapping::has_nothing_open() const {
  for (std::uint32_t i = 0; i < tables_.objects(); ++i)
    if (tables_.is_open_by(i, record_of(self()))) return false;
  return true;
}

void Mapping::copy_open_sets(OwnerValue from, OwnerValue to) {
  for (std::uint32_t i = 0; i < tables_.objects(); ++i)
    if (tables_.is_open_by(i, record_of(from))) tables_.set_open(i, record_of(to));
}

// In the table, too: what is held may have no handle any more.
void Mapping::add_held(Amounts& amounts) const {
  if (self() == kNobody) return;
  for (std::uint32_t i = 0; i < tables_.objects(); ++i) {
    if (!tables_.is_open_by(i, record_of(self()))) continue;
    const auto object = object_in(tables_, i);
    const std::uint64_t count = object ? count_held(object->kind, object->memory, self()) : 0;
    if (count > 0) amounts[which(i)] += count;
  }
}

Mapping::Which Mapping::which(std::uint32_t index) const {
  return {index, tables_.object(index).generation.load(std::memory_order_relaxed)};
}

// May not throw. What fails here leaves the child without a place: it finds out in rejoin().
void Mapping::before_fork() {
  mutex_.lock();
  child_self_ = kNobody;
  try {
    child_held_ = held_before_fork_;
    add_held(child_held_);
    if (self() == kNobody || file_.reopen(child_file_)) return;
    const FileLock held(file_, name_);
    const auto child = attach(tables_, child_file_);
    if (!child) return child_file_.close();
    if constexpr (kSeeded != Seeded::open_sets_not_copied) copy_open_sets(self(), *child);
    for (const auto& [index, entry] : open_)
      share_with_child(tables_, file_, entry.kind, entry.memory, self(), *child);
    child_self_ = *child;
  } catch (const std::exception&) {
    child_file_.close();
  }
}

void Mapping::after_fork_in_parent() {
  child_file_.close();  // the child's lock is the child's now; or nobody's, where fork() failed
  mutex_.unlock();
}

void Mapping::after_fork_in_child() {
  // What the parent's descriptor and mapping refer to would keep it alive as long as this child.
  file_ = std::move(child_file_);
  if constexpr (kSeeded != Seeded::child_keeps_file) child_file_.close();
  if (file_.is_open() && !region_->remap(file_)) child_self_ = kNobody;
  held_before_fork_ = std::move(child_held_);
  set_self(child_self_);
  if (child_self_ != kNobody) {
    introduce(tables_, child_self_);
    leave_closed_ends();
  }
  mutex_.unlock();
}

// The child of a fork() has a share of each end that its parent had one of beforehand. Where another
// thread has closed that since, and memory was copied as it did, the child's handle says closed, and
// nobody would ever give up the child's share.
void Mapping::leave_closed_ends() const {
  const auto is_closed = [](const EndShare& share) {
    return share.closed->load(std::memory_order_relaxed);  // from before the fork, or this thread's
  };
  for (const EndShare& share : shares_) {
    const auto is_its = [&](const EndShare& other) {  // taken again: the same share, not closed
      return other.pipe == share.pipe && other.end == share.end && !is_closed(other);
    };
    if (is_closed(share) && std::none_of(shares_.begin(), shares_.end(), is_its))
      leave_end(tables_, file_, share.pipe, share.end, self());
  }
}

void Mapping::remove_share(const std::atomic<bool>& closed) {
  const std::scoped_lock held(mutex_);
  std::erase_if(shares_, [&](const EndShare& share) { return share.closed == &closed; });
}

bool Mapping::forget_held_before_fork(const Object& object, int n) {
  const std::scoped_lock held(mutex_);
  const auto entry = held_before_fork_.find(which(object.index()));
  const auto count = static_cast<std::uint64_t>(n);
  if (entry == held_before_fork_.end() || entry->second < count) return false;
  if ((entry->second -= count) == 0) held_before_fork_.erase(entry);
  return true;
}

Object::Object(std::shared_ptr<Mapping> mapping, std::uint32_t index, std::string name, Kind kind,
               void* memory)
    : mapping_(std::move(mapping)),
      index_(index),
      name_(std::move(name)),
      kind_(kind),
      memory_(memory) {}

Object::~Object() { mapping_->close(*this); }

}  // namespace shoal::detail
