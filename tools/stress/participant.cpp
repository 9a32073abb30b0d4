// SPDX-License-Identifier: MIT
#include "participant.hpp"

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <exception>
#include <string>

#include "os/cpu.hpp"
#include "subject.hpp"

namespace shoal::stress {
namespace {

// What is injected is as long as what it is to meet: some critical sections, or a wake.
constexpr std::uint64_t kMostDelay = 5'000;    // ns
constexpr std::uint64_t kMostSleep = 100'000;  // ns

void spin(std::int64_t nanoseconds) {
  const std::int64_t end = detail::steady_now() + nanoseconds;
  while (detail::steady_now() < end) os::pause();
}

}  // namespace

std::string Control::name_of(std::int32_t pid) const {
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].pid.load(std::memory_order_relaxed) == pid) return "P" + std::to_string(i);
  return "process " + std::to_string(pid);
}

void Control::fail(std::string_view what, std::int64_t when) {
  const std::uint32_t number = failure_count.fetch_add(1, std::memory_order_relaxed);
  if (number < kMostFailures) {
    FailureSlot& slot = failures[number];
    slot.when = when;
    std::memcpy(slot.what, what.data(), std::min(what.size(), sizeof slot.what - 1));
    slot.written.store(true, std::memory_order_release);
  }
  stop.store(true, std::memory_order_relaxed);
}

Participant::Participant(Control& control, const Plan& plan, unsigned index)
    : control_(control),
      plan_(plan),
      index_(index),
      slot_(control.slots[index]),
      life_(slot_.life.load(std::memory_order_relaxed)),
      random_(plan.seed + std::uint64_t{1'000'003} * (index + 1) + life_) {}

int Participant::live(Subject& subject) {
  try {
    subject.begin(*this);
    slot_.ready.store(true, std::memory_order_relaxed);
    while (!control_.go.load(std::memory_order_acquire)) ::sched_yield();
    while (!stopping()) {
      subject.step(*this);
      slot_.operations.store(operations() + 1, std::memory_order_relaxed);
    }
    return 0;
  } catch (const std::exception& error) {
    fail("P" + std::to_string(index_) + " threw: " + error.what());
    return 1;
  }
}

void Participant::inject() {
  switch (plan_.inject) {
    case Inject::none:
      break;
    case Inject::yield:
      os::yield();
      break;
    case Inject::delay:
      spin(static_cast<std::int64_t>(random_.below(kMostDelay)));
      break;
    case Inject::sleep: {
      const timespec time{0, static_cast<long>(random_.below(kMostSleep))};
      ::nanosleep(&time, nullptr);
      break;
    }
  }
}

}  // namespace shoal::stress
