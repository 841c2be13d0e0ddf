/*
 * One ring: bytes from one process to another that does not trust it, over shared memory.  Knows batches, not their meaning.
 *
 * Two members a and b share two halves, each a sealed memfd: a writes half ab and may only read half ba, and the other way round.
 * Half ab holds the head and the data of ring a->b, and the tail of ring b->a, each on cache lines of its own.
 *
 *	offset 0	struct ring_control (one page; RING_CONTROL_SIZE in the file, whatever the page size)
 *	offset 64 KiB	data, RING_SIZE bytes, mapped twice in a row so that whatever begins inside it is contiguous
 *
 * The data is a row of batches, all of it in units of 8 bytes:
 *
 *	batch:	uint64 number | uint64 stamp | uint32 size | uint32 zero | uint64 zero		then `size` bytes of records
 *	record:	uint32 length | uint16 kind | uint16 fragment | body | zeros up to the next multiple of 8
 *
 * Each side keeps its own index in private memory and only writes the shared copy; the peer's is read once, atomically, and
 * checked: 0 <= head - tail <= size.  Anything else sets `broken`: the peer has to be replaced, nothing is repaired.
 * Called by mesh*.c only.  Never waits, allocates, or makes a system call (but for ring_map and ring_unmap).
 */
#ifndef IPC_RING_H
#define IPC_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define RING_LINE 128 /* two lines of 64: processors fetch them in pairs */
#define RING_CONTROL_SIZE 65536u
#define RING_UNIT 8u
#define RING_BATCH_HEADER 32u
#define RING_RECORD_HEADER 8u

struct ring_control {
	alignas(RING_LINE) _Atomic uint64_t head; /* of the ring this half's owner writes */
	alignas(RING_LINE) _Atomic uint64_t tail; /* of the ring this half's owner reads */
};

struct ring_record {
	uint32_t length;
	uint16_t kind;
	uint16_t fragment;
};

struct ring_batch {
	uint64_t number;
	uint64_t stamp;
	uint32_t size; /* bytes of records not yet taken */
};

/* The writing side. */
struct ring_out {
	uint8_t *data;
	struct ring_control *own;        /* our half */
	const struct ring_control *peer; /* the reader's half */
	uint64_t head;                   /* next byte to write */
	uint64_t limit;                  /* may be written up to here: the tail last read + size */
	uint64_t batch;                  /* where the open batch begins */
	uint32_t size;
	bool open;
	bool broken; /* the reader's tail is impossible; then limit is 0 */
};

/* The reading side. */
struct ring_in {
	const uint8_t *data;
	struct ring_control *own;        /* our half */
	const struct ring_control *peer; /* the writer's half */
	uint64_t tail;                   /* next byte to read */
	uint64_t published;              /* the tail the writer was told */
	uint64_t head;                   /* as last read */
	uint64_t number, stamp;          /* of the last batch taken: both must grow */
	uint32_t size;
};

/* Is this a size a ring can have: a power of two, 4 KiB to 1 GiB (the mesh asks for 256 KiB to 4 MiB)? */
bool ring_size_valid(size_t size);

/* Length of the memfd of a half with `size` bytes of data. */
size_t ring_file_size(size_t size);

/* Map a half; the descriptor stays the caller's.  Returns the control page, with the data RING_CONTROL_SIZE after it; NULL + errno.
 */
void *ring_map(int descriptor, size_t size, bool writable);
void ring_unmap(const void *half, size_t size);

void ring_out_init(struct ring_out *, void *own, const void *peer, size_t size);
void ring_in_init(struct ring_in *, void *own, const void *peer, size_t size);

/* Bytes that a record with a body of `length` takes. */
static inline size_t
ring_record_size(size_t length)
{
	return RING_RECORD_HEADER + ((length + RING_UNIT - 1) & ~(size_t)(RING_UNIT - 1));
}

/* Would ring_reserve(total) find room?  Reads the tail when the last known one is not enough. */
bool ring_room(struct ring_out *, size_t total);

/* Room for `total` bytes of records (a multiple of 8) in the open batch, opening one if need be; NULL: no room now, or broken. */
static inline uint8_t *
ring_reserve(struct ring_out *out, size_t total)
{
	uint64_t head = out->head + (out->open ? 0 : RING_BATCH_HEADER);

	CHECK(total % RING_UNIT == 0);
	if (__builtin_expect(head + total > out->limit, 0) && !ring_room(out, total))
		return NULL;
	if (!out->open) {
		out->open = true;
		out->batch = out->head;
	}
	out->head = head + total;
	return out->data + (head & (out->size - 1));
}

/* Bytes in the open batch, header included; 0 when none is open. */
static inline size_t
ring_open_size(const struct ring_out *out)
{
	return out->open ? (size_t)(out->head - out->batch) : 0;
}

/* Close the open batch under this number and stamp and publish the head.  The reader obeys it only once `number` is committed. */
void ring_close(struct ring_out *, uint64_t number, uint64_t stamp);

/* Read the writer's head; false: it is impossible. */
bool ring_look(struct ring_in *);

enum ring_next { RING_BATCH, RING_NOTHING, RING_BROKEN };

/* Take the header of the next batch if its number is committed (<= committed). */
enum ring_next ring_next(struct ring_in *, uint64_t committed, struct ring_batch *);

/* Copy n bytes from the tail + offset; the caller has checked that they are inside the batch. */
void ring_copy(const struct ring_in *, size_t offset, void *to, size_t n);

/* Done with n bytes; ring_publish tells the writer and returns whether there was something to tell. */
static inline void
ring_advance(struct ring_in *in, size_t n)
{
	CHECK(n <= in->head - in->tail);
	in->tail += n;
}
bool ring_publish(struct ring_in *);

#endif
