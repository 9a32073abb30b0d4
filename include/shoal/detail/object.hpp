// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

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
enum class Kind : std::uint32_t { none, value, lock };

// What a handle's constructor asks for. `type`, `size` and `alignment` are those of T.
struct Blueprint {
  Kind kind = Kind::none;
  std::string_view type;
  std::size_t size = 0;
  std::size_t alignment = 1;
  std::size_t bytes = 0;  // of shared memory, 64-aligned or as T asks; zero when init is called
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
  const std::atomic<OwnerValue>* self = nullptr;  // this process's owner value in that segment
};
OpenedObject open_object(const Segment& segment, std::string_view name, const Blueprint& blueprint,
                         Open open);

}  // namespace shoal::detail
