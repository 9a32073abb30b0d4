// SPDX-License-Identifier: MIT
#include "shoal/error.hpp"

#include <algorithm>
#include <utility>

#include "message.hpp"

namespace shoal {

Error::Error(std::errc code, const std::string& what) : Error(std::make_error_code(code), what) {}
Error::Error(std::error_code code, const std::string& what)
    : std::system_error(code), what_("shoal: " + what) {}

const char* Error::what() const noexcept { return what_.c_str(); }

AlreadyExists::AlreadyExists(const std::string& what) : Error(std::errc::file_exists, what) {}
NotFound::NotFound(const std::string& what) : Error(std::errc::no_such_file_or_directory, what) {}
TypeMismatch::TypeMismatch(const std::string& what) : Error(std::errc::invalid_argument, what) {}
VersionMismatch::VersionMismatch(const std::string& what) : Error(std::errc::not_supported, what) {}
Corrupted::Corrupted(const std::string& what) : Error(std::errc::bad_message, what) {}
NoSpace::NoSpace(const std::string& what) : Error(std::errc::no_space_on_device, what) {}
PermissionDenied::PermissionDenied(const std::string& what)
    : Error(std::errc::permission_denied, what) {}
InvalidName::InvalidName(const std::string& what) : Error(std::errc::invalid_argument, what) {}
TooManyParticipants::TooManyParticipants(const std::string& what)
    : Error(std::errc::resource_unavailable_try_again, what) {}
OwnerDied::OwnerDied(const std::string& what, Owner owner)
    : Error(std::errc::owner_dead, what), owner_(std::move(owner)) {}
NotOwner::NotOwner(const std::string& what) : Error(std::errc::operation_not_permitted, what) {}
BrokenBarrier::BrokenBarrier(const std::string& what) : Error(std::errc::broken_pipe, what) {}
Closed::Closed(const std::string& what) : Error(std::errc::bad_file_descriptor, what) {}
EndOfFile::EndOfFile(const std::string& what) : Error(std::errc::no_message_available, what) {}
BrokenPipe::BrokenPipe(const std::string& what) : Error(std::errc::broken_pipe, what) {}
Truncated::Truncated(const std::string& what) : Error(std::errc::io_error, what) {}
Busy::Busy(const std::string& what) : Error(std::errc::device_or_resource_busy, what) {}
ItemTooLarge::ItemTooLarge(const std::string& what) : Error(std::errc::message_size, what) {}

RemoteError::RemoteError(std::string type, const std::string& what)
    : Error(std::errc::operation_canceled, type + ": " + what), type_(std::move(type)) {}
WorkerDied::WorkerDied(std::int32_t pid, int signal, std::size_t task, const std::string& what)
    : Error(std::errc::owner_dead, what), pid_(pid), signal_(signal), task_(task) {}

namespace detail {

std::string in_segment(std::string_view segment) {
  if (segment.empty()) return "anonymous segment";
  return "segment '" + std::string(segment) + "'";
}

std::string in_object(std::string_view segment, std::string_view kind, std::string_view object) {
  return in_segment(segment) + ", " + std::string(kind) + " '" + std::string(object) + "'";
}

namespace {

constexpr std::size_t kLongestName = 63;

bool may_be_in_a_name(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

bool is_valid_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), may_be_in_a_name);
}

void check_name(std::string_view name, std::string_view what) {
  if (is_valid_name(name)) return;
  std::string shown(name.substr(0, 2 * kLongestName));
  // A zero byte would end what(), and a terminal does what control characters tell it.
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c >= 0 && c < ' '; }, '?');
  throw InvalidName("'" + shown + "' cannot name " + std::string(what) +
                    ": use 1 to 63 of A-Z a-z 0-9 . _ - and do not begin with a dot");
}

}  // namespace detail
}  // namespace shoal
