// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.hpp"
#include "limits.hpp"
#include "shoal/error.hpp"
#include "shoal/pipe.hpp"
#include "shoal/segment.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// What can take part: one end of something that carries messages both ways, the first worker's or
// the other's, with send(bytes) and receive(bytes) of a size that both know.

template <std::size_t kCapacity>
class ShoalPipeOf {
 public:
  ShoalPipeOf(const Place& place, bool first)
      : connection_([&] {
          const shoal::Pipe pipe(shoal::Segment(place.name), "pipe", {.capacity = kCapacity});
          return first ? pipe.first() : pipe.second();
        }()) {}
  void send(std::span<const std::byte> bytes) { connection_.send_bytes(bytes); }
  void receive(std::span<std::byte> bytes) {
    if (connection_.recv_bytes_into(bytes) != bytes.size())
      throw std::runtime_error("a message of another size");
  }
  static void remove(const Place& place) { shoal::Segment::remove(place.name); }

 private:
  shoal::Connection connection_;
};
using ShoalPipe = ShoalPipeOf<0>;  // the usual capacity

// pipe(2), or a socket: bytes through a descriptor.
class Descriptors {
 public:
  Descriptors() = default;
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  ~Descriptors() {
    ::close(in_);
    if (out_ != in_) ::close(out_);
  }
  void send(std::span<const std::byte> bytes) {
    while (!bytes.empty()) bytes = bytes.subspan(moved(::write(out_, bytes.data(), bytes.size())));
  }
  void receive(std::span<std::byte> bytes) {
    while (!bytes.empty()) bytes = bytes.subspan(moved(::read(in_, bytes.data(), bytes.size())));
  }

 protected:
  int in_ = -1;
  int out_ = -1;

 private:
  static std::size_t moved(ssize_t bytes) {
    if (bytes <= 0) throw std::runtime_error("read or write failed");
    return static_cast<std::size_t>(bytes);
  }
};

// FIFOs: pipe(2) for processes that were started independently, one each way.
class PipeOfTheKernel : public Descriptors {
 public:
  PipeOfTheKernel(const Place& place, bool first) {
    if (first)
      for (const char* way : kWays) ::mkfifo(path(place, way).c_str(), 0600);
    in_ = ::open(path(place, kWays[first ? 1 : 0]).c_str(), O_RDWR);
    out_ = ::open(path(place, kWays[first ? 0 : 1]).c_str(), O_RDWR);
    if (in_ < 0 || out_ < 0) throw std::runtime_error("cannot open a FIFO");
    ::fcntl(out_, F_SETPIPE_SZ, 65536);
  }
  static void remove(const Place& place) {
    for (const char* way : kWays) ::unlink(path(place, way).c_str());
  }

 private:
  static constexpr const char* kWays[] = {".there", ".back"};
  static std::string path(const Place& place, const char* way) {
    return "/dev/shm/" + place.name + way;
  }
};

// What socketpair(2) makes, for processes that were started independently; it keeps boundaries.
class Socket : public Descriptors {
 public:
  Socket(const Place& place, bool first) {
    in_ = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;  // the rest: a name that is no file
    place.name.copy(address.sun_path + 1, sizeof address.sun_path - 2);
    const auto* const name = reinterpret_cast<const sockaddr*>(&address);
    const int failed = first ? ::bind(in_, name, sizeof address) + ::listen(in_, 1)
                             : ::connect(in_, name, sizeof address);
    if (failed != 0) throw std::runtime_error("cannot connect a socket");
    listens_ = first;
    out_ = in_;
  }
  void send(std::span<const std::byte> bytes) {
    accept();
    Descriptors::send(bytes);
  }
  void receive(std::span<std::byte> bytes) {
    accept();
    Descriptors::receive(bytes);
  }

 private:
  void accept() {
    if (!listens_) return;
    const int listener = in_;
    in_ = out_ = ::accept(listener, nullptr, nullptr);
    ::close(listener);
    listens_ = false;
  }
  bool listens_ = false;
};

// The first worker sends until the time is over, numbered messages and one more.
template <class Pipe, std::size_t kBytes>
Sample one_way() {
  const auto work = [](const Worker& worker, const Place& place) {
    constexpr std::uint64_t kEnd = ~std::uint64_t{0};
    constexpr int kBatch = kBytes < 1024 ? 64 : 1;
    const auto pipe = open_together<Pipe>(worker, place);
    std::vector<std::byte> message(kBytes);
    std::uint64_t number = 0;
    if (worker.number() == 0) {
      const auto send = [&](std::uint64_t sent) {
        std::memcpy(message.data(), &sent, sizeof sent);
        pipe->send(message);
      };
      while (!worker.stopped())
        for (int i = 0; i < kBatch; ++i) send(++number);
      send(kEnd);
    } else {
      const auto begin = Clock::now();
      for (std::uint64_t expected = 1;; ++expected, ++number) {
        pipe->receive(message);
        std::uint64_t received = 0;
        std::memcpy(&received, message.data(), sizeof received);
        if (received == kEnd) break;
        if (received != expected) throw std::runtime_error("not what was sent");
      }
      worker.report(number, Clock::now() - begin);
    }
    worker.meet();
  };
  return one_of(in_processes(2, work, std::chrono::milliseconds(150)));
}

// A message of 8 bytes is the turn.
template <class Pipe>
class Turns {
 public:
  Turns(const Place& place, bool first) : pipe_(place, first), mine_(first) {}
  void await(int) {
    if (!mine_) pipe_.receive(turn_);
    mine_ = false;
  }
  void give(int) {
    try {
      pipe_.send(turn_);
    } catch (const std::runtime_error&) {  // the last turn, and the other one has gone
    }
  }
  static void remove(const Place& place) {
    if constexpr (requires { Pipe::remove(place); }) Pipe::remove(place);
  }

 private:
  Pipe pipe_;
  bool mine_;
  std::array<std::byte, 8> turn_{};
};

}  // namespace

std::vector<Case> pipe_cases() {
  return {{"pipe.8",
           "messages of 8 bytes, one way; time per message",
           "pipe(2)",
           {{"shoal::Pipe", one_way<ShoalPipe, 8>},
            {"pipe(2)", one_way<PipeOfTheKernel, 8>},
            {"socketpair", one_way<Socket, 8>}},
           kNanoseconds,
           0,
           {{"shoal::Pipe", "pipe(2)", 0.1}}},
          {"pipe.1MiB",
           "messages of 1 MiB, one way; time per message",
           "1 memcpy",
           {{"shoal::Pipe, 4 MiB", one_way<ShoalPipeOf<4 << 20>, 1 << 20>},
            {"shoal::Pipe, 64 KiB", one_way<ShoalPipe, 1 << 20>},
            one_memcpy<1 << 20>(),
            one_memcpy_across(),
            {"pipe(2)", one_way<PipeOfTheKernel, 1 << 20>}},
           kMicroseconds,
           0,
           {{"shoal::Pipe, 4 MiB", "1 memcpy", 2}}},
          {"pipe.turns",
           "messages of 8 bytes to and fro; time of one way",
           "pipe(2)",
           {{"shoal::Pipe", take_turns<Turns<ShoalPipe>>},
            {"pipe(2)", take_turns<Turns<PipeOfTheKernel>>},
            {"socketpair", take_turns<Turns<Socket>>},
            cache_line_one_way()},
           kNanoseconds,
           0,
           {{"shoal::Pipe", "", 200}}}};
}

}  // namespace bench
