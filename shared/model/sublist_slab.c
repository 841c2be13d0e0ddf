/*
 * Size classes and chunks, see sublist_slab.h.  A chunk is aligned to its size, so the chunk of an object is found by masking its
 * address.  Chunks with room hang in a list per class; full ones in none; a few empty ones are kept for any class.
 */
#include "model/sublist_slab.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_DIRECT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_DIRECT 1
#endif
#endif
#ifndef SLAB_DIRECT
#define SLAB_DIRECT 0
#endif

#define CHUNK_SIZE ((size_t)65536)
#define CHUNK_MAGIC 0x51ab51abU
#define CHUNKS_SPARE 8
#define CLASSES 56 /* 32 steps of 8, 12 of 64, 12 of 256 */

struct chunk {
	uint32_t magic;
	uint32_t object_size;
	uint32_t used;
	uint32_t fresh;     /* offset of the part never handed out */
	void *free;         /* list through the first word of each free object */
	struct chunk *next; /* chunks of the class with room, or spare ones */
	struct chunk *previous;
};

struct slab {
	struct chunk *roomy[CLASSES];
	struct chunk *spare;
	size_t spares;
	size_t chunks;
};

static struct slab slab;

static unsigned
class_of(size_t size)
{
	if (size <= 256)
		return size == 0 ? 0 : (unsigned)((size - 1) / 8);
	if (size <= 1024)
		return 32 + (unsigned)((size - 257) / 64);
	return 44 + (unsigned)((size - 1025) / 256);
}

static size_t
class_size(unsigned class)
{
	if (class < 32)
		return ((size_t) class + 1) * 8;
	if (class < 44)
		return 256 + ((size_t) class - 31) * 64;
	return 1024 + ((size_t) class - 43) * 256;
}

static struct chunk *
chunk_of(void *object)
{
	return (struct chunk *)(void *)((char *)object - ((uintptr_t)object & (CHUNK_SIZE - 1)));
}

/* The kernel mostly places one chunk right below the last one, so the first try is aligned; else cut one out of two. */
static struct chunk *
chunk_map(void)
{
	char *base = mmap(NULL, CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (base == MAP_FAILED)
		return NULL;
	if (((uintptr_t)base & (CHUNK_SIZE - 1)) == 0)
		return (struct chunk *)(void *)base;
	CHECK(munmap(base, CHUNK_SIZE) == 0);
	base = mmap(NULL, 2 * CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	before = (CHUNK_SIZE - ((uintptr_t)base & (CHUNK_SIZE - 1))) & (CHUNK_SIZE - 1);
	if (before > 0)
		CHECK(munmap(base, before) == 0);
	CHECK(munmap(base + before + CHUNK_SIZE, CHUNK_SIZE - before) == 0);
	return (struct chunk *)(void *)(base + before);
}

static void
roomy_add(unsigned class, struct chunk *chunk)
{
	chunk->previous = NULL;
	chunk->next = slab.roomy[class];
	if (chunk->next != NULL)
		chunk->next->previous = chunk;
	slab.roomy[class] = chunk;
}

static void
roomy_remove(unsigned class, struct chunk *chunk)
{
	if (chunk->previous != NULL)
		chunk->previous->next = chunk->next;
	else
		slab.roomy[class] = chunk->next;
	if (chunk->next != NULL)
		chunk->next->previous = chunk->previous;
	chunk->next = chunk->previous = NULL;
}

static struct chunk *
chunk_get(unsigned class)
{
	struct chunk *chunk = slab.spare;

	if (chunk != NULL) {
		CHECK(slab.spares > 0);
		slab.spare = chunk->next;
		slab.spares--;
	} else {
		chunk = chunk_map();
		if (chunk == NULL)
			return NULL;
		slab.chunks++;
	}
	chunk->magic = CHUNK_MAGIC;
	chunk->object_size = (uint32_t)class_size(class);
	chunk->used = 0;
	chunk->fresh = sizeof(struct chunk);
	chunk->free = NULL;
	roomy_add(class, chunk);
	return chunk;
}

static void
chunk_give_back(unsigned class, struct chunk *chunk)
{
	roomy_remove(class, chunk);
	if (slab.spares < CHUNKS_SPARE) {
		chunk->next = slab.spare;
		slab.spare = chunk;
		slab.spares++;
		return;
	}
	CHECK(slab.chunks > 0);
	slab.chunks--;
	chunk->magic = 0;
	CHECK(munmap(chunk, CHUNK_SIZE) == 0);
}

static bool
chunk_full(const struct chunk *chunk)
{
	return chunk->free == NULL && chunk->fresh + chunk->object_size > CHUNK_SIZE;
}

void *
sublist_slab_alloc(size_t size)
{
	unsigned class = class_of(size);
	struct chunk *chunk;
	void *object;

	if (SLAB_DIRECT || size > SUBLIST_SLAB_MAX)
		return memory_alloc(size);
	CHECK(class < CLASSES);
	chunk = slab.roomy[class];
	if (chunk == NULL && (chunk = chunk_get(class)) == NULL)
		return NULL;
	CHECK_OBJ(chunk, CHUNK_MAGIC);
	object = chunk->free;
	if (object != NULL) {
		memcpy(&chunk->free, object, sizeof(chunk->free));
	} else {
		object = (char *)chunk + chunk->fresh;
		chunk->fresh += chunk->object_size;
		CHECK(chunk->fresh <= CHUNK_SIZE);
	}
	chunk->used++;
	if (chunk_full(chunk))
		roomy_remove(class, chunk);
	return object;
}

void
sublist_slab_free(void *object, size_t size)
{
	unsigned class = class_of(size);
	struct chunk *chunk;
	bool full;

	if (object == NULL)
		return;
	if (SLAB_DIRECT || size > SUBLIST_SLAB_MAX) {
		memory_free(object);
		return;
	}
	CHECK(class < CLASSES);
	chunk = chunk_of(object);
	CHECK_OBJ(chunk, CHUNK_MAGIC);
	CHECK(chunk->object_size == class_size(class));
	CHECK(chunk->used > 0);
	full = chunk_full(chunk);
	memcpy(object, &chunk->free, sizeof(chunk->free));
	chunk->free = object;
	chunk->used--;
	if (full)
		roomy_add(class, chunk);
	if (chunk->used == 0)
		chunk_give_back(class, chunk);
}

void *
sublist_slab_resize(void *object, size_t old_size, size_t new_size)
{
	void *fresh;

	if (object != NULL && (SLAB_DIRECT || (old_size > SUBLIST_SLAB_MAX && new_size > SUBLIST_SLAB_MAX)))
		return memory_realloc(object, new_size);
	fresh = sublist_slab_alloc(new_size);
	if (fresh == NULL)
		return NULL;
	if (object != NULL) {
		memcpy(fresh, object, old_size < new_size ? old_size : new_size);
		sublist_slab_free(object, old_size);
	}
	return fresh;
}

size_t
sublist_slab_round(size_t size)
{
	return size > SUBLIST_SLAB_MAX ? size : class_size(class_of(size));
}

size_t
sublist_slab_held(void)
{
	return slab.chunks * CHUNK_SIZE;
}

size_t
sublist_slab_idle(void)
{
	return slab.spares * CHUNK_SIZE;
}
