// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "shoal/detail/owner_value.hpp"
#include "shoal/open.hpp"

namespace shoal {
class Segment;
}

namespace shoal::detail {

// The id of the calling thread, 0 before its first slow path; for people to read, in Owner::tid.
extern constinit thread_local std::uint32_t this_tid;

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
  array
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
  const std::atomic<OwnerValue>* self = nullptr;  // this process's owner value in that segment
};
// What the public types are made of: an object's words, whatever they are.
template <class Word>
struct Handle {
  explicit Handle(OpenedObject opened)
      : word(static_cast<Word*>(opened.memory)),
        self_word(opened.self),
        object(std::move(opened.object)) {}

  // This process; kNobody where it must take the slow path, which joins first.
  [[nodiscard]] OwnerValue self() const { return self_word->load(std::memory_order_relaxed); }

  Word* word;
  const std::atomic<OwnerValue>* self_word;
  std::shared_ptr<const Object> object;
};

OpenedObject open_object(const Segment& segment, std::string_view name, const Blueprint& blueprint,
                         Open open);

}  // namespace shoal::detail
