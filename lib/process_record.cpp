// SPDX-License-Identifier: MIT
#include "process_record.hpp"

#include <cstring>
#include <system_error>

#include "format.hpp"
#include "mutant.hpp"
#include "os/process.hpp"
#include "sweep.hpp"

namespace shoal::detail {
namespace {

using format::Life;
using format::ProcessRecord;

constexpr std::uint64_t kBump = kSeeded == Seeded::generation_not_bumped ? 0 : 1;

void begin_burial(ProcessRecord& record) {
  const std::uint64_t life = record.life.load(std::memory_order_relaxed);
  record.life.store(format::life_word(format::generation_of(life) + kBump, Life::dying),
                    std::memory_order_release);
}

void set_free(ProcessRecord& record, std::uint64_t generation) {
  record.pid.store(0, std::memory_order_relaxed);
  record.life.store(format::life_word(generation, Life::free), std::memory_order_release);
}

void finish_burial(const Tables& tables, const os::File& file, OwnerValue self,
                   std::uint32_t index) {
  ProcessRecord& record = tables.process(index);
  const std::uint64_t generation =
      format::generation_of(record.life.load(std::memory_order_relaxed));
  if constexpr (kSeeded == Seeded::reused_before_swept) set_free(record, generation);
  sweep(tables, file, self, owner_value(index, generation - kBump));
  set_free(record, generation);
}

// Begun by one who may have been killed anywhere in it.
void finish_begun_burial(const Tables& tables, const os::File& file, OwnerValue self,
                         std::uint32_t index) {
  ProcessRecord& record = tables.process(index);
  if constexpr (kSeeded == Seeded::burial_not_swept_again)
    return set_free(record, format::generation_of(record.life.load(std::memory_order_relaxed)));
  finish_burial(tables, file, self, index);
}

void bury(const Tables& tables, const os::File& file, OwnerValue self, std::uint32_t index) {
  begin_burial(tables.process(index));
  finish_burial(tables, file, self, index);
}

Life life(const Tables& tables, std::uint32_t index) {
  return format::life_of(tables.process(index).life.load(std::memory_order_acquire));
}

// The byte is the claim, and the record is looked at once more behind it: since the first look
// somebody may have taken it and died.
std::optional<std::uint32_t> find_free(const Tables& tables, const os::File& file) {
  for (std::uint32_t i = 0; i < tables.processes(); ++i) {
    // A byte that is locked though its record is free: somebody inherited a description of it.
    if (life(tables, i) != Life::free || file.try_lock(format::life_byte(i))) continue;
    if (life(tables, i) == Life::free) return i;
    file.unlock(format::life_byte(i));
  }
  return std::nullopt;
}

// By who has no record yet.
void finish_burials(const Tables& tables, const os::File& file) {
  for (std::uint32_t i = 0; i < tables.processes(); ++i)
    if (life(tables, i) == Life::dying) finish_begun_burial(tables, file, kNobody, i);
}

// Backs one more record; its byte is nobody's.
std::optional<std::uint32_t> grow(const Tables& tables, const os::File& file) {
  const std::uint32_t index = tables.processes();
  if (index >= tables.header().max_processes) return std::nullopt;
  if (const std::error_code error = file.allocate(Tables::process_at(index), sizeof(ProcessRecord)))
    throw std::system_error(error);
  if (const std::error_code error = file.try_lock(format::life_byte(index)))
    throw std::system_error(error);
  tables.marks().processes.store(index + 1, std::memory_order_release);
  return index;
}

}  // namespace

bool is_alive(const Tables& tables, const os::File& file, OwnerValue self, OwnerValue owner) {
  if (owner == self) return true;
  const std::uint32_t index = record_of(owner);
  if (index >= tables.processes()) return false;
  const auto taken = [&] {
    return tables.process(index).life.load(std::memory_order_acquire) ==
           format::life_word(generation_of(owner), Life::taken);
  };
  // The generation once more after the kernel's answer: whoever holds the byte now may be the next
  // user of the record, and took it only after the generation had moved on.
  return taken() && file.is_locked(format::life_byte(index)) && taken();
}

Facts facts_of(const Tables& tables, OwnerValue owner) {
  Facts facts;
  const std::uint32_t index = record_of(owner);
  if (index >= tables.processes()) return facts;
  const ProcessRecord& record = tables.process(index);
  const std::uint64_t life = record.life.load(std::memory_order_acquire);
  const std::uint64_t dying = format::life_word(generation_of(owner) + kBump, Life::dying);
  if (life != format::life_word(generation_of(owner), Life::taken) && life != dying) return facts;
  facts.words[0] = record.pid.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < std::size(record.name); ++i)
    facts.words[2 + i] = record.name[i].load(std::memory_order_relaxed);
  return facts;
}

namespace {

// Requires its byte.
OwnerValue take(const Tables& tables, std::uint32_t index) {
  ProcessRecord& record = tables.process(index);
  const std::uint64_t generation =
      format::generation_of(record.life.load(std::memory_order_relaxed));
  const OwnerValue self = owner_value(index, generation);
  introduce(tables, self);
  record.life.store(format::life_word(generation, Life::taken), std::memory_order_release);
  return self;
}

}  // namespace

std::optional<OwnerValue> attach_to_free(const Tables& tables, const os::File& file) {
  const auto index = find_free(tables, file);
  if (!index) return std::nullopt;
  return take(tables, *index);
}

std::optional<OwnerValue> attach(const Tables& tables, const os::File& file) {
  finish_burials(tables, file);
  std::optional<std::uint32_t> index = find_free(tables, file);
  if (!index) index = grow(tables, file);
  if (!index && bury_the_dead(tables, file, kNobody)) index = find_free(tables, file);
  if (!index) return std::nullopt;
  return take(tables, *index);
}

void introduce(const Tables& tables, OwnerValue self) {
  ProcessRecord& record = tables.process(record_of(self));
  const std::string_view name = os::program_name();
  std::uint32_t words[std::size(decltype(record.name){})] = {};
  std::memcpy(words, name.data(), std::min(name.size(), sizeof words - 1));
  for (std::size_t i = 0; i < std::size(words); ++i)
    record.name[i].store(words[i], std::memory_order_relaxed);
  record.attached.store(os::unix_time(), std::memory_order_relaxed);
  record.pid.store(os::process_id(), std::memory_order_relaxed);
}

void detach(const Tables& tables, const os::File& file, OwnerValue self) {
  sweep(tables, file, kNobody, self);  // for whom it is as good as dead
  set_free(tables.process(record_of(self)), generation_of(self) + kBump);
}

bool bury_the_dead(const Tables& tables, const os::File& file, OwnerValue self) {
  bool any = false;
  for (std::uint32_t i = 0; i < tables.processes(); ++i) {
    const std::uint64_t generation =
        format::generation_of(tables.process(i).life.load(std::memory_order_relaxed));
    if (life(tables, i) == Life::dying) {
      finish_begun_burial(tables, file, self, i);
    } else if (life(tables, i) == Life::taken &&
               !is_alive(tables, file, self, owner_value(i, generation))) {
      bury(tables, file, self, i);
    } else {
      continue;
    }
    any = true;
  }
  return any;
}

}  // namespace shoal::detail
