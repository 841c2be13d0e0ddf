/*
 * counters.h: one page of counters per process, in a sealed memfd: writable to its owner, read-only to all others.
 *
 * Master makes the pages, role_start maps them; the watch worker joins them.  One writer per page, so an addition is a plain load
 * and store (no locked instruction).  A reader never trusts what another process wrote: it is only ever shown, never used to
 * decide.
 */
#ifndef IPC_COUNTERS_H
#define IPC_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTERS_SIZE 4096

struct counters {
#define COUNTER(name, kind, text) _Atomic uint64_t name;
#include "ipc/counters.def"
#undef COUNTER
};

_Static_assert(sizeof(struct counters) <= COUNTERS_SIZE, "the counters of a process must fit into its page");

/* By the owner only. */
#define COUNTERS_ADD(page, name, amount) \
	atomic_store_explicit( \
	    &(page)->name, atomic_load_explicit(&(page)->name, memory_order_relaxed) + (uint64_t)(amount), memory_order_relaxed)
#define COUNTERS_SUB(page, name, amount) \
	atomic_store_explicit( \
	    &(page)->name, atomic_load_explicit(&(page)->name, memory_order_relaxed) - (uint64_t)(amount), memory_order_relaxed)
#define COUNTERS_SET(page, name, value) atomic_store_explicit(&(page)->name, (uint64_t)(value), memory_order_relaxed)
/* By anybody. */
#define COUNTERS_GET(page, name) atomic_load_explicit(&(page)->name, memory_order_relaxed)

struct counters_row {
	const char *name;
	const char *text;
	bool gauge;
};

/* The rows of counters.def, in order; *count is set. */
const struct counters_row *counters_table(size_t *count);

/* Value of the row at that place of the table. */
uint64_t counters_value(const struct counters *page, size_t row);

/* Master: a new page, zeroed: a writable and a read-only descriptor. False with errno. */
bool counters_create(int *writable, int *read_only);

/* Maps a page (writable: with a descriptor that allows it) and leaves the descriptor open. NULL with errno. */
struct counters *counters_map(int fd, bool writable);

/* Sets all gauges of a dead process to 0. */
void counters_reset_gauges(struct counters *page);

/* The owner tells what the kernel and the allocator say about it: memory, processor time. Call it once a second at most. */
void counters_sample(struct counters *page);

#endif
