// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace shoal::stress {

// How often something took how long: buckets that double in width with each power of two, four to
// each. Values below 4 ns have buckets of their own.
inline constexpr std::size_t kBucketsPerOctave = 4;
inline constexpr std::size_t kBuckets = 62 * kBucketsPerOctave;

constexpr std::size_t bucket_of(std::uint64_t value) {
  if (value < kBucketsPerOctave) return value;
  const auto octave = static_cast<std::size_t>(std::bit_width(value)) - 3;
  const std::size_t bucket = octave * kBucketsPerOctave + (value >> octave);
  return bucket < kBuckets ? bucket : kBuckets - 1;
}
// The least value in that bucket.
constexpr std::uint64_t bucket_begin(std::size_t bucket) {
  if (bucket < 2 * kBucketsPerOctave) return bucket;
  const std::size_t octave = bucket / kBucketsPerOctave - 1;
  return (bucket % kBucketsPerOctave + kBucketsPerOctave) << octave;
}
static_assert(bucket_of(7) == 7 && bucket_of(8) == 8 && bucket_of(9) == 8 && bucket_of(10) == 9);
static_assert(bucket_begin(bucket_of(1 << 20)) == 1 << 20 && bucket_begin(9) == 10);

// Written by one participant, read by the engine at any time: relaxed, for a count that comes a
// moment later does no harm.
class SharedHistogram {
 public:
  void add(std::uint64_t value) {
    std::atomic<std::uint64_t>& count = counts_[bucket_of(value)];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t count(std::size_t bucket) const {
    return counts_[bucket].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t max() const { return max_.load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<std::uint64_t>, kBuckets> counts_;
  std::atomic<std::uint64_t> max_;
};

// The sum of several.
class Histogram {
 public:
  void add(const SharedHistogram& other) {
    for (std::size_t i = 0; i < kBuckets; ++i) {
      counts_[i] += other.count(i);
      total_ += other.count(i);
    }
    if (other.max() > max_) max_ = other.max();
  }
  [[nodiscard]] std::uint64_t count(std::size_t bucket) const { return counts_[bucket]; }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  // So that `share` of all are no more than that: the end of a bucket, or the maximum.
  [[nodiscard]] std::uint64_t percentile(double share) const {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i + 1 < kBuckets; ++i) {
      below += counts_[i];
      if (below > 0 && static_cast<double>(below) >= share * static_cast<double>(total_))
        return bucket_begin(i + 1) < max_ ? bucket_begin(i + 1) : max_;
    }
    return max_;
  }

 private:
  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace shoal::stress
