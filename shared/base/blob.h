/*
 * Buffers shared by reference: message payloads, output chunks, read tails.
 * One owner creates a blob, holders add references, the last release gives it back to a free list
 * of its size class, so that the message path allocates nothing. A process is single threaded here:
 * references are plain numbers. blob_trim() returns idle memory to the system.
 */
#ifndef BASE_BLOB_H
#define BASE_BLOB_H

#include <stddef.h>
#include <stdint.h>

struct blob {
	uint32_t references;
	uint32_t capacity; /* bytes usable in data */
	uint8_t size_class;
	uint8_t data[] __attribute__((aligned(16)));
};

/* A blob of at least size bytes with one reference, contents undefined; NULL when memory is out. */
struct blob *blob_create(size_t size);

/* One more holder; returns blob. */
struct blob *blob_hold(struct blob *blob);

/* One holder less; the last one gives the memory back. NULL is allowed. */
void blob_release(struct blob *blob);

/* Frees what the free lists keep beyond keep bytes; call it when the process has been idle. */
void blob_trim(size_t keep);

/* Bytes that the free lists hold now, and bytes in blobs with holders. */
size_t blob_idle_bytes(void);
size_t blob_used_bytes(void);

#endif
