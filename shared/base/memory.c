/*
 * The only door to malloc: counts what is out and what was refused.  A process is single threaded here, but a second thread of
 * storaged may allocate, so the counters are relaxed atomics.
 */
#include "base/memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static atomic_uint_fast64_t memory_blocks;
static atomic_uint_fast64_t memory_bytes;
static atomic_uint_fast64_t memory_failures;

static void *
memory_count(void *block)
{
	if (block == NULL) {
		atomic_fetch_add_explicit(&memory_failures, 1, memory_order_relaxed);
		return NULL;
	}
	atomic_fetch_add_explicit(&memory_blocks, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&memory_bytes, malloc_usable_size(block), memory_order_relaxed);
	return block;
}

static void
memory_uncount(size_t bytes)
{
	uint64_t before = atomic_fetch_sub_explicit(&memory_bytes, bytes, memory_order_relaxed);

	CHECK(before >= bytes);
	CHECK(atomic_fetch_sub_explicit(&memory_blocks, 1, memory_order_relaxed) > 0);
}

void *
memory_alloc(size_t n)
{
	return memory_count(malloc(n > 0 ? n : 1));
}

void *
memory_zalloc(size_t n)
{
	return memory_count(calloc(1, n > 0 ? n : 1));
}

void *
memory_array(size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return memory_count(NULL);
	return memory_zalloc(total);
}

void *
memory_realloc(void *block, size_t n)
{
	size_t before;
	void *grown;

	if (block == NULL)
		return memory_alloc(n);
	before = malloc_usable_size(block);
	grown = realloc(block, n > 0 ? n : 1);
	if (grown == NULL)
		return memory_count(NULL);
	memory_uncount(before);
	return memory_count(grown);
}

char *
memory_string(const char *text, size_t n)
{
	char *copy;

	CHECK(text != NULL || n == 0);
	if (n == SIZE_MAX)
		return memory_count(NULL);
	copy = memory_alloc(n + 1);
	if (copy == NULL)
		return NULL;
	if (n > 0)
		memcpy(copy, text, n);
	copy[n] = '\0';
	return copy;
}

void
memory_free(void *block)
{
	if (block == NULL)
		return;
	memory_uncount(malloc_usable_size(block));
	free(block);
}

void
memory_wipe(void *block, size_t n)
{
	if (n == 0)
		return;
	CHECK(block != NULL);
	explicit_bzero(block, n);
}

void
memory_get_stats(struct memory_stats *out)
{
	out->blocks = atomic_load_explicit(&memory_blocks, memory_order_relaxed);
	out->bytes = atomic_load_explicit(&memory_bytes, memory_order_relaxed);
	out->failures = atomic_load_explicit(&memory_failures, memory_order_relaxed);
}

void
memory_trim(void)
{
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}
