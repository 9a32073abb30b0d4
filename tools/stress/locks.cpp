// SPDX-License-Identifier: MIT

// shoal's own locks.

#include <chrono>
#include <optional>

#include "catalogue.hpp"
#include "lock_subject.hpp"
#include "shoal/lock.hpp"
#include "shoal/rlock.hpp"
#include "shoal/segment.hpp"

namespace shoal::stress {
namespace {

template <class L, unsigned kMostDepth>
class SegmentLock : public LockSubject {
  [[nodiscard]] std::size_t lock_size() const override { return 0; }
  [[nodiscard]] bool is_silent() const override { return false; }

  void set_up_lock(void*, const Plan& plan) override {
    has_kills_ = plan.kills > 0;
    lock_.emplace(Segment::anonymous(), "lock");
  }

  bool lock(Participant& me) override {
    try {
      take(me.random());
    } catch (const OwnerDied&) {
      if (!has_kills_) throw;
      static_cast<void>(lock_->recover().release());
    }
    const bool told = lock_->inherited();
    if constexpr (kMostDepth > 1)
      for (depth_ = 1; depth_ < 1 + me.random() % kMostDepth; ++depth_) lock_->lock();
    return told;
  }
  // By each of the ways there are; those that may fail are tried once.
  void take(std::uint64_t choice) const {
    if (choice % 16 == 0 && lock_->try_lock()) return;
    if (choice % 16 == 1 && lock_->try_lock_for(std::chrono::microseconds(100))) return;
    lock_->lock();
  }

  void unlock(Participant&) override {
    for (; depth_ > 0; --depth_) lock_->unlock();
    depth_ = 1;
  }

  std::optional<L> lock_;
  bool has_kills_ = false;
  unsigned depth_ = 1;  // of this process
};

}  // namespace

void add_locks(std::vector<Entry>& entries) {
  entries.push_back({.name = "lock", .about = "shoal::Lock", .make = [] {
                       return std::unique_ptr<Subject>(new SegmentLock<Lock, 1>);
                     }});
  entries.push_back({.name = "rlock", .about = "shoal::RLock, up to 3 deep", .make = [] {
                       return std::unique_ptr<Subject>(new SegmentLock<RLock, 3>);
                     }});
}

}  // namespace shoal::stress
