/*
 * One ring between two members, each side over its own mapping.  See ring.h for the layout and the rules.
 * Every shared word is read in one place, once, by shared_read(); tests/unit/test_reads.c counts the loads.
 */
#include <sys/mman.h>

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "ipc/ring.h"

_Static_assert(sizeof(struct ring_record) == RING_RECORD_HEADER, "record header");
_Static_assert(sizeof(struct ring_control) <= 4096, "the control words share the first page");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && sizeof(_Atomic uint64_t) == 8, "indexes are shared without locks");

#define RING_SIZE_LEAST 4096u
#define RING_SIZE_MOST (1u << 30)

/* The only way to look at a word that another process may change: one load. */
#define shared_read(word, order) atomic_load_explicit((word), (order))

bool
ring_size_valid(size_t size)
{
	return size >= RING_SIZE_LEAST && size <= RING_SIZE_MOST && (size & (size - 1)) == 0;
}

size_t
ring_file_size(size_t size)
{
	CHECK(ring_size_valid(size));
	return RING_CONTROL_SIZE + size;
}

void *
ring_map(int descriptor, size_t size, bool writable)
{
	int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	size_t whole = ring_file_size(size) + size;
	uint8_t *base, *first, *again;
	int saved;

	if ((base = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) == MAP_FAILED)
		return NULL;
	first = mmap(base, ring_file_size(size), protection, MAP_SHARED | MAP_FIXED, descriptor, 0);
	if (first == MAP_FAILED)
		goto fail;
	again = mmap(base + ring_file_size(size), size, protection, MAP_SHARED | MAP_FIXED, descriptor, RING_CONTROL_SIZE);
	if (again == MAP_FAILED)
		goto fail;
	(void)madvise(base, whole, MADV_DONTDUMP);
	return base;
fail:
	saved = errno;
	(void)munmap(base, whole);
	errno = saved;
	return NULL;
}

void
ring_unmap(const void *half, size_t size)
{
	int result = munmap((void *)(uintptr_t)half, ring_file_size(size) + size);

	CHECK(result == 0);
}

void
ring_out_init(struct ring_out *out, void *own, const void *peer, size_t size)
{
	CHECK(ring_size_valid(size));
	*out = (struct ring_out){
		.data = (uint8_t *)own + RING_CONTROL_SIZE, .own = own, .peer = peer, .limit = size, .size = (uint32_t)size
	};
}

void
ring_in_init(struct ring_in *in, void *own, const void *peer, size_t size)
{
	CHECK(ring_size_valid(size));
	*in =
	    (struct ring_in){ .data = (const uint8_t *)peer + RING_CONTROL_SIZE, .own = own, .peer = peer, .size = (uint32_t)size };
}

/* ---- writing ------------------------------------------------------------------------------------------------------------- */

/* Learn how far the reader is. Not inlined: its loads are counted. */
static __attribute__((noinline)) void
ring_read_tail(struct ring_out *out)
{
	uint64_t tail = shared_read(&out->peer->tail, memory_order_acquire);

	/* Between the tail we know and our head; limit is the known tail + size. */
	if (out->head - tail > out->head - (out->limit - out->size)) {
		out->broken = true;
		out->limit = 0;
	} else {
		out->limit = tail + out->size;
	}
}

bool
ring_room(struct ring_out *out, size_t total)
{
	uint64_t end = out->head + (out->open ? 0 : RING_BATCH_HEADER) + total;

	if (end > out->limit && !out->broken)
		ring_read_tail(out);
	return end <= out->limit && !out->broken;
}

void
ring_close(struct ring_out *out, uint64_t number, uint64_t stamp)
{
	uint64_t size = out->head - out->batch - RING_BATCH_HEADER;
	_Atomic uint64_t *header = (void *)(out->data + (out->batch & (out->size - 1)));

	CHECK(out->open);
	CHECK(size >= RING_RECORD_HEADER && size < out->size);
	atomic_store_explicit(&header[0], number, memory_order_relaxed);
	atomic_store_explicit(&header[1], stamp, memory_order_relaxed);
	atomic_store_explicit(&header[2], size, memory_order_relaxed);
	atomic_store_explicit(&header[3], 0, memory_order_relaxed);
	out->open = false;
	atomic_store_explicit(&out->own->head, out->head, memory_order_release);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------- */

__attribute__((noinline)) bool
ring_look(struct ring_in *in)
{
	uint64_t head = shared_read(&in->peer->head, memory_order_acquire);

	/* It may not go back behind what we have seen either. */
	if (head - in->tail > in->size || head - in->tail < in->head - in->tail)
		return false;
	in->head = head;
	return true;
}

__attribute__((noinline)) enum ring_next
ring_next(struct ring_in *in, uint64_t committed, struct ring_batch *batch)
{
	const _Atomic uint64_t *header = (const void *)(in->data + (in->tail & (in->size - 1)));
	uint64_t available = in->head - in->tail;
	uint64_t number, stamp, size, zero;

	if (available == 0)
		return RING_NOTHING;
	if (available < RING_BATCH_HEADER + RING_RECORD_HEADER || available % RING_UNIT != 0)
		return RING_BROKEN;
	number = shared_read(&header[0], memory_order_relaxed);
	stamp = shared_read(&header[1], memory_order_relaxed);
	size = shared_read(&header[2], memory_order_relaxed);
	zero = shared_read(&header[3], memory_order_relaxed);
	if (number <= in->number || stamp < in->stamp || zero != 0)
		return RING_BROKEN;
	if (number > committed)
		return RING_NOTHING;
	if (size < RING_RECORD_HEADER || size > available - RING_BATCH_HEADER || size % RING_UNIT != 0)
		return RING_BROKEN;
	in->number = number;
	in->stamp = stamp;
	in->tail += RING_BATCH_HEADER;
	*batch = (struct ring_batch){ .number = number, .stamp = stamp, .size = (uint32_t)size };
	return RING_BATCH;
}

void
ring_copy(const struct ring_in *in, size_t offset, void *to, size_t n)
{
	const uint8_t *from = in->data + ((in->tail + offset) & (in->size - 1));

	CHECK(offset <= in->size && n <= in->size - offset);
	memcpy(to, from, n);
	/* What follows works on the copy: no load from the ring may come after this point. */
	__asm__ volatile("" : : : "memory");
}

bool
ring_publish(struct ring_in *in)
{
	if (in->tail == in->published)
		return false;
	in->published = in->tail;
	atomic_store_explicit(&in->own->tail, in->tail, memory_order_release);
	return true;
}
