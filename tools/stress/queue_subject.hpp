// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "subject.hpp"

namespace shoal::stress {

// A queue under stress: every other participant pushes, the others pop.
//
// Oracle: a producer numbers its items, lap by lap. Whoever pops one marks it, and knows: marked
// already, it came twice; beyond what its producer has begun to push, nobody pushed it; before the
// last one of that producer that the same consumer popped, it is out of order. At the end of a lap a
// producer waits until all are marked: else it stalls. Where participants are killed it goes on, for
// of each consumer that was killed one may be missing for good, and no more than that; and the next
// life of a producer begins another lap, for whether the last push was made nobody knows.
class QueueSubject : public Subject {
 public:
  [[nodiscard]] std::size_t memory_size() const final;
  void set_up(void* memory, const Plan& plan) final;
  void begin(Participant& me) final { is_new_ = me.life() > 1; }
  void step(Participant& me) final;
  void killed(unsigned index) final;
  [[nodiscard]] std::string diagnose(const Control& control) final;
  [[nodiscard]] std::string check() final;

 protected:
  using Item = std::uint64_t;
  static constexpr Item kTorn = ~Item{0};  // popped, but it is none

  [[nodiscard]] virtual std::size_t queue_size() const { return 0; }
  virtual void set_up_queue(void* memory) = 0;
  // Both wait. False and nothing where it is time to leave.
  virtual bool push(Participant& me, Item item) = 0;
  virtual std::optional<Item> pop(Participant& me) = 0;
  // When all have left: until there is nothing more.
  virtual std::optional<Item> try_pop() = 0;
  [[nodiscard]] virtual std::string check_queue(std::uint64_t /*consumer_kills*/) { return {}; }

 private:
  struct Memory;

  static bool is_producer(unsigned index) { return index % 2 == 0; }
  void produce(Participant& me);
  void turn(Participant& me) const;
  [[nodiscard]] std::uint64_t count_all_missing() const;
  [[nodiscard]] std::uint32_t count_missing(unsigned producer, std::uint64_t returned) const;
  // Returns what is wrong with it, or nothing.
  [[nodiscard]] std::string receive(Item item);
  [[nodiscard]] bool mark(unsigned producer, std::uint32_t lap, std::uint32_t number) const;

  Memory* memory_ = nullptr;
  bool has_kills_ = false;
  bool is_new_ = false;                      // in this process: comes in another's place
  std::array<Item, kMostProcesses> last_{};  // in this process: popped, of each producer
  std::uint64_t killed_pushing_ = 0;         // in the engine's process
  std::uint64_t consumer_kills_ = 0;         // in the engine's process
};

}  // namespace shoal::stress
