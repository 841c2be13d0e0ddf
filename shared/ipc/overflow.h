/*
 * What waits because a ring is full: records in private memory, first in first out, each with its place in the order of all puts.
 * Owned by one mesh peer; the mesh keeps the marks and the limit, this keeps the bytes.  Memory is given back as it empties, but
 * for one block, which overflow_trim gives back.
 */
#ifndef IPC_OVERFLOW_H
#define IPC_OVERFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct overflow_block;

struct overflow {
	struct overflow_block *first, *last;
	struct overflow_block *spare;
	size_t bytes; /* of records */
};

/* Make sure that `total` bytes of records in `count` records can be put without another allocation. false: no memory. */
bool overflow_reserve(struct overflow *, size_t total, size_t count);

/* Room for a record of `total` bytes (a multiple of 8), aligned to 8; NULL: no memory. */
uint8_t *overflow_put(struct overflow *, uint64_t sequence, size_t total);

/* The first record, its size and place; NULL when empty. Valid until the next call. */
const uint8_t *overflow_first(const struct overflow *, size_t *total, uint64_t *sequence);

/* Drop the first record. */
void overflow_pop(struct overflow *);

/* Drop all. */
void overflow_clear(struct overflow *);

/* Give back the block kept for the next time. */
void overflow_trim(struct overflow *);

#endif
