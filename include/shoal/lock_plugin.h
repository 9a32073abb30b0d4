/* SPDX-License-Identifier: MIT */
#ifndef SHOAL_LOCK_PLUGIN_H
#define SHOAL_LOCK_PLUGIN_H

#include <stddef.h> /* NOLINT(modernize-deprecated-headers): in C there is no other */

/* A lock of yours, for `shoal stress --plugin ./my_lock.so` to torture: a shared library that defines
 * these five functions.
 *
 *   cc -std=c11 -O2 -shared -fPIC -o my_lock.so my_lock.c
 *   shoal stress --plugin ./my_lock.so
 *
 * All that the lock is must be in its own memory, which several processes share: no pointers to
 * elsewhere, no threads of this process, futexes without FUTEX_PRIVATE_FLAG, pthread mutexes with
 * PTHREAD_PROCESS_SHARED. An example is tools/stress/example/ticket_lock.c in shoal's sources.
 *
 * Whoever is in lock() or holds the lock may be interrupted, stopped and, with --kill, killed there.
 * A lock that does not survive that is told apart by leaving --kill out. */

#ifdef __cplusplus
extern "C" {
#endif

/* How many bytes of shared memory one lock takes; not 0. */
size_t shoal_plugin_size(void);

/* Called once, in a process of its own, before anybody uses the lock. The memory is zeroed, and
 * begins at a multiple of 4096. What is left elsewhere is not seen by those who use the lock. */
void shoal_plugin_init(void* lock);

/* Returns when the caller has the lock. Each process has one thread. */
void shoal_plugin_lock(void* lock);

/* Called by the process that has the lock. */
void shoal_plugin_unlock(void* lock);

/* What the reports call it; it is there for as long as the library is. */
const char* shoal_plugin_name(void);

#ifdef __cplusplus
}
#endif

#endif
