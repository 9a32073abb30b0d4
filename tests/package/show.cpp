// SPDX-License-Identifier: MIT
//
// Prints what count left, and removes it: show SEGMENT
#include <shoal/shoal.hpp>
#include <cstdint>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  shoal::Segment shop(argv[1], shoal::Open::existing);
  shoal::Value<std::int64_t> counter(shop, "counter", shoal::Open::existing);
  std::cout << counter.load() << '\n';
  shoal::Segment::remove(argv[1]);
}
