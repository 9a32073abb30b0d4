// SPDX-License-Identifier: MIT
#pragma once

// A segment's file as it stands, read past the library: by a process that takes no part in it.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format.hpp"
#include "shoal/detail/lock_word.hpp"
#include "support/temp_name.hpp"
#include "tables.hpp"

namespace shoal_test {

// Who has a lock, by its words: nobody (pid 0), a process alive or dead, or one that is known to
// have died.
struct Holding {
  pid_t pid = 0;
  bool abandoned = false;
  bool operator==(const Holding&) const = default;
};

class SegmentView {
 public:
  explicit SegmentView(const std::string& path);  // false where there is no such file
  explicit operator bool() const { return tables_.has_value(); }

  // Of all that the segment means: not of clocks, random numbers, and the ids of processes and
  // threads, which differ from one run to the next.
  std::uint64_t hash() const;

  // Of the lock, or of the first one in the object, of that name; pid 0 where there is none.
  Holding holding(std::string_view object) const;
  // Its words; null where there is none. May be written to, as only a scene's constructor should.
  template <class Word>
  Word* words(std::string_view object) const {
    return reinterpret_cast<Word*>(memory(object));
  }
  shoal::detail::LockWord* lock(std::string_view object) const {
    return words<shoal::detail::LockWord>(object);
  }
  const shoal::detail::Tables& tables() const { return *tables_; }
  pid_t pid_of(shoal::detail::OwnerValue owner) const;

 private:
  class Mapping;
  static std::shared_ptr<const Mapping> mapping(const std::string& path);

  std::byte* memory(std::string_view object) const;
  std::uint64_t hash_of_object(std::uint32_t index) const;

  std::shared_ptr<const Mapping> mapping_;
  std::optional<shoal::detail::Tables> tables_;
};

// A copy of a segment's file. Who was attached is dead in the copies: each begins with the same
// dead, whom nobody had to fork and kill once more.
class SegmentImage {
 public:
  explicit SegmentImage(const TempName& name);
  void write_to(const TempName& name) const;

 private:
  std::vector<char> bytes_;
};

}  // namespace shoal_test
