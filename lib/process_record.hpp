// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "os/file.hpp"
#include "shoal/detail/obituary.hpp"
#include "shoal/detail/owner_value.hpp"
#include "tables.hpp"

namespace shoal::detail {

// Who is alive in a segment. States and their owners stand above ProcessRecord, in format.hpp.
//
// A process is alive as long as the kernel holds its lock on the byte of its record. The kernel
// drops it when the process has ended, however it did, after its memory is gone: not a heartbeat,
// which lies when a process is slow or stopped, and not a pid, which is somebody else's tomorrow.
//
// What each step of attach() and bury() leaves behind when its process is killed right after it:
//
//   attach  byte lock                a free record whose byte nobody holds: as before
//           life = taken             a dead process that holds nothing
//   detach  any step of the sweep    a dead process that holds a little less
//           life = free, gen. + 1    a free record, its byte locked until the kernel drops it
//   bury    life = dying, gen. + 1   a record that the next one to bury finds, and sweeps again
//           any step of the sweep    the same: each step is idempotent, and names the dead one
//           life = free              a free record

// Asks the kernel, never a cache. `file` is the asker's own, whose lock is_locked() does not see;
// so `self`, the asker, is told apart first.
bool is_alive(const Tables& tables, const os::File& file, OwnerValue self, OwnerValue owner);

// What its record says of a process, alive or being buried: pid, 0, name. Zeros once it is gone.
Facts facts_of(const Tables& tables, OwnerValue owner);

// Takes a record that is free, and its byte through `file`. Needs no lock but that byte. Nothing
// where none is free.
std::optional<OwnerValue> attach_to_free(const Tables& tables, const os::File& file);
// The same, or a new record, or a dead process's. Requires the directory lock. Nothing where the
// table is full of the living. Throws std::system_error (ENOSPC) where the table cannot grow.
std::optional<OwnerValue> attach(const Tables& tables, const os::File& file);
// The process that attached writes down who it is; by itself, or for the child it is about to fork.
void introduce(const Tables& tables, OwnerValue self);
// Gives the caller's own record back, swept. Needs no lock: nobody buries the living. `file` is to
// be closed next, and its byte is free then.
void detach(const Tables& tables, const os::File& file, OwnerValue self);
// Buries all who are dead. Requires the directory lock. True: there was one.
bool bury_the_dead(const Tables& tables, const os::File& file, OwnerValue self);

}  // namespace shoal::detail
