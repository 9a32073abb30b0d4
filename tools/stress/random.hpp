// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace shoal::stress {

// Numbers that are the same for the same seed: G. L. Steele, D. Lea, C. H. Flood, Fast Splittable
// Pseudorandom Number Generators, 2014. Two additions and two multiplications: it must not be what
// is measured.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  std::uint64_t below(std::uint64_t end) { return (*this)() % end; }

 private:
  std::uint64_t state_;
};

}  // namespace shoal::stress
