/* SPDX-License-Identifier: MIT
 *
 * A ticket lock: whoever comes draws a number, and waits until it is called.
 *
 *   cc -std=c11 -O2 -shared -fPIC -I include -o ticket_lock.so tools/stress/example/ticket_lock.c
 *   shoal stress --plugin ./ticket_lock.so --seconds 2
 *
 * Where shoal is installed, -I include is not needed. To see it fail, draw the ticket by a load and
 * a store; or kill those who wait, with --kill 10: nobody else answers to their numbers. */

#include <sched.h>
#include <shoal/lock_plugin.h>
#include <stdatomic.h>

struct ticket_lock {
  atomic_uint next;   /* the number that is drawn next */
  atomic_uint called; /* whose turn it is */
};

size_t shoal_plugin_size(void) { return sizeof(struct ticket_lock); }

const char* shoal_plugin_name(void) { return "ticket lock"; }

void shoal_plugin_init(void* memory) {
  struct ticket_lock* lock = memory;
  atomic_init(&lock->next, 0);
  atomic_init(&lock->called, 0);
}

void shoal_plugin_lock(void* memory) {
  struct ticket_lock* lock = memory;
  const unsigned mine = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);
  while (atomic_load_explicit(&lock->called, memory_order_acquire) != mine) sched_yield();
}

void shoal_plugin_unlock(void* memory) {
  struct ticket_lock* lock = memory;
  const unsigned mine = atomic_load_explicit(&lock->called, memory_order_relaxed);
  atomic_store_explicit(&lock->called, mine + 1, memory_order_release);
}
