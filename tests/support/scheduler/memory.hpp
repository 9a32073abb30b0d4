// SPDX-License-Identifier: MIT
#pragma once

// The memory of a simulation: weaker than any machine shoal runs on, as far as it can be kept
// simple. It is the operational reading of C++ atomics by timestamps and views (Kang, Hur, Lahav,
// Vafeiadis, Dreyer: A Promising Semantics for Relaxed-Memory Concurrency, 2017), without promises.
//
// Every location keeps all values it ever had, as numbered messages, oldest first. Every
// participant has a view: for each location, the number of the oldest message it may still read.
//
//   operation              reads                          what becomes of the views
//   load                   any message not older than     own, for this location: the message read;
//                          its view; all but the newest   with acquire, for all: the later of it
//                          cost one stale read            and the message's view
//   store                  -                              a new message, with a view: the writer's
//                                                         own (release), or what it was at its last
//                                                         full barrier
//   read-modify-write      the newest                     both; and the new message's view includes
//                                                         the old one's (release sequence)
//   full barrier,          -                              own, for all: the newest
//   system call
//   barrier in everybody   -                              everybody's, for all: the newest
//
// A seq_cst operation is an acquire and release that reads the newest.
//
// Store buffers need no machinery of their own: that a store is still buffered while its writer's
// later loads are done is the same execution as those loads, done after the store, reading stale
// values. Everything x86 (TSO) allows can therefore happen here, within the limit on stale
// reads; so can stores that become visible out of order (no release) and loads that are done out
// of order (no acquire).
//
// Not modelled: a load that sees a store which its own participant's later store enabled (load
// buffering); a store that slips in before one already made to the same location (2+2W); spurious
// failure of compare_exchange_weak; mixed sizes. Full barriers and seq_cst loads are as strong as
// on machines whose stores reach everybody at once (x86, ARMv8), which is a little stronger than
// C++. No read-modify-write and no store is a barrier for loads weaker than seq_cst, although on
// x86 each exchange is: C++ does not promise it.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace shoal_test {

inline constexpr int kMaxParticipants = 8;
inline constexpr int kMaxLocations = 64;

class Memory {
 public:
  void reset(int participants);

  // The number of the location at an address, which starts with one message, `value`, if it is
  // new. -1 if there are more than kMaxLocations.
  int locate(const void* address, std::uint64_t value);

  // A new object begins at this address: what was there is nobody's past.
  void forget(const void* address);

  // How many messages older than the newest the participant may read here.
  int older(int participant, int location, std::memory_order order) const;

  // Reads the message `age` older than the newest.
  std::uint64_t read(int participant, int location, int age, std::memory_order order);
  void write(int participant, int location, std::uint64_t value, std::memory_order order);
  // A read of the newest and a write, as one.
  void update(int participant, int location, std::uint64_t value, std::memory_order order);

  void full_barrier(int participant);
  void full_barrier_everywhere();
  // Lets the participant see everything, without being a barrier for its stores.
  void catch_up(int participant);

  // How often somebody else changed a value.
  std::uint64_t changes_by_others(int participant) const;
  // A change that is not one of memory, but that a spinning participant may be waiting for.
  void note_change() { ++changes_; }

  // The same for two runs that end with the same values.
  std::uint64_t fingerprint() const;

 private:
  // Whole views are copied and joined, also what belongs to no location: without a branch, that is
  // a few vector instructions.
  using View = std::array<std::uint16_t, kMaxLocations>;
  struct Message {
    Message(std::uint64_t v, const View& published) : value(v), view(published) {}
    std::uint64_t value;
    View view;
  };
  struct Location {
    const void* address = nullptr;
    std::vector<Message> messages;
  };
  struct Viewer {
    View seen;       // the oldest message still readable, for each location
    View published;  // `seen` at the last full barrier: what relaxed stores publish
    std::uint64_t changes;
  };

  // The later of both, for each location.
  static View later(const View& one, const View& other);
  int make(const void* address, std::uint64_t value, std::size_t slot);
  void append(int participant, int location, std::uint64_t value, const View& view);

  Viewer& viewer(int participant) { return viewers_[static_cast<std::size_t>(participant)]; }
  std::vector<Message>& messages(int location) {
    return locations_[static_cast<std::size_t>(location)].messages;
  }

  static constexpr std::size_t kSlots = 256;  // a hash table, never more than a quarter full
  static std::size_t slot_of(const void* address);

  int participants_ = 0;
  int count_ = 0;
  std::uint64_t changes_ = 0;
  View newest_{};  // the number of the newest message, for each location
  std::array<Viewer, kMaxParticipants> viewers_{};
  std::array<Location, kMaxLocations> locations_{};
  std::array<std::int8_t, kSlots> slots_{};  // location + 1, or 0
};

}  // namespace shoal_test
