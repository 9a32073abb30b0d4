// SPDX-License-Identifier: MIT
//
// What include/shoal/pipe.hpp promises, one promise per case.

#include "shoal/pipe.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "format.hpp"
#include "shoal/detail/pipe_word.hpp"
#include "shoal/error.hpp"
#include "shoal/segment.hpp"
#include "support/child.hpp"
#include "support/expect.hpp"
#include "support/gate.hpp"
#include "support/shared.hpp"
#include "support/temp_name.hpp"
#include "tables.hpp"

using namespace shoal_test;
using namespace std::chrono_literals;
using shoal::Connection;
using shoal::Open;
using shoal::Pipe;
using shoal::PipeOptions;
using shoal::Segment;

namespace {

using Bytes = std::vector<std::byte>;

// Bytes that differ from place to place, and from message to message.
Bytes message(std::size_t size, unsigned seed = 1) {
  Bytes bytes(size);
  std::uint32_t state = seed * 2654435761U + static_cast<std::uint32_t>(size);
  for (std::byte& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

constexpr std::size_t kSizes[] = {0, 1, 7, 8, 9, 24, 1000, 4096, 64 << 10, 1 << 20, 16 << 20};

// Sends back what it receives, to the end of the stream.
bool echo(const Connection& connection) {
  return throws<shoal::EndOfFile>([&] {
    for (;;) connection.send_bytes(connection.recv_bytes());
  });
}

// The segment's file, mapped once more: for somebody who writes over it.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat status {};
    if (file < 0 || ::fstat(file, &status) != 0) throw std::runtime_error("cannot open " + path);
    size_ = static_cast<std::size_t>(status.st_size);
    base_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (base_ == MAP_FAILED) throw std::runtime_error("cannot map " + path);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() { ::munmap(base_, size_); }

  // The positions and sleepers of the only pipe's lane from its first end: three lines.
  std::byte* first_lane() const {
    shoal::format::Header header;
    std::memcpy(&header, base_, sizeof header);
    const shoal::detail::Tables tables(header, static_cast<std::byte*>(base_));
    return tables.heap() + tables.extent(0).value().offset +
           offsetof(shoal::detail::PipeWord, lanes);
  }

 private:
  void* base_;
  std::size_t size_ = 0;
};

bool is_busy(const Pipe& pipe) {
  return throws<shoal::Busy>([&] { static_cast<void>(pipe.first()); });
}

// Called in the course of a fork(), after what the library does before it, as handlers are called in
// the reverse of the order in which they came: the library's with the first segment.
std::function<void()> as_memory_is_copied;
[[maybe_unused]] const int handler = ::pthread_atfork(
    [] {
      if (as_memory_is_copied) as_memory_is_copied();
    },
    nullptr, nullptr);

}  // namespace

TEST_SUITE_BEGIN("Pipe");

TEST_CASE("what is sent at one end is received at the other, both ways, whatever its size") {
  const Segment segment = Segment::anonymous();
  for (const std::size_t capacity : {1, 100, 64 << 10, 1 << 20}) {
    const Pipe pipe(segment, "p" + std::to_string(capacity), {.capacity = capacity});
    // Where both share a CPU with others, each frame of the many waits for its time slice.
    Child peer([&] { return echo(pipe.second()); }, std::chrono::seconds(60));
    {
      const Connection connection = pipe.first();
      for (const std::size_t size : kSizes) {
        if (capacity < 64 << 10 && size > 1 << 20) continue;  // a million frames
        std::thread sender([&] { connection.send_bytes(message(size)); });
        CHECK(connection.recv_bytes() == message(size));
        sender.join();
      }
    }
    CHECK(peer.succeeds());
  }
}

TEST_CASE("messages keep their boundaries and their order") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 1000});
  Child sender([&] {
    const Connection connection = pipe.first();
    for (unsigned i = 0; i < 20'000; ++i) connection.send_bytes(message(i * 7 % 500, i));
  });
  const Connection connection = pipe.second();
  bool same = true;
  for (unsigned i = 0; i < 20'000; ++i)
    same = same && connection.recv_bytes() == message(i * 7 % 500, i);
  CHECK(same);
  CHECK(sender.succeeds());
  CHECK(throws<shoal::EndOfFile>([&] { static_cast<void>(connection.recv_bytes()); }));
}

TEST_CASE("values are sent and received by their codec") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  a.send(42);
  CHECK(b.recv<int>() == 42);
  b.send(std::string("soup"));
  CHECK(a.recv<std::string>() == "soup");
  using Row = std::vector<std::pair<int, std::string>>;
  a.send(Row{{1, "one"}, {2, "two"}});
  CHECK(b.recv<Row>() == Row{{1, "one"}, {2, "two"}});
  a.send(std::variant<int, std::string>("three"));
  CHECK(b.recv_for<std::variant<int, std::string>>(1s) == std::variant<int, std::string>("three"));
  CHECK_FALSE(b.recv_for<int>(0s));
  CHECK_FALSE(b.recv_for<std::string>(1ms));
  CHECK(a.send_for(4, 1s));
  CHECK(b.recv_for<int>(1s) == 4);
}

TEST_CASE("bytes that are no T throw Corrupted, and the next message is received") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  a.send(std::string("text"));
  a.send(1);
  a.send(2);
  CHECK_THROWS_AS(static_cast<void>(b.recv<int>()), shoal::Corrupted);
  CHECK_THROWS_AS(static_cast<void>(b.recv<std::vector<std::string>>()), shoal::Corrupted);
  CHECK(b.recv<int>() == 2);
}

TEST_CASE("a message too large for the room given throws, and can be received still") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 1024});
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  Bytes room(10'000);
  a.send_bytes(message(11));
  CHECK_THROWS_AS(b.recv_bytes_into(std::span(room).first(10)), std::length_error);
  CHECK(b.recv_bytes_into(std::span(room).first(11)) == 11);
  CHECK(Bytes(room.begin(), room.begin() + 11) == message(11));
  std::thread sender([&] { a.send_bytes(message(10'000)); });
  CHECK_THROWS_AS(b.recv_bytes_into(std::span(room).first(9'999)), std::length_error);
  CHECK(b.recv_bytes_into(room) == 10'000);
  CHECK(room == message(10'000));
  sender.join();
}

TEST_CASE("a freshly executed process takes the other end") {
  const TempName name;
  const Segment segment(name);
  const Pipe pipe(segment, "p");
  ExecChild peer("pipe.echo", name.str(), "p");
  {
    const Connection connection = pipe.first();
    for (const std::size_t size : kSizes) {
      connection.send_bytes(message(size));
      CHECK(connection.recv_bytes() == message(size));
    }
  }
  CHECK(peer.succeeds());
}

TEST_CASE("both directions at once, under load, with messages larger than the pipe") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 4096});
  const auto work = [](const Connection& connection) {
    bool same = true;
    std::thread sender([&] {
      for (unsigned i = 0; i < 3'000; ++i) connection.send_bytes(message(i * 31 % 9'000, i));
    });
    for (unsigned i = 0; i < 3'000; ++i)
      same = connection.recv_bytes() == message(i * 31 % 9'000, i) && same;
    sender.join();
    return same;
  };
  Child peer([&] { return work(pipe.second()); });
  CHECK(work(pipe.first()));
  CHECK(peer.succeeds());
}

TEST_CASE("many senders and receivers take turns: each message is whole, and received once") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 512});
  constexpr unsigned kMessages = 2'000;
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  const auto send = [&](unsigned from) {
    for (unsigned i = 0; i < kMessages; ++i) a.send(std::string(i % 300, static_cast<char>(from)));
  };
  std::atomic<unsigned> whole{0};
  const auto receive = [&] {
    for (unsigned i = 0; i < kMessages; ++i) {
      const auto text = b.recv<std::string>();
      if (text.find_first_not_of(text.empty() ? 'x' : text[0]) == std::string::npos) ++whole;
    }
  };
  Child child([&] { send('c'); });  // shares the end
  std::thread threads[] = {std::thread(send, 'a'), std::thread(send, 'b'), std::thread(receive),
                           std::thread(receive), std::thread(receive)};
  for (std::thread& thread : threads) thread.join();
  CHECK(child.succeeds());
  CHECK(whole == 3 * kMessages);
  CHECK_FALSE(b.poll());
}

TEST_CASE("an end is held by one process and its children: Busy for everybody else") {
  const TempName name;
  const Segment segment(name);
  const Pipe pipe(segment, "p");
  const Connection end = pipe.first();
  CHECK_THROWS_AS(static_cast<void>(pipe.first()), shoal::Busy);
  Child child([&] { return throws<shoal::Busy>([&] { static_cast<void>(pipe.first()); }); });
  CHECK(child.succeeds());
  CHECK(ExecChild("pipe.busy", name.str(), "p").succeeds());
  const Connection copy = end;  // NOLINT: its going is the test
  CHECK_NOTHROW(static_cast<void>(pipe.second()));
  CHECK_NOTHROW(static_cast<void>(pipe.second()));  // given up by the line above
}

TEST_CASE("an end is given up when its last copy goes, and by close()") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  {
    const Connection end = pipe.first();
    const Connection copy = end;  // NOLINT
  }
  const Connection end = pipe.first();
  CHECK_FALSE(end.closed());
  end.close();
  CHECK(end.closed());
  CHECK_NOTHROW(end.close());
  CHECK_THROWS_AS(end.send(1), shoal::Closed);
  CHECK_THROWS_AS(static_cast<void>(end.recv<int>()), shoal::Closed);
  CHECK_THROWS_AS(static_cast<void>(end.poll()), shoal::Closed);
  const Connection again = pipe.first();
  CHECK_THROWS_AS(end.send(1), shoal::Closed);
  CHECK_NOTHROW(again.send(1));
}

TEST_CASE("what a closed end has sent is received, then EndOfFile; to send to it is BrokenPipe") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  const Connection b = pipe.second();
  {
    const Connection a = pipe.first();
    a.send(1);
    a.send(2);
  }
  CHECK_THROWS_AS(b.send(3), shoal::BrokenPipe);
  CHECK(b.poll());
  CHECK(b.recv<int>() == 1);
  CHECK(b.recv<int>() == 2);
  CHECK(b.poll());
  for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(static_cast<void>(b.recv<int>()), shoal::EndOfFile);
  CHECK_THROWS_AS(static_cast<void>(b.recv_for<int>(0s)), shoal::EndOfFile);
  const Connection a = pipe.first();
  a.send(4);
  CHECK(b.recv<int>() == 4);
  b.send(5);
  CHECK(a.recv<int>() == 5);
}

TEST_CASE("an end that nobody has taken yet is waited for, and may be sent to") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  const Connection a = pipe.first();
  CHECK_FALSE(a.poll());
  CHECK_FALSE(a.recv_for<int>(1ms));
  a.send(1);
  const Connection b = pipe.second();
  CHECK(b.recv<int>() == 1);
}

TEST_CASE("the peer is killed: whole messages, then EndOfFile, and BrokenPipe at once") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  const Connection b = pipe.second();
  for (int i = 0; i < 3; ++i) {
    const Gate sent;
    Child peer([&] {
      const Connection a = pipe.first();
      for (int n = 0; n < 10; ++n) a.send(n);
      sent.open();
      return sleep_forever();
    });
    sent.wait();
    b.send(i);  // noted by nobody
    peer.kill();
    CHECK_THROWS_AS(b.send(0), shoal::BrokenPipe);
    for (int n = 0; n < 10; ++n) CHECK(b.recv<int>() == n);
    CHECK_THROWS_AS(static_cast<void>(b.recv<int>()), shoal::EndOfFile);
    CHECK(b.poll());
  }
}

TEST_CASE("who sleeps is woken by the peer's death, and by its close") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 1024});
  for (const bool kill : {true, false}) {
    for (const bool sends : {true, false}) {
      CAPTURE(kill);
      CAPTURE(sends);
      const Gate taken;
      const Gate close;
      Child peer([&] {
        const Connection a = pipe.first();
        taken.open();
        if (kill) return sleep_forever();
        close.wait();
        a.close();
        return true;
      });
      taken.wait();
      Child sleeper([&] {
        const Connection b = pipe.second();
        if (sends)
          return throws<shoal::BrokenPipe>([&] {
            for (;;) b.send(1);
          });
        return throws<shoal::EndOfFile>([&] { static_cast<void>(b.recv_bytes()); });
      });
      sleeper.wait_until_asleep();
      if (kill)
        peer.kill();
      else
        close.open();
      CHECK(sleeper.succeeds());
      if (!kill) CHECK(peer.succeeds());
    }
  }
}

TEST_CASE("a sender killed in the middle of a message: Truncated, once, and the stream goes on") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 1024});
  const Connection b = pipe.second();
  const auto send_half = [&](bool before) {
    const Gate begins;
    Child victim([&] {
      const Connection a = pipe.first();
      if (before) a.send(std::string("whole"));
      begins.open();
      a.send_bytes(message(100'000));
    });
    begins.wait();
    victim.wait_until_asleep();
    victim.kill();
  };
  SUBCASE("and nobody else sends: Truncated, then EndOfFile") {
    send_half(true);
    CHECK(b.recv<std::string>() == "whole");
    CHECK_THROWS_AS(static_cast<void>(b.recv_bytes()), shoal::Truncated);
    CHECK_THROWS_AS(static_cast<void>(b.recv_bytes()), shoal::EndOfFile);
  }
  SUBCASE("a newcomer takes the end over, before or after that is received") {
    send_half(true);
    const Connection a = pipe.first();
    CHECK(b.recv<std::string>() == "whole");
    CHECK_THROWS_AS(static_cast<void>(b.recv_bytes()), shoal::Truncated);
    CHECK_FALSE(b.recv_for<int>(0s));
    a.send(1);
    CHECK(b.recv<int>() == 1);
  }
  SUBCASE("a newcomer's message follows the half one") {
    send_half(false);
    const Connection a = pipe.first();
    std::thread sender([&] {
      a.send_bytes(message(5'000));
      a.send(2);
    });
    CHECK_THROWS_AS(static_cast<void>(b.recv_bytes()), shoal::Truncated);
    CHECK(b.recv_bytes() == message(5'000));
    CHECK(b.recv<int>() == 2);
    sender.join();
  }
  SUBCASE("one half message after the other") {
    for (int i = 0; i < 2; ++i) {
      send_half(false);
      CHECK_THROWS_AS(static_cast<void>(b.recv_bytes()), shoal::Truncated);
    }
    const Connection a = pipe.first();
    a.send(3);
    CHECK(b.recv<int>() == 3);
  }
}

TEST_CASE("a child that dies sending for its parent is noticed, though the parent lives") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 1024});
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  Child child([&] { a.send_bytes(message(100'000)); });
  child.wait_until_asleep();
  child.kill();
  CHECK_THROWS_AS(static_cast<void>(b.recv_bytes()), shoal::Truncated);
  CHECK_FALSE(b.poll());
  a.send(1);
  CHECK(b.recv<int>() == 1);
}

TEST_CASE("a receiver killed in the middle of a message takes that message with it, no more") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 1024});
  const Connection a = pipe.first();
  const Gate whole;
  const Gate stopped;
  const Gate half;
  Child receiver([&] {
    const Connection b = pipe.second();
    static_cast<void>(b.recv_bytes());
    whole.open();
    stopped.wait();
    static_cast<void>(b.recv_bytes_for(1ms));  // as much as there is of it
    half.open();
    static_cast<void>(b.recv_bytes());
  });
  Child sender([&] {
    a.send(std::string("whole"));
    a.send_bytes(message(100'000));
    a.send(std::string("next"));
  });
  whole.wait();
  sender.wait_until_asleep();
  sender.stop();
  stopped.open();
  half.wait();
  receiver.kill();
  const Connection b = pipe.second();
  sender.resume();
  Bytes last;
  for (int i = 0; i < 3 && last != shoal::detail::encoded(std::string("next")); ++i)
    last = b.recv_bytes();
  CHECK(last == shoal::detail::encoded(std::string("next")));
  CHECK(sender.succeeds());
}

TEST_CASE("both ends dead: newcomers take them over, and what was on its way arrives") {
  const TempName name;
  const Segment segment(name);
  const Pipe pipe(segment, "p");
  for (int i = 0; i < 3; ++i) {
    const Gate sent;
    Child first([&] {
      const Connection a = pipe.first();
      a.send(std::string("from the dead"));
      sent.open();
      return sleep_forever();
    });
    const Gate taken;
    Child second([&] {
      const Connection b = pipe.second();
      taken.open();
      return sleep_forever();
    });
    sent.wait();
    taken.wait();
    first.kill();
    second.kill();
    // Whoever comes first of the two waits for the other.
    Child new_first([&] {
      const Connection a = pipe.first();
      a.send(std::string("from a newcomer"));
      return a.recv<int>() == 42;
    });
    const Connection b = pipe.second();
    CHECK(b.recv<std::string>() == "from the dead");
    CHECK(b.recv<std::string>() == "from a newcomer");
    b.send(42);
    CHECK(new_first.succeeds());
  }
}

TEST_CASE("a forked child keeps its parent's end open, though the parent ends at once") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  const Connection b = pipe.second();
  const Gate go;
  SharedCounter late;
  Child parent([&] {
    const Connection a = pipe.first();
    if (::fork() != 0) ::_exit(0);
    try {
      go.wait();
      a.send(std::string("from the grandchild"));
      if (a.recv<int>() == 1) ++*late;
      a.send(2);
    } catch (const std::exception&) {
    }
    ::_exit(0);
  });
  CHECK(parent.succeeds());
  CHECK_FALSE(b.recv_for<std::string>(300ms));
  CHECK_THROWS_AS(static_cast<void>(pipe.first()), shoal::Busy);
  go.open();
  CHECK(b.recv<std::string>() == "from the grandchild");
  b.send(1);
  CHECK(b.recv<int>() == 2);
  CHECK_THROWS_AS(static_cast<void>(b.recv<int>()), shoal::EndOfFile);
  CHECK(*late == 1);
}

TEST_CASE("an end that is shared with a killed child stays who buries that child's") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  const Connection a = pipe.first();
  Child peer([&] {
    const Connection b = pipe.second();
    return b.recv<int>() == 1 && b.recv<int>() == 2;
  });
  Child sharer(sleep_forever);
  a.send(1);
  sharer.kill();
  static_cast<void>(segment.used());  // buries
  a.send(2);
  CHECK(peer.succeeds());
}

TEST_CASE("to close an end is to give up one process's share of it") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  const Gate closed;
  Child child([&] {
    b.close();  // the child's share
    if (a.recv<int>() != 1) return false;
    closed.wait();
    a.send(2);
    return true;
  });
  b.send(1);
  a.close();
  CHECK_THROWS_AS(static_cast<void>(pipe.first()), shoal::Busy);
  closed.open();
  CHECK(b.recv<int>() == 2);
  CHECK(child.succeeds());
  CHECK_THROWS_AS(static_cast<void>(b.recv<int>()), shoal::EndOfFile);
}

TEST_CASE("an end that another thread closes during a fork: the child has it, or knows it closed") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  as_memory_is_copied = [&] { std::thread([&] { a.close(); }).join(); };
  const Gate known;
  const Gate go;
  SharedCounter closed;
  Child child([&] {
    if (a.closed()) ++*closed;
    known.open();
    go.wait();
    a.close();
    sleep_forever();
  });
  as_memory_is_copied = nullptr;
  known.wait();
  CHECK(is_busy(pipe) == (*closed == 0));
  go.open();
  CHECK_THROWS_AS(static_cast<void>(b.recv<int>()), shoal::EndOfFile);
  CHECK_FALSE(is_busy(pipe));
}

TEST_CASE("an end that was closed and taken again is a forked child's, too") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  const Connection closed = pipe.first();
  closed.close();
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  const Gate go;
  Child child([&] {
    go.wait();
    a.send(1);
  });
  a.close();
  CHECK(is_busy(pipe));
  go.open();
  CHECK(b.recv<int>() == 1);
  CHECK(child.succeeds());
}

TEST_CASE("close() wakes this process's own calls") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 1024});
  const Connection b = pipe.second();
  std::atomic<int> right{0};
  const Connection a = pipe.first();
  std::thread receiver([&] { right += throws<shoal::Closed>([&] { (void)b.recv<Bytes>(); }); });
  std::thread another([&] { right += throws<shoal::Closed>([&] { (void)b.recv<Bytes>(); }); });
  std::thread sender([&] {
    right += throws<shoal::Closed>([&] {
      for (;;) b.send(1);
    });
  });
  Child idle([&] { return sleep_forever(); });  // shares both ends, so nothing ends but the share
  idle.wait_until_asleep();
  b.close();
  receiver.join();
  another.join();
  sender.join();
  CHECK(right == 3);
}

TEST_CASE("a send that times out has sent nothing, however much of it was on its way") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 1024});
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  a.send(std::string("before"));
  CHECK_FALSE(a.send_bytes_for(message(5'000), 1ms));
  CHECK_FALSE(a.send_bytes_for(message(5'000), 0s));
  CHECK(b.recv<std::string>() == "before");
  CHECK_FALSE(b.recv_bytes_for(1ms));
  a.send(std::string("after"));
  CHECK(b.recv<std::string>() == "after");
  SUBCASE("also where the end is closed after it") {
    CHECK_FALSE(a.send_bytes_for(message(5'000), 1ms));
    a.close();
    CHECK_THROWS_AS(static_cast<void>(b.recv_bytes()), shoal::EndOfFile);
  }
  SUBCASE("nor where the receiver had begun with it") {
    Child receiver([&] { return b.recv<std::string>() == "the next"; });
    CHECK_FALSE(a.send_bytes_for(message(100'000'000), 20ms));
    a.send(std::string("the next"));
    CHECK(receiver.succeeds());
  }
}

TEST_CASE("what a send gave up is nothing to poll for, and nothing to have no room for") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "pipe", {.capacity = 256});
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  std::vector<std::byte> room(24);
  for (const bool polls : {true, false}) {
    CHECK_FALSE(a.send_bytes_for(message(1'000), 0s));
    if (polls) CHECK_FALSE(b.poll());
    CHECK_FALSE(a.send_bytes_for(message(1'000), 0s));
    a.send<int>(5);
    CHECK(b.poll());
    CHECK(b.recv_bytes_into(room) == sizeof(int));
    CHECK_FALSE(b.poll());
  }
}

TEST_CASE("what has come of a message when recv_for ends is kept for the next call") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 1024});
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  const Gate half;
  Child sender([&] {
    a.send_bytes(message(10'000));
    a.send(1);
  });
  sender.wait_until_asleep();
  sender.stop();
  CHECK_FALSE(b.recv_bytes_for(5ms));
  CHECK_FALSE(b.recv_bytes_for(0s));
  CHECK_FALSE(b.poll());
  sender.resume();
  SUBCASE("to a vector") { CHECK(b.recv_bytes() == message(10'000)); }
  SUBCASE("into a room") {
    Bytes room(10'000);
    CHECK_THROWS_AS(b.recv_bytes_into(std::span(room).first(9'999)), std::length_error);
    CHECK(b.recv_bytes_into(room) == 10'000);
    CHECK(room == message(10'000));
  }
  SUBCASE("unless another process receives the rest") {
    Child other([&] { return b.recv_bytes() == message(10'000); });
    CHECK(other.succeeds());
  }
  CHECK(b.recv<int>() == 1);
  CHECK(sender.succeeds());
}

TEST_CASE("times: zero, negative and NaN do not wait") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 100});
  const Connection a = pipe.first();
  const Connection b = pipe.second();
  using Seconds = std::chrono::duration<double>;
  for (const Seconds time : {Seconds(0), Seconds(-1), Seconds(std::nan(""))}) {
    CHECK_FALSE(b.recv_bytes_for(time));
    CHECK_FALSE(b.poll_for(time));
  }
  while (a.send_for(1, 0s)) {
  }
  for (const Seconds time : {Seconds(0), Seconds(-1), Seconds(std::nan(""))})
    CHECK_FALSE(a.send_bytes_for(message(1), time));
  CHECK(b.recv_for<int>(Seconds(std::numeric_limits<double>::infinity())) == 1);
}

TEST_CASE("poll waits for a message") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p");
  const Connection a = pipe.first();
  Child child([b = pipe.second()] { return b.poll_for(10s) && b.poll() && b.recv<int>() == 1; });
  child.wait_until_asleep();
  a.send(1);
  CHECK(child.succeeds());
}

TEST_CASE("duplex = false: the first end only receives, the second only sends") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 0, .duplex = false});
  CHECK_FALSE(pipe.duplex());
  CHECK(segment.used() < (100U << 10));
  const Connection in = pipe.first();
  const Connection out = pipe.second();
  CHECK_THROWS_AS(in.send(1), std::logic_error);
  CHECK_THROWS_AS(static_cast<void>(out.recv<int>()), std::logic_error);
  CHECK_THROWS_AS(static_cast<void>(out.poll()), std::logic_error);
  out.send(1);
  CHECK(in.recv<int>() == 1);
}

TEST_CASE("an opener's options must agree with the creator's") {
  const Segment segment = Segment::anonymous();
  const Pipe pipe(segment, "p", {.capacity = 1000});
  CHECK(pipe.capacity() == 1000);
  CHECK(pipe.duplex());
  CHECK(Pipe(segment, "p").capacity() == 1000);
  CHECK(Pipe(segment, "p", Open::existing).capacity() == 1000);
  CHECK_THROWS_AS(Pipe(segment, "p", {.capacity = 1001}), shoal::TypeMismatch);
  CHECK_THROWS_AS(Pipe(segment, "p", {.capacity = 0, .duplex = false}), shoal::TypeMismatch);
  CHECK_THROWS_AS(Pipe(segment, "p", Open::create), shoal::AlreadyExists);
  CHECK_THROWS_AS(Pipe(segment, "q", Open::existing), shoal::NotFound);
  CHECK_THROWS_AS(Pipe(segment, "q", {.capacity = std::size_t{1} << 62}), std::invalid_argument);
  CHECK(Pipe(segment, "r").capacity() == 64 << 10);
}

TEST_CASE("scribbled memory gives Corrupted, or a time-out; never an access out of bounds") {
  const TempName name;
  const Segment segment(name, {.capacity = 1 << 20});
  const MappedFile file(name.path());
  std::uint32_t state = 1;
  for (int round = 0; round < 300; ++round) {
    const std::string object = "p";
    const Pipe pipe(segment, object, {.capacity = 256});
    const Connection a = pipe.first();
    const Connection b = pipe.second();
    for (int i = 0; i < round % 5; ++i) a.send(i);
    // One word of the lane, anywhere but in its locks: who is named there as alive is waited for.
    state = state * 1664525U + 1013904223U;
    std::memset(file.first_lane() + 8 * (state >> 16 & 15), static_cast<int>(state >> 24), 8);
    const auto any_way = [](auto call) {
      try {
        call();
      } catch (const shoal::Error&) {
      }
    };
    for (int i = 0; i < 3; ++i) {
      any_way([&] { static_cast<void>(a.send_bytes_for(message(10), 0s)); });
      any_way([&] { static_cast<void>(b.recv_bytes_for(0s)); });
      any_way([&] { static_cast<void>(a.send_bytes_for(message(300), 0s)); });
    }
    segment.erase(object);
  }
}

TEST_SUITE_END();
