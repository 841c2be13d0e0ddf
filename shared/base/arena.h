/*
 * Memory that is freed all at once: for parsing and for building answers, where the parts have one lifetime.
 * An arena has a ceiling; beyond it, or when memory is short, allocation returns NULL and the arena remembers it.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* An empty arena that will never hold more than max_bytes (its own bookkeeping included); NULL when memory is short. */
struct arena *arena_create(size_t max_bytes);

/* n zero bytes aligned to 16, valid until arena_free; NULL at the ceiling or when memory is short. n == 0 is 16 bytes. */
void *arena_alloc(struct arena *arena, size_t n);

/* count * size zero bytes; NULL also when the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* A NUL-ended copy of n bytes. */
char *arena_strdup(struct arena *arena, const char *text, size_t n);

/* True once any allocation was refused. */
bool arena_failed(const struct arena *arena);

/* Bytes taken from the allocator. */
size_t arena_size(const struct arena *arena);

/* Forgets all contents but keeps the first block for reuse. */
void arena_reset(struct arena *arena);

/* NULL is fine. */
void arena_free(struct arena *arena);

#endif
