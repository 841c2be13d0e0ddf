/*
 * The only door to malloc.  A failure returns NULL and is counted; nothing here ends the process.
 * Blocks are of malloc's own alignment (16 bytes).  Not for the message path: buffers there come from pools.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct memory_stats {
	uint64_t blocks;   /* handed out and not yet freed */
	uint64_t bytes;    /* of those blocks, as the allocator rounds them */
	uint64_t failures; /* requests refused since the start */
};

/* n bytes, contents undefined. memory_alloc(0) is one byte. */
void *memory_alloc(size_t n) __attribute__((malloc, warn_unused_result));

/* n zero bytes. */
void *memory_zalloc(size_t n) __attribute__((malloc, warn_unused_result));

/* count * size zero bytes; NULL when the product overflows. */
void *memory_array(size_t count, size_t size) __attribute__((malloc, warn_unused_result));

/* As realloc: on failure NULL, and the old block stays valid. n == 0 is one byte. */
void *memory_realloc(void *block, size_t n) __attribute__((warn_unused_result));

/* A NUL-ended copy of n bytes. */
char *memory_string(const char *text, size_t n) __attribute__((malloc, warn_unused_result));

/* NULL is fine. */
void memory_free(void *block);

/* Overwrites n bytes so that the compiler keeps it; for secrets before memory_free. */
void memory_wipe(void *block, size_t n);

/* Gives free memory back to the system where the allocator can; for when a process has become quiet. */
void memory_trim(void);

void memory_get_stats(struct memory_stats *out);

#endif
