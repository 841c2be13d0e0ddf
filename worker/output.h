/*
 * What waits to be written to one connection: a list of parts, each a stretch of a blob.
 * Small messages are copied one behind the other into the last part; large payloads are referenced,
 * so a message for a thousand receivers lies in memory once. An empty output owns no memory.
 * The owner says when to write; nothing here blocks or decides to close.
 */
#ifndef WORKER_OUTPUT_H
#define WORKER_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/check.h"

enum {
	OUTPUT_COPY_MAX = 4096,    /* payloads above this are referenced, not copied */
	OUTPUT_RESERVE_MAX = 32768 /* the largest stretch output_reserve gives */
};

struct output_part {
	struct output_part *next;
	struct blob *blob;
	uint32_t start;  /* first byte not yet written */
	uint32_t end;    /* one past the last byte filled */
	bool appendable; /* this output alone fills the blob */
};

struct output {
	struct output_part *first, *last;
	size_t pending; /* bytes in all parts */
};

enum output_result {
	OUTPUT_DONE,    /* all is written */
	OUTPUT_BLOCKED, /* the socket takes no more now */
	OUTPUT_FAILED   /* errno tells why; the connection is of no use any more */
};

/* A new last part with room for at least n bytes; false when memory is out. */
bool output_extend(struct output *, size_t n);

/* Appends length bytes of the blob by reference; false when memory is out. */
bool output_reference(struct output *, struct blob *, uint32_t start, uint32_t length);

/* Appends a copy of n bytes of any number. */
bool output_copy(struct output *, const void *data, size_t n);

/* Writes what the socket takes; *written is the number of bytes that went out, also when it then failed. */
enum output_result output_write(struct output *, int fd, size_t *written);

/* How many parts wait. */
unsigned output_parts(const struct output *);

/* Drops everything. */
void output_clear(struct output *);

/* Gives spare part headers back to the system. */
void output_trim(void);

/* Where to put the next n (<= OUTPUT_RESERVE_MAX) bytes; NULL when memory is out. output_advance says how many were put. */
static inline uint8_t *
output_reserve(struct output *output, size_t n)
{
	struct output_part *part = output->last;

	CHECK(n <= OUTPUT_RESERVE_MAX);
	if (__builtin_expect(part == NULL || !part->appendable || part->blob->capacity - part->end < n, 0)) {
		if (!output_extend(output, n))
			return NULL;
		part = output->last;
	}
	return part->blob->data + part->end;
}

static inline void
output_advance(struct output *output, size_t n)
{
	struct output_part *part = output->last;

	CHECK(n <= part->blob->capacity - part->end);
	part->end += (uint32_t)n;
	output->pending += n;
}

#endif
