/*
 * Bump allocation out of blocks that double in size; all memory is freed with the arena.  See arena.h.
 */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

#define ARENA_MAGIC 0x4152454eU
#define ARENA_ALIGN 16U
#define ARENA_FIRST 1024U /* bytes of the first block, header included */
#define ARENA_BLOCK_MAX (256U << 10)

struct arena_block {
	struct arena_block *next;
	size_t size; /* of data */
	uint8_t data[] __attribute__((aligned(16)));
};

struct arena {
	uint32_t magic;
	bool failed;
	size_t max;
	size_t total;
	size_t used; /* of the current block */
	struct arena_block *first;
	struct arena_block *current;
};

struct arena *
arena_create(size_t max_bytes)
{
	struct arena *arena = memory_zalloc(sizeof(*arena));

	if (arena == NULL)
		return NULL;
	arena->magic = ARENA_MAGIC;
	arena->max = max_bytes;
	arena->total = sizeof(*arena);
	return arena;
}

/* A new current block with room for n bytes. */
static bool
arena_grow(struct arena *arena, size_t n)
{
	size_t want = arena->current == NULL ? ARENA_FIRST : (arena->current->size + sizeof(struct arena_block)) * 2;
	struct arena_block *block;
	size_t least;

	if (want > ARENA_BLOCK_MAX)
		want = ARENA_BLOCK_MAX;
	if (__builtin_add_overflow(n, sizeof(*block), &least) || arena->total > arena->max || least > arena->max - arena->total)
		return false;
	if (want < least)
		want = least;
	if (want > arena->max - arena->total)
		want = arena->max - arena->total;
	block = memory_alloc(want);
	if (block == NULL)
		return false;
	block->next = NULL;
	block->size = want - sizeof(*block);
	if (arena->current != NULL)
		arena->current->next = block;
	else
		arena->first = block;
	arena->current = block;
	arena->used = 0;
	arena->total += want;
	return true;
}

void *
arena_alloc(struct arena *arena, size_t n)
{
	size_t rounded;
	void *out;

	CHECK_OBJ(arena, ARENA_MAGIC);
	if (n == 0)
		n = 1;
	if (__builtin_add_overflow(n, ARENA_ALIGN - 1, &rounded)) {
		arena->failed = true;
		return NULL;
	}
	rounded &= ~(size_t)(ARENA_ALIGN - 1);
	if (arena->current == NULL || rounded > arena->current->size - arena->used)
		if (!arena_grow(arena, rounded)) {
			arena->failed = true;
			return NULL;
		}
	CHECK(arena->used + rounded <= arena->current->size);
	out = arena->current->data + arena->used;
	arena->used += rounded;
	return memset(out, 0, n);
}

void *
arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t total;

	CHECK_OBJ(arena, ARENA_MAGIC);
	if (__builtin_mul_overflow(count, size, &total)) {
		arena->failed = true;
		return NULL;
	}
	return arena_alloc(arena, total);
}

char *
arena_strdup(struct arena *arena, const char *text, size_t n)
{
	char *copy;

	CHECK(text != NULL || n == 0);
	CHECK(n < SIZE_MAX);
	copy = arena_alloc(arena, n + 1);
	if (copy != NULL && n > 0)
		memcpy(copy, text, n);
	return copy;
}

bool
arena_failed(const struct arena *arena)
{
	CHECK_OBJ(arena, ARENA_MAGIC);
	return arena->failed;
}

size_t
arena_size(const struct arena *arena)
{
	CHECK_OBJ(arena, ARENA_MAGIC);
	return arena->total;
}

static void
arena_free_blocks(struct arena *arena, struct arena_block *block)
{
	while (block != NULL) {
		struct arena_block *next = block->next;
		size_t bytes = block->size + sizeof(*block);

		CHECK(arena->total >= bytes);
		arena->total -= bytes;
		memory_free(block);
		block = next;
	}
}

void
arena_reset(struct arena *arena)
{
	CHECK_OBJ(arena, ARENA_MAGIC);
	if (arena->first != NULL) {
		arena_free_blocks(arena, arena->first->next);
		arena->first->next = NULL;
	}
	arena->current = arena->first;
	arena->used = 0;
	arena->failed = false;
}

void
arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	CHECK_OBJ(arena, ARENA_MAGIC);
	arena_free_blocks(arena, arena->first);
	CHECK(arena->total == sizeof(*arena));
	arena->magic = 0;
	memory_free(arena);
}
