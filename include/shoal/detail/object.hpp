// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

#include "shoal/detail/intent.hpp"
#include "shoal/detail/owner_value.hpp"
#include "shoal/open.hpp"

namespace shoal {
class Segment;
class Waitable;
}  // namespace shoal

namespace shoal::detail {

// The id of the calling thread, 0 before its first slow path; for people to read, in Owner::tid.
extern constinit thread_local std::uint32_t this_tid;

// The calling thread's intent in a segment; set by slow paths. `serial` is that of its process's
// place there, and another one after a fork.
struct ThreadPlace {
  std::uint64_t serial = ~std::uint64_t{0};
  Intent* intent = nullptr;
};
// In the segments it used last: what goes to and fro between two does not take the slow path.
struct ThreadPlaces {
  [[nodiscard]] constexpr ThreadPlace& at(std::uint64_t serial) {
    return places[serial % std::size(places)];
  }
  ThreadPlace places[4];
};
extern constinit thread_local ThreadPlaces thread_places;

// What a handle knows of its process's place in the segment: three words, all zero in the child of
// a fork that ran no handlers.
enum SelfWord : std::size_t {
  kFastSelf,  // its owner value; kNobody where membarrier does not reach it
  kRealSelf,  // its owner value
  kSerial,    // of this place, among all that this process and its parents had; 0 as kFastSelf
};

// What an object is; kept with it, and compared when it is opened. Part of the format: add at the
// end.
enum class Kind : std::uint32_t {
  none,
  value,
  lock,
  rlock,
  semaphore,
  bounded_semaphore,
  event,
  condition,
  barrier,
  array,
  queue,
  joinable_queue,
  pipe
};

// Of a Blueprint's bytes: the object must exist, and may be of any size.
inline constexpr std::size_t kWhateverIsThere = static_cast<std::size_t>(-1);

// What a handle's constructor asks for. `type`, `size` and `alignment` are those of T.
struct Blueprint {
  Kind kind = Kind::none;
  std::string_view type;
  std::size_t size = 0;
  std::size_t alignment = 1;
  std::size_t bytes = 0;  // of shared memory, 64-aligned or as T asks; all zero when init is called
  std::size_t least_bytes = 0;  // where bytes is kWhateverIsThere
  bool of_any_size = false;     // what exists may have another size than `bytes`
  // Fills a new object in, before anyone else can see it.
  void (*init)(void* memory, const void* argument) = nullptr;
  const void* argument = nullptr;
};

// An object that this process has open: all its handles share one, and while it lives the object's
// memory stays.
class Object;
struct OpenedObject {
  std::shared_ptr<const Object> object;
  void* memory = nullptr;
  std::size_t bytes = 0;
  const std::atomic<OwnerValue>* self = nullptr;  // this process's SelfWords in that segment
};
// What the public types are made of: an object's words, whatever they are.
template <class Word>
struct Handle {
  explicit Handle(OpenedObject opened)
      : word(static_cast<Word*>(opened.memory)),
        self_words(opened.self),
        object(std::move(opened.object)) {}

  // This process; kNobody where it must take the slow path, which joins first.
  [[nodiscard]] OwnerValue self() const {
    return self_words[kFastSelf].load(std::memory_order_relaxed);
  }
  // The calling thread's, where it is at hand; else nullptr: the slow path gets it.
  [[nodiscard]] Intent* intent() const {
    const std::uint64_t serial = self_words[kSerial].load(std::memory_order_relaxed);
    const ThreadPlace& place = thread_places.at(serial);
    return place.serial == serial ? place.intent : nullptr;
  }

  Word* word;
  const std::atomic<OwnerValue>* self_words;
  std::shared_ptr<const Object> object;
};

OpenedObject open_object(const Segment& segment, std::string_view name, const Blueprint& blueprint,
                         Open open);

}  // namespace shoal::detail
