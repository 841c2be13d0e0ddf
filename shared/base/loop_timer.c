/*
 * Timers of the loop: a heap with four children per node, whose entries carry the deadline.  Setting again moves an entry in place.
 * No allocation but when the heap doubles; it shrinks when a quarter full.
 */
#include "base/loop_timer.h"

#include "base/check.h"
#include "base/memory.h"

#define LOOP_HEAP_FIRST 64U

static void
loop_heap_place(struct loop_heap *heap, uint32_t at, struct loop_heap_entry entry)
{
	heap->entries[at] = entry;
	entry.timer->position = at + 1;
}

static void
loop_heap_up(struct loop_heap *heap, uint32_t at, struct loop_heap_entry entry)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / 4;

		if (heap->entries[parent].deadline <= entry.deadline)
			break;
		loop_heap_place(heap, at, heap->entries[parent]);
		at = parent;
	}
	loop_heap_place(heap, at, entry);
}

static void
loop_heap_down(struct loop_heap *heap, uint32_t at, struct loop_heap_entry entry)
{
	for (;;) {
		uint64_t first = (uint64_t)at * 4 + 1;
		uint32_t least;

		if (first >= heap->count)
			break;
		least = (uint32_t)first;
		for (uint32_t child = least + 1; child < first + 4 && child < heap->count; child++)
			if (heap->entries[child].deadline < heap->entries[least].deadline)
				least = child;
		if (heap->entries[least].deadline >= entry.deadline)
			break;
		loop_heap_place(heap, at, heap->entries[least]);
		at = least;
	}
	loop_heap_place(heap, at, entry);
}

static bool
loop_heap_resize(struct loop_heap *heap, uint32_t room)
{
	struct loop_heap_entry *entries;
	size_t bytes;

	CHECK(room >= heap->count);
	if (__builtin_mul_overflow((size_t)room, sizeof(*entries), &bytes))
		return false;
	entries = memory_realloc(heap->entries, bytes);
	if (entries == NULL)
		return false;
	heap->entries = entries;
	heap->room = room;
	return true;
}

void
loop_heap_init(struct loop_heap *heap)
{
	*heap = (struct loop_heap){ .firing = INT64_MIN };
}

bool
loop_heap_set(struct loop_heap *heap, struct loop_timer *timer, int64_t deadline)
{
	struct loop_heap_entry entry;

	CHECK(timer->fire != NULL);
	if (deadline <= heap->firing)
		deadline = heap->firing + 1;
	entry = (struct loop_heap_entry){ deadline, timer };
	if (timer->position != 0) {
		uint32_t at = timer->position - 1;

		CHECK(at < heap->count && heap->entries[at].timer == timer);
		timer->deadline = deadline;
		if (deadline < heap->entries[at].deadline)
			loop_heap_up(heap, at, entry);
		else
			loop_heap_down(heap, at, entry);
		return true;
	}
	if (heap->count == heap->room) {
		if (heap->room > UINT32_MAX / 4)
			return false;
		if (!loop_heap_resize(heap, heap->room == 0 ? LOOP_HEAP_FIRST : heap->room * 2))
			return false;
	}
	timer->deadline = deadline;
	loop_heap_up(heap, heap->count++, entry);
	return true;
}

void
loop_heap_stop(struct loop_heap *heap, struct loop_timer *timer)
{
	struct loop_heap_entry last;
	uint32_t at;

	if (timer->position == 0)
		return;
	at = timer->position - 1;
	CHECK(at < heap->count && heap->entries[at].timer == timer);
	timer->position = 0;
	last = heap->entries[--heap->count];
	if (at < heap->count) {
		if (at > 0 && heap->entries[(at - 1) / 4].deadline > last.deadline)
			loop_heap_up(heap, at, last);
		else
			loop_heap_down(heap, at, last);
	}
	/* Giving memory back may fail without harm. */
	if (heap->room > LOOP_HEAP_FIRST && heap->count < heap->room / 4)
		(void)loop_heap_resize(heap, heap->room / 2);
}

void
loop_heap_free(struct loop_heap *heap)
{
	for (uint32_t i = 0; i < heap->count; i++)
		heap->entries[i].timer->position = 0;
	memory_free(heap->entries);
	heap->entries = NULL;
	heap->count = heap->room = 0;
}

int
loop_heap_fire(struct loop_heap *heap, int64_t now)
{
	int fired = 0;

	CHECK(heap->firing == INT64_MIN && now < INT64_MAX);
	heap->firing = now;
	while (heap->count > 0 && heap->entries[0].deadline <= now) {
		struct loop_timer *timer = heap->entries[0].timer;

		loop_heap_stop(heap, timer);
		timer->fire(timer);
		fired++;
	}
	heap->firing = INT64_MIN;
	return fired;
}

int64_t
loop_heap_wait(const struct loop_heap *heap, int64_t now, int64_t timeout_ns)
{
	int64_t left;

	if (timeout_ns == 0 || heap->count == 0)
		return timeout_ns;
	left = heap->entries[0].deadline > now ? heap->entries[0].deadline - now : 0;
	return timeout_ns < 0 || left < timeout_ns ? left : timeout_ns;
}
