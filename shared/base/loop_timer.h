/*
 * The part of the loop that every system shares: a heap of timers.  For the loop of each system only.
 */
#ifndef BASE_LOOP_TIMER_H
#define BASE_LOOP_TIMER_H

#include "base/loop.h"

struct loop_heap_entry {
	int64_t deadline; /* beside the pointer, so that comparing touches no timer */
	struct loop_timer *timer;
};

/* Four children per node: entry i (from 0) has the children 4i + 1 .. 4i + 4; a timer's position is its entry plus 1. */
struct loop_heap {
	struct loop_heap_entry *entries;
	uint32_t count;
	uint32_t room;
	int64_t firing; /* during loop_heap_fire: its `now`; else INT64_MIN */
};

void loop_heap_init(struct loop_heap *heap);
bool loop_heap_set(struct loop_heap *heap, struct loop_timer *timer, int64_t deadline);
void loop_heap_stop(struct loop_heap *heap, struct loop_timer *timer);
void loop_heap_free(struct loop_heap *heap);

/* Fires what is due at `now`; a timer set meanwhile for a time already past waits for the next call. */
int loop_heap_fire(struct loop_heap *heap, int64_t now);

static inline int64_t
loop_heap_next(const struct loop_heap *heap)
{
	return heap->count > 0 ? heap->entries[0].deadline : INT64_MAX;
}

/* Nanoseconds a wait may take: the caller's timeout, cut at the next deadline; -1 = for ever. */
int64_t loop_heap_wait(const struct loop_heap *heap, int64_t now, int64_t timeout_ns);

#endif
