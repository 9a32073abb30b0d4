// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>

namespace shoal {

// What is thrown. Every class below is an Error, and an Error is a std::system_error whose code()
// is the nearest std::errc. what() names the segment, the object, and what to do about it.
//
// Nothing is thrown for what is expected: a call that timed out, a queue that is full or empty
// return false or std::nullopt. Arguments out of their range throw std::invalid_argument.
class Error : public std::system_error {
 public:
  Error(std::errc code, const std::string& what);
  Error(std::error_code code, const std::string& what);
  [[nodiscard]] const char* what() const noexcept override;

 private:
  std::string what_;  // without the text that system_error appends
};

// Somebody who holds or held something. `process` is the name of its program, at most 15 bytes;
// `tid` is 0 where the thread is not known. Pids are those of the owner's own pid namespace.
struct Owner {
  std::int32_t pid = 0;
  std::int32_t tid = 0;
  std::string process;
};

// Opening and naming.
class AlreadyExists : public Error {
 public:
  explicit AlreadyExists(const std::string& what);
};
class NotFound : public Error {
 public:
  explicit NotFound(const std::string& what);
};
class TypeMismatch : public Error {
 public:
  explicit TypeMismatch(const std::string& what);
};
class VersionMismatch : public Error {
 public:
  explicit VersionMismatch(const std::string& what);
};
class Corrupted : public Error {
 public:
  explicit Corrupted(const std::string& what);
};
class NoSpace : public Error {
 public:
  explicit NoSpace(const std::string& what);
};
class PermissionDenied : public Error {
 public:
  explicit PermissionDenied(const std::string& what);
};
class InvalidName : public Error {
 public:
  explicit InvalidName(const std::string& what);
};
class TooManyParticipants : public Error {
 public:
  explicit TooManyParticipants(const std::string& what);
};

// Holding: the lock was left held by a process that died, or is not this caller's to give back.
class OwnerDied : public Error {
 public:
  OwnerDied(const std::string& what, Owner owner);
  [[nodiscard]] const Owner& owner() const noexcept { return owner_; }

 private:
  Owner owner_;
};
class NotOwner : public Error {
 public:
  explicit NotOwner(const std::string& what);
};

// Meeting: a Barrier that somebody broke, by dying inside, timing out, or on purpose.
class BrokenBarrier : public Error {
 public:
  explicit BrokenBarrier(const std::string& what);
};

// Passing on: what was closed by this process, or for good by another; a pipe whose other end is
// gone, with nothing left to receive; the same, to send to; a message whose sender died in the
// middle of it; an end that somebody else holds; an item that no room is large enough for.
class Closed : public Error {
 public:
  explicit Closed(const std::string& what);
};
class EndOfFile : public Error {
 public:
  explicit EndOfFile(const std::string& what);
};
class BrokenPipe : public Error {
 public:
  explicit BrokenPipe(const std::string& what);
};
class Truncated : public Error {
 public:
  explicit Truncated(const std::string& what);
};
class Busy : public Error {
 public:
  explicit Busy(const std::string& what);
};
class ItemTooLarge : public Error {
 public:
  explicit ItemTooLarge(const std::string& what);
};

// Work done elsewhere, by a Pool: it threw, there; the process that did it died.
class RemoteError : public Error {
 public:
  RemoteError(std::string type, const std::string& what);
  // As it is written in a program: "std::out_of_range".
  [[nodiscard]] const std::string& type() const noexcept { return type_; }

 private:
  std::string type_;
};
class WorkerDied : public Error {
 public:
  WorkerDied(std::int32_t pid, int signal, std::size_t task, const std::string& what);
  [[nodiscard]] std::int32_t pid() const noexcept { return pid_; }
  // What killed it; 0 where it has left by itself, as by exit(3).
  [[nodiscard]] int signal() const noexcept { return signal_; }
  // Of a map: where in the range the part began that it was doing; else 0.
  [[nodiscard]] std::size_t task() const noexcept { return task_; }

 private:
  std::int32_t pid_;
  int signal_;
  std::size_t task_;
};

}  // namespace shoal
