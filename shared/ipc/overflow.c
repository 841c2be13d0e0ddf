/*
 * Overflow queue: a list of blocks, each a row of (sequence, size, record).  See overflow.h.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/memory.h"
#include "ipc/overflow.h"

#define OVERFLOW_BLOCK ((size_t)64 << 10)

struct overflow_entry {
	uint64_t sequence;
	uint64_t total;
};

struct overflow_block {
	struct overflow_block *next;
	size_t size, written, read;
	uint8_t data[] __attribute__((aligned(16)));
};

static bool
overflow_grow(struct overflow *queue, size_t need)
{
	size_t size = need > OVERFLOW_BLOCK ? need : OVERFLOW_BLOCK;
	struct overflow_block *block;
	size_t all;

	if (size == OVERFLOW_BLOCK && queue->spare != NULL) {
		block = queue->spare;
		queue->spare = NULL;
	} else if (!bytes_add(sizeof(*block), size, &all) || (block = memory_alloc(all)) == NULL) {
		return false;
	}
	block->next = NULL;
	block->size = size;
	block->written = block->read = 0;
	if (queue->last == NULL)
		queue->first = block;
	else
		queue->last->next = block;
	queue->last = block;
	return true;
}

/* The first block is used up. */
static void
overflow_drop(struct overflow *queue)
{
	struct overflow_block *block = queue->first;

	queue->first = block->next;
	if (block->size == OVERFLOW_BLOCK && queue->spare == NULL)
		queue->spare = block;
	else
		memory_free(block);
}

bool
overflow_reserve(struct overflow *queue, size_t total, size_t count)
{
	const struct overflow_block *last = queue->last;
	size_t heads, need;

	if (!bytes_mul(count, sizeof(struct overflow_entry), &heads) || !bytes_add(total, heads, &need))
		return false;
	if (last != NULL && last->size - last->written >= need)
		return true;
	return overflow_grow(queue, need);
}

uint8_t *
overflow_put(struct overflow *queue, uint64_t sequence, size_t total)
{
	struct overflow_entry entry = { .sequence = sequence, .total = total };
	struct overflow_block *block;
	uint8_t *at;

	CHECK(total % 8 == 0);
	if (!overflow_reserve(queue, total, 1))
		return NULL;
	block = queue->last;
	at = block->data + block->written;
	memcpy(at, &entry, sizeof(entry));
	block->written += sizeof(entry) + total;
	CHECK(block->written <= block->size);
	queue->bytes += total;
	return at + sizeof(entry);
}

const uint8_t *
overflow_first(const struct overflow *queue, size_t *total, uint64_t *sequence)
{
	const struct overflow_block *block = queue->first;
	struct overflow_entry entry;

	if (queue->bytes == 0)
		return NULL;
	/* A reserved block may follow one that is used up. */
	while (block->read == block->written)
		block = block->next;
	memcpy(&entry, block->data + block->read, sizeof(entry));
	*total = (size_t)entry.total;
	*sequence = entry.sequence;
	return block->data + block->read + sizeof(entry);
}

void
overflow_pop(struct overflow *queue)
{
	struct overflow_block *block;
	struct overflow_entry entry;

	CHECK(queue->bytes > 0);
	for (block = queue->first; block->read == block->written; block = queue->first) {
		overflow_drop(queue);
		CHECK(queue->first != NULL);
	}
	memcpy(&entry, block->data + block->read, sizeof(entry));
	block->read += sizeof(entry) + (size_t)entry.total;
	CHECK(block->read <= block->written);
	CHECK(entry.total <= queue->bytes);
	queue->bytes -= (size_t)entry.total;
	if (queue->bytes == 0)
		overflow_clear(queue);
}

void
overflow_clear(struct overflow *queue)
{
	while (queue->first != NULL)
		overflow_drop(queue);
	queue->last = NULL;
	queue->bytes = 0;
}

void
overflow_trim(struct overflow *queue)
{
	memory_free(queue->spare);
	queue->spare = NULL;
}
