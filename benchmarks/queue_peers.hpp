// SPDX-License-Identifier: MIT
#pragma once

// Contenders for queue_bench.cpp that go through the kernel, and those of libraries that may be
// absent. See queue_contenders.hpp.

#include <fcntl.h>
#include <mqueue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>

#include "descriptors.hpp"
#include "harness.hpp"
#include "queue_contenders.hpp"

#ifdef SHOAL_BENCH_CK
// It is C, and returns false for a null pointer.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wzero-as-null-pointer-constant"
#ifdef __clang__
#pragma clang diagnostic ignored "-Wkeyword-macro"
#endif
#define false 0
#include <ck_ring.h>
#undef false
#pragma GCC diagnostic pop
#endif
#ifdef SHOAL_BENCH_ZMQ
#include <zmq.h>
#endif

namespace bench {

// A FIFO with a name: pipe(2) for processes that were started independently.
template <class Item>
class PipeOfTheKernel {
 public:
  PipeOfTheKernel(const Place& place, bool first)
      : path_(path(place)), file_((make(path_, first), ::open(path_.c_str(), O_RDWR))) {
    if (file_ < 0) throw std::runtime_error("cannot open a FIFO");
    ::fcntl(file_, F_SETPIPE_SZ, 65536);
  }
  PipeOfTheKernel(const PipeOfTheKernel&) = delete;
  PipeOfTheKernel& operator=(const PipeOfTheKernel&) = delete;
  ~PipeOfTheKernel() { ::close(file_); }
  void push(const Item& item) {
    if (::write(file_, &item, sizeof item) != sizeof item) throw std::runtime_error("write failed");
  }
  Item pop() {
    Item item;
    if (::read(file_, &item, sizeof item) != sizeof item) throw std::runtime_error("read failed");
    return item;
  }
  static void remove(const Place& place) { ::unlink(path(place).c_str()); }

 private:
  static std::string path(const Place& place) { return "/dev/shm/" + place.name + ".fifo"; }
  static void make(const std::string& path, bool first) {
    if (first) ::mkfifo(path.c_str(), 0600);
  }
  std::string path_;
  int file_;
};

// A pair of sockets that keep the boundaries of messages.
template <class Item>
class UnixSocket {
 public:
  UnixSocket(const Place& place, bool first)
      : pair_(place, first, [] {
          std::array<int, 2> pair{-1, -1};
          ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data());
          return pair;
        }) {}
  void push(const Item& item) {
    if (::send(pair_[0], &item, sizeof item, 0) != sizeof item)
      throw std::runtime_error("send failed");
  }
  Item pop() {
    Item item;
    if (::recv(pair_[1], &item, sizeof item, 0) != sizeof item)
      throw std::runtime_error("recv failed");
    return item;
  }

 private:
  Descriptors<2> pair_;
};

// Of capacity 1024 where that is allowed, else of less: 10 always is.
template <class Item>
class PosixMessageQueue {
 public:
  PosixMessageQueue(const Place& place, bool first) {
    for (const long capacity : {1024, 512, 10})
      if (queue_ < 0) queue_ = open(place, first, capacity);
    if (queue_ < 0) throw std::runtime_error("mq_open failed");
  }
  PosixMessageQueue(const PosixMessageQueue&) = delete;
  PosixMessageQueue& operator=(const PosixMessageQueue&) = delete;
  ~PosixMessageQueue() { ::mq_close(queue_); }
  void push(const Item& item) {
    if (::mq_send(queue_, reinterpret_cast<const char*>(&item), sizeof item, 0) != 0)
      throw std::runtime_error("mq_send failed");
  }
  Item pop() {
    Item item;
    if (::mq_receive(queue_, reinterpret_cast<char*>(&item), sizeof item, nullptr) != sizeof item)
      throw std::runtime_error("mq_receive failed");
    return item;
  }
  static void remove(const Place& place) { ::mq_unlink(("/" + place.name).c_str()); }

 private:
  static mqd_t open(const Place& place, bool first, long capacity) {
    mq_attr attributes{};
    attributes.mq_maxmsg = capacity;
    attributes.mq_msgsize = sizeof(Item);
    return ::mq_open(("/" + place.name).c_str(), O_RDWR | (first ? O_CREAT | O_EXCL : 0), 0600,
                     &attributes);
  }
  mqd_t queue_ = -1;
};

#ifdef SHOAL_BENCH_CK
// Its ring holds one item less than it has room for. It cannot sleep.
enum class For { one_and_one, many };
template <class Item, For whom>
class CkRing {
 public:
  CkRing(const Place& place, bool first) : shared_(*static_cast<Shared*>(place.memory)) {
    static_assert(sizeof(Shared) <= Place::kBytes / 2);
    if (first) ::ck_ring_init(&shared_.ring, kCapacity);
  }
  void push(const Item& item) {
    spin_until([&] {
      return whom == For::many
                 ? ::_ck_ring_enqueue_mp(&shared_.ring, shared_.items, &item, sizeof item, nullptr)
                 : ::_ck_ring_enqueue_sp(&shared_.ring, shared_.items, &item, sizeof item, nullptr);
    });
  }
  Item pop() {
    Item item;
    spin_until([&] {
      return whom == For::many
                 ? ::_ck_ring_dequeue_mc(&shared_.ring, shared_.items, &item, sizeof item)
                 : ::_ck_ring_dequeue_sc(&shared_.ring, shared_.items, &item, sizeof item);
    });
    return item;
  }

 private:
  struct Shared {
    ck_ring_t ring;
    Item items[kCapacity];
  };
  Shared& shared_;
};
template <class Item>
using CkRingOfMany = CkRing<Item, For::many>;
template <class Item>
using CkRingOfTwo = CkRing<Item, For::one_and_one>;
#endif

#ifdef SHOAL_BENCH_ZMQ
// Two sockets of type PAIR over ipc, by a name that is no file.
template <class Item>
class ZeroMq {
 public:
  ZeroMq(const Place& place, bool first)
      : context_(::zmq_ctx_new()), socket_(::zmq_socket(context_, ZMQ_PAIR)) {
    const int capacity = kCapacity;
    const int do_not_linger = 0;
    ::zmq_setsockopt(socket_, ZMQ_SNDHWM, &capacity, sizeof capacity);
    ::zmq_setsockopt(socket_, ZMQ_RCVHWM, &capacity, sizeof capacity);
    ::zmq_setsockopt(socket_, ZMQ_LINGER, &do_not_linger, sizeof do_not_linger);
    const std::string name = "ipc://@" + place.name;
    if ((first ? ::zmq_bind : ::zmq_connect)(socket_, name.c_str()) != 0)
      throw std::runtime_error("cannot connect");
  }
  ZeroMq(const ZeroMq&) = delete;
  ZeroMq& operator=(const ZeroMq&) = delete;
  ~ZeroMq() {
    ::zmq_close(socket_);
    ::zmq_ctx_term(context_);
  }
  void push(const Item& item) {
    if (::zmq_send(socket_, &item, sizeof item, 0) != sizeof item)
      throw std::runtime_error("zmq_send failed");
  }
  Item pop() {
    Item item;
    if (::zmq_recv(socket_, &item, sizeof item, 0) != sizeof item)
      throw std::runtime_error("zmq_recv failed");
    return item;
  }

 private:
  void* context_;
  void* socket_;
};
#endif

}  // namespace bench
