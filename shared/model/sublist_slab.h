/*
 * Memory for many small objects: chunks of 64 KiB per size class, shared by all sublists of the process, so that a node of 50 bytes
 * costs 56 and not 64 or 80, and an emptied chunk goes back to the system.  Also good for owners of subscriptions.  One thread.
 *
 * The caller remembers the size.  Sizes above SUBLIST_SLAB_MAX go to base/memory.h, and so does everything under
 * AddressSanitizer, which then sees each object by itself.
 */
#ifndef MODEL_SUBLIST_SLAB_H
#define MODEL_SUBLIST_SLAB_H

#include <stddef.h>
#include <stdint.h>

#define SUBLIST_SLAB_MAX 4096U

/* At least size bytes, aligned to 8, contents undefined; NULL: no memory. */
void *sublist_slab_alloc(size_t size);

/* The size must be the one asked for.  NULL is fine. */
void sublist_slab_free(void *object, size_t size);

/* As realloc, sizes known; NULL: no memory, the old object stays. */
void *sublist_slab_resize(void *object, size_t old_size, size_t new_size);

/* What an object of this size really takes, bookkeeping apart. */
size_t sublist_slab_round(size_t size);

/* Bytes of chunks held by the process, and of those the idle ones kept for reuse. */
size_t sublist_slab_held(void);
size_t sublist_slab_idle(void);

#endif
