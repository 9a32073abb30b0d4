// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "shoal/codec.hpp"

namespace shoal::detail {

// What a worker does with the arguments of a task: it calls a function for each item, and writes
// what came of it, as write_item() does.
using RunTask = void (*)(Reader& arguments, std::vector<std::byte>& results);

// What was asked of a Pool in one call. Its items go to workers as tasks of one or more; what comes
// of them is given to the Job here, by whichever thread waits for something of the pool's, one at
// a time.
class Job {
 public:
  Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  virtual ~Job() = default;

  // Item by item: what was returned, or why there is nothing.
  virtual void came(std::size_t item, Reader& value) = 0;
  virtual void failed(std::size_t item, std::exception_ptr why) = 0;
  // Whether there is what its caller waits for.
  [[nodiscard]] virtual bool is_ready() const = 0;
  // Whether it may be ready before all of its items have come.
  [[nodiscard]] virtual bool wants_each() const { return false; }
  // Called, without any lock, by a thread that waits, when there is more than there was.
  virtual void show_progress() {}

  // What the workers call lives as long as anyone may call it.
  std::shared_ptr<const void> function;

  // The pool's own account.
  std::uint64_t last_task = 0;
  bool is_stream = false;  // begun, and not ended
};

// Of one call, in a worker: what it returned, or the exception that is being handled.
template <class T>
void write_value(std::vector<std::byte>& results, const T& value) {
  Writer(results).write(true, value);
}
void write_exception(std::vector<std::byte>& results);

}  // namespace shoal::detail
