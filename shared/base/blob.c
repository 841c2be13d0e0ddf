/*
 * Buffers shared by reference, see blob.h. Size classes are powers of two from 512 bytes to 2 MiB;
 * larger blobs come from the allocator and go back to it at once.
 */
#include "base/blob.h"

#include "base/check.h"
#include "base/memory.h"

enum {
	BLOB_CLASS_FIRST = 9, /* 512 bytes */
	BLOB_CLASS_LAST = 21, /* 2 MiB */
	BLOB_CLASS_NONE = 255
};

#define BLOB_IDLE_MAX ((size_t)16 << 20) /* the free lists never keep more than this */
#define BLOB_SIZE_MAX ((size_t)1 << 30)

struct blob_free {
	struct blob_free *next;
};

static struct blob_free *blob_lists[BLOB_CLASS_LAST + 1];
static size_t blob_idle;
static size_t blob_used;

static unsigned
blob_class_of(size_t size)
{
	unsigned class = BLOB_CLASS_FIRST;

	if (size > (size_t)1 << BLOB_CLASS_FIRST)
		class = 64U - (unsigned)__builtin_clzll(size - 1);
	return class;
}

struct blob *
blob_create(size_t size)
{
	struct blob *blob;
	unsigned class;
	size_t bytes;

	if (size > BLOB_SIZE_MAX - sizeof(*blob))
		return NULL;
	bytes = size + sizeof(*blob);
	class = blob_class_of(bytes);
	if (class <= BLOB_CLASS_LAST) {
		bytes = (size_t)1 << class;
		if (blob_lists[class] != NULL) {
			blob = (void *)blob_lists[class];
			blob_lists[class] = blob_lists[class]->next;
			CHECK(blob_idle >= bytes);
			blob_idle -= bytes;
		} else
			blob = memory_alloc(bytes);
	} else {
		class = BLOB_CLASS_NONE;
		blob = memory_alloc(bytes);
	}
	if (blob == NULL)
		return NULL;
	blob->references = 1;
	blob->capacity = (uint32_t)(bytes - sizeof(*blob));
	blob->size_class = (uint8_t) class;
	blob_used += bytes;
	CHECK(blob->capacity >= size);
	return blob;
}

struct blob *
blob_hold(struct blob *blob)
{
	CHECK(blob->references > 0);
	CHECK(blob->references < UINT32_MAX);
	blob->references++;
	return blob;
}

void
blob_release(struct blob *blob)
{
	struct blob_free *free_blob;
	size_t bytes;
	unsigned class;

	if (blob == NULL)
		return;
	CHECK(blob->references > 0);
	if (--blob->references > 0)
		return;
	bytes = blob->capacity + sizeof(*blob);
	class = blob->size_class;
	CHECK(blob_used >= bytes);
	blob_used -= bytes;
	if (class == BLOB_CLASS_NONE || blob_idle + bytes > BLOB_IDLE_MAX) {
		memory_free(blob);
		return;
	}
	CHECK(class <= BLOB_CLASS_LAST);
	free_blob = (void *)blob;
	free_blob->next = blob_lists[class];
	blob_lists[class] = free_blob;
	blob_idle += bytes;
}

void
blob_trim(size_t keep)
{
	struct blob_free *free_blob;
	unsigned class;

	for (class = BLOB_CLASS_LAST; class >= BLOB_CLASS_FIRST && blob_idle > keep; class --)
		while ((free_blob = blob_lists[class]) != NULL && blob_idle > keep) {
			blob_lists[class] = free_blob->next;
			blob_idle -= (size_t)1 << class;
			memory_free(free_blob);
		}
}

size_t
blob_idle_bytes(void)
{
	return blob_idle;
}

size_t
blob_used_bytes(void)
{
	return blob_used;
}
