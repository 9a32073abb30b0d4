// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/interprocess/managed_shared_memory.hpp>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.hpp"
#include "shoal/segment.hpp"
#include "shoal/value.hpp"

namespace bench {
namespace {

namespace bip = boost::interprocess;

// All have the same size, and one number in it.
constexpr std::size_t kCapacity = 64 << 20;
constexpr std::int64_t kNumber = 42;

// A contender creates a segment with that number in it, opens it and reads the number, removes it.
struct Shoal {
  static void create(const std::string& name) {
    const shoal::Segment segment(name, {.open = shoal::Open::create, .capacity = kCapacity});
    const shoal::Value<std::int64_t> value(segment, "number", kNumber, shoal::Open::create);
  }
  static std::int64_t read(const std::string& name) {
    const shoal::Segment segment(name, shoal::Open::existing);
    const shoal::Value<std::int64_t> value(segment, "number", shoal::Open::existing);
    return value.load();
  }
  static void remove(const std::string& name) { shoal::Segment::remove(name); }
};

// No directory, no names, no check of what is there: the system calls, and one page touched.
struct Raw {
  static std::int64_t* map(const std::string& name, int flags) {
    const int file = ::shm_open(name.c_str(), O_RDWR | flags, 0600);
    if (file < 0) throw std::runtime_error("shm_open failed");
    if (flags != 0 && ::ftruncate(file, kCapacity) != 0)
      throw std::runtime_error("ftruncate failed");
    void* const memory = ::mmap(nullptr, kCapacity, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap failed");
    ::close(file);
    return static_cast<std::int64_t*>(memory);
  }
  static void create(const std::string& name) {
    volatile std::int64_t* const number = map(name, O_CREAT | O_EXCL);
    *number = kNumber;
    ::munmap(const_cast<std::int64_t*>(number), kCapacity);
  }
  static std::int64_t read(const std::string& name) {
    volatile std::int64_t* const number = map(name, 0);
    const std::int64_t found = *number;
    ::munmap(const_cast<std::int64_t*>(number), kCapacity);
    return found;
  }
  static void remove(const std::string& name) { ::shm_unlink(name.c_str()); }
};

struct Boost {
  static void create(const std::string& name) {
    bip::managed_shared_memory segment(bip::create_only, name.c_str(), kCapacity);
    segment.construct<std::int64_t>("number")(kNumber);
  }
  static std::int64_t read(const std::string& name) {
    bip::managed_shared_memory segment(bip::open_only, name.c_str());
    const auto found = segment.find<std::int64_t>("number");
    if (found.first == nullptr) throw std::runtime_error("not found");
    return *found.first;
  }
  static void remove(const std::string& name) { bip::shared_memory_object::remove(name.c_str()); }
};

template <class Segment>
void check(const std::string& name) {
  if (Segment::read(name) != kNumber) throw std::runtime_error("found another number");
}

template <class Segment>
Sample open() {
  return alone([](const Worker& worker, const Place& place) {
    Segment::create(place.name);
    report_time_of(worker, [&](std::uint64_t n) {
      for (std::uint64_t i = 0; i < n; ++i) check<Segment>(place.name);
    });
    Segment::remove(place.name);
  });
}

template <class Segment>
Sample create() {
  return alone([](const Worker& worker, const Place& place) {
    report_time_of(worker, [&](std::uint64_t n) {
      for (std::uint64_t i = 0; i < n; ++i) {
        Segment::create(place.name);
        Segment::remove(place.name);
      }
    });
    Segment::create(place.name);
    check<Segment>(place.name);
    Segment::remove(place.name);
  });
}

// An open segment, in which a number is constructed, found and read, erased.
class ShoalObjects {
 public:
  explicit ShoalObjects(const std::string& name) : segment_(name, {.capacity = kCapacity}) {}
  void create() { Number(segment_, "number", kNumber, shoal::Open::create); }
  std::int64_t read() { return Number(segment_, "number", shoal::Open::existing).load(); }
  void erase() { segment_.erase("number"); }

 private:
  using Number = shoal::Value<std::int64_t>;
  shoal::Segment segment_;
};

class BoostObjects {
 public:
  explicit BoostObjects(const std::string& name)
      : segment_(bip::create_only, name.c_str(), kCapacity) {}
  void create() { segment_.construct<std::int64_t>("number")(kNumber); }
  std::int64_t read() {
    const auto found = segment_.find<std::int64_t>("number");
    if (found.first == nullptr) throw std::runtime_error("not found");
    return *found.first;
  }
  void erase() { segment_.destroy<std::int64_t>("number"); }

 private:
  bip::managed_shared_memory segment_;
};

enum class Object { opened, created };
template <class Objects, class Segment, Object object>
Sample one_object() {
  return alone([](const Worker& worker, const Place& place) {
    Objects objects(place.name);
    Segment::remove(place.name);
    objects.create();
    report_time_of(worker, [&](std::uint64_t n) {
      for (std::uint64_t i = 0; i < n; ++i) {
        if (object == Object::created) {
          objects.erase();
          objects.create();
        }
        if (objects.read() != kNumber) throw std::runtime_error("found another number");
      }
    });
  });
}

}  // namespace

std::vector<Case> segment_cases() {
  return {
      {"segment.open",
       "open an existing segment of 64 MiB and a number in it, read it, close both",
       "raw",
       {{"shoal::Segment", open<Shoal>}, {"raw", open<Raw>, true}, {"boost managed", open<Boost>}},
       kMicroseconds,
       0,
       {{"shoal::Segment", "raw", 2}}},
      {"segment.create",
       "create a segment of 64 MiB and a number in it, close both, remove it",
       "raw",
       {{"shoal::Segment", create<Shoal>},
        {"raw", create<Raw>, true},
        {"boost managed", create<Boost>}},
       kMicroseconds},
      {"segment.object.open",
       "open a number in an open segment, and read it",
       "boost managed",
       {{"shoal::Value", one_object<ShoalObjects, Shoal, Object::opened>},
        {"boost managed", one_object<BoostObjects, Boost, Object::opened>}}},
      {"segment.object.create",
       "erase a number in an open segment, create it anew, open and read it",
       "boost managed",
       {{"shoal::Value", one_object<ShoalObjects, Shoal, Object::created>},
        {"boost managed", one_object<BoostObjects, Boost, Object::created>}}},
  };
}

}  // namespace bench
