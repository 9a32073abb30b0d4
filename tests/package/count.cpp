// SPDX-License-Identifier: MIT
//
// main.cpp in a segment of the caller's choice: count SEGMENT
#include <shoal/shoal.hpp>
#include <cstdint>
#include <mutex>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  shoal::Segment shop(argv[1]);
  shoal::Value<std::int64_t> counter(shop, "counter");
  shoal::Lock lock(shop, "counter.lock");
  for (int i = 0; i < 100'000; ++i) {
    std::scoped_lock held(lock);
    counter.store(counter.load() + 1);
  }
}
