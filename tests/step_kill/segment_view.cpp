// SPDX-License-Identifier: MIT
#include "step_kill/segment_view.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>

#include "kinds.hpp"
#include "shoal/detail/array_word.hpp"
#include "shoal/detail/barrier_word.hpp"
#include "shoal/detail/bounded_word.hpp"
#include "shoal/detail/condition_word.hpp"
#include "shoal/detail/event_word.hpp"
#include "shoal/detail/join_word.hpp"
#include "shoal/detail/pipe_word.hpp"
#include "shoal/detail/queue_word.hpp"
#include "shoal/detail/semaphore_word.hpp"
#include "shoal/detail/value_word.hpp"
#include "support/state_hash.hpp"

namespace shoal_test {
namespace {

using namespace shoal::detail;
namespace format = shoal::format;

class Hash {
 public:
  template <class... Facts>
  Hash& add(const Facts&... facts) {
    ((value_ = hash_of_both(value_, hash_of(facts))), ...);
    return *this;
  }
  Hash& add_bytes(const void* memory, std::size_t bytes) { return add(hash_of(memory, bytes)); }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

std::uint64_t hash_of_lock(const LockWord& word) {
  Hash hash;
  hash.add(word.owner.load(), word.reserve.load(), word.sleepers.load(), word.inherits.load());
  hash.add(static_cast<std::uint32_t>(word.holder.load()));
  for (const auto& fact : word.obituary.words) hash.add(static_cast<std::uint32_t>(fact.load()));
  return hash.value();
}

// Of an object that has as many bytes as its kind takes at least.
std::uint64_t hash_of_turn(const shoal::detail::PipeTurn& turn) {
  Hash hash;
  hash.add(static_cast<std::uint32_t>(turn.favourite.load()), turn.owner.load());
  hash.add(shoal::detail::period_of(turn.favourite.load()), turn.sleepers.load());
  return hash.add_bytes(turn.busy, sizeof turn.busy).value();
}

std::uint64_t hash_of_lane(const PipeLane& lane) {
  Hash hash;
  hash.add(lane.tail.load(), lane.head_seen.load(), lane.dropped_at.load());
  hash.add(lane.head.load(), lane.tail_seen.load());
  hash.add(lane.data_sleepers.load(), lane.space_sleepers.load());
  hash.add(hash_of_turn(lane.send_turn), hash_of_turn(lane.recv_turn));
  return hash.add(hash_of_lock(lane.send_lock), hash_of_lock(lane.recv_lock)).value();
}

std::uint64_t hash_of_words(Kind kind, std::byte* memory, std::size_t bytes,
                            std::uint32_t processes) {
  Hash hash;
  switch (kind) {
    case Kind::lock:
      return hash_of_lock(*reinterpret_cast<LockWord*>(memory));
    case Kind::rlock: {
      const auto& word = *reinterpret_cast<LockWord*>(memory);
      return hash.add(hash_of_lock(word), word.depth.load()).value();
    }
    case Kind::value: {
      const auto& word = *reinterpret_cast<ValueWord*>(memory);
      hash.add(hash_of_lock(word.lock), hash_of_lock(word.writer), word.version.load());
      return hash.add_bytes(memory + sizeof word, bytes - sizeof word).value();
    }
    case Kind::array: {
      const auto& word = *reinterpret_cast<ArrayWord*>(memory);
      hash.add(hash_of_lock(word.lock), hash_of_lock(word.writer), word.pending.load());
      return hash.add_bytes(memory + sizeof word, bytes - sizeof word).value();
    }
    case Kind::bounded_semaphore: {
      auto& word = *reinterpret_cast<BoundedWord*>(memory);
      hash.add(hash_of_lock(word.lock), word.count.load(), word.sleepers.load());
      for (const HeldPermits& held : held_permits(word, processes))
        hash.add(held.owner.load(), held.permits.load());
      return hash.value();
    }
    case Kind::barrier: {
      auto& word = *reinterpret_cast<BarrierWord*>(memory);
      hash.add(word.state.load(), word.sleepers.load());
      for (const BarrierMark& mark : barrier_marks(word, processes))
        hash.add(mark.owner.load(), mark.round.load());
      return hash.value();
    }
    case Kind::queue:
      return hash.add_bytes(memory, bytes).value();
    case Kind::joinable_queue: {
      auto& word = *reinterpret_cast<QueueWord*>(memory);
      const JoinWord& join = join_word(word);
      hash.add_bytes(&word, sizeof word).add(hash_of_lock(join.lock), join.pending.load());
      hash.add(join.taker.load(), join.held.load(), join.joiners.load());
      const auto* const rest = reinterpret_cast<const std::byte*>(&join + 1);
      return hash.add_bytes(rest, static_cast<std::size_t>(memory + bytes - rest)).value();
    }
    case Kind::pipe: {
      auto& word = *reinterpret_cast<PipeWord*>(memory);
      hash.add(word.ends[0].load(), word.ends[1].load());
      for (const PipeLane& lane : word.lanes) hash.add(hash_of_lane(lane));
      for (const PipeHolder& holder : pipe_holders(word, processes)) hash.add(holder.load());
      return hash.add_bytes(memory + sizeof word, bytes - sizeof word).value();
    }
    case Kind::semaphore:
    case Kind::event:
    case Kind::condition:  // 64 bytes each, of numbers only
      return hash.add_bytes(memory, least_bytes(kind, processes)).value();
    case Kind::none:
      break;
  }
  return 0;
}

}  // namespace

// A segment's file, mapped.
class SegmentView::Mapping {
 public:
  explicit Mapping(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    ::fstat(file, &facts_);
    if (size() >= format::kPage)
      memory_ = ::mmap(nullptr, size(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (memory_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (memory_ != nullptr) ::munmap(memory_, size());
  }

  void* memory() const { return memory_; }  // null where there is no segment
  bool is_of(const struct stat& facts) const {
    return memory_ != nullptr && facts.st_dev == facts_.st_dev && facts.st_ino == facts_.st_ino &&
           facts.st_size == facts_.st_size;
  }

 private:
  std::size_t size() const { return static_cast<std::size_t>(facts_.st_size); }

  struct stat facts_ {};
  void* memory_ = nullptr;
};

// After each step a new view looks at the same file, which takes longer to map than to look at.
std::shared_ptr<const SegmentView::Mapping> SegmentView::mapping(const std::string& path) {
  static std::shared_ptr<const Mapping> last;
  struct stat facts {};
  const bool there = ::stat(path.c_str(), &facts) == 0;
  if (!there || !last || !last->is_of(facts)) last = std::make_shared<const Mapping>(path);
  return last;
}

SegmentView::SegmentView(const std::string& path) : mapping_(mapping(path)) {
  void* const memory = mapping_->memory();
  if (memory == nullptr) return;
  format::Header header;
  std::memcpy(&header, memory, sizeof header);
  tables_.emplace(header, static_cast<std::byte*>(memory));
}

std::uint64_t SegmentView::hash() const {
  if (!tables_) return 0;
  Hash hash;
  hash.add(tables_->processes(), tables_->objects(), tables_->threads());
  for (std::uint32_t i = 0; i < tables_->processes(); ++i) {
    hash.add(tables_->process(i).life.load(), tables_->process(i).pid.load() != 0);
  }
  for (std::uint32_t i = 0; i < tables_->threads(); ++i) {
    const format::ThreadRecord& thread = tables_->thread(i);
    hash.add(thread.owner.load(), thread.waits_for.load(), thread.turn.load());
    hash.add(thread.condition.load(), thread.sleepers.load());
    hash.add(thread.intent.what.load(), thread.intent.object.load(), thread.intent.more.load());
  }
  for (std::uint32_t i = 0; i < tables_->objects(); ++i) hash.add(hash_of_object(i));
  return hash.add(tables_->marks().heap.load()).value();
}

std::uint64_t SegmentView::hash_of_object(std::uint32_t index) const {
  const format::ObjectRecord& record = tables_->object(index);
  Hash hash;
  hash.add_bytes(&record, sizeof record);
  for (std::uint32_t i = 0; i < tables_->header().max_processes; ++i) {
    hash.add(tables_->is_open_by(index, i));
  }
  const auto state = static_cast<format::State>(record.state.load());
  if (state == format::State::free || !tables_->in_heap(record.offset, record.bytes)) {
    return hash.value();
  }
  const std::uint32_t processes = tables_->header().max_processes;
  if (record.bytes < least_bytes(record.kind, processes)) return hash.value();
  std::byte* const memory = tables_->heap() + record.offset;
  return hash.add(hash_of_words(record.kind, memory, record.bytes, processes)).value();
}

std::byte* SegmentView::memory(std::string_view object) const {
  for (std::uint32_t i = 0; tables_ && i < tables_->objects(); ++i) {
    const format::ObjectRecord& record = tables_->object(i);
    if (record.state.load() != static_cast<std::uint32_t>(format::State::live)) continue;
    if (object == record.name) return tables_->heap() + record.offset;
  }
  return nullptr;
}

Holding SegmentView::holding(std::string_view object) const {
  const LockWord* word = lock(object);
  const OwnerValue owner = word == nullptr ? 0 : word->owner.load();
  if (owner == kNobody) return {};
  if (!is_abandoned(owner)) return {pid_of(owner), false};
  return {static_cast<pid_t>(word->obituary.words[0].load() >> 32), true};
}

pid_t SegmentView::pid_of(OwnerValue owner) const {
  const std::uint32_t index = record_of(owner);
  return index < tables_->processes() ? static_cast<pid_t>(tables_->process(index).pid.load()) : -1;
}

SegmentImage::SegmentImage(const TempName& name) {
  std::ifstream file(name.path(), std::ios::binary);
  bytes_.assign(std::istreambuf_iterator<char>(file), {});
}

void SegmentImage::write_to(const TempName& name) const {
  const int file = ::open(name.path().c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  const auto written = file < 0 ? -1 : ::write(file, bytes_.data(), bytes_.size());
  if (file >= 0) ::close(file);
  if (written != static_cast<ssize_t>(bytes_.size()))
    throw std::system_error(errno, std::generic_category(), name.path());
}

}  // namespace shoal_test
