#include <shoal/shoal.hpp>
#include <mutex>

int main() {
  shoal::Segment shop("shop");                             // open it, or create it
  shoal::Value<std::int64_t> counter(shop, "counter");     // find it, or construct it: zero
  shoal::Lock lock(shop, "counter.lock");
  for (int i = 0; i < 100'000; ++i) {
    std::scoped_lock held(lock);
    counter.store(counter.load() + 1);
  }
}   // start it twice, from two terminals: 200'000
