/*
 * The hash table inside a sublist: Robin Hood hashing with 8 byte slots.  A slot packs the object's address (8 aligned, below
 * 2^47), how far it sits from its home, and 12 bits of its hash; so a miss reads no object, a removal shifts back without reading
 * any either, and a million entries cost 9 to 18 MB.  Growth and shrinking are spread over the following changes.
 *
 * base/map.h is the general map (12 byte slots, keys through a callback); this one is for the message path, where the comparison
 * is compiled in and the hash is at hand.  Every object begins with its uint32_t hash (keyed by the caller).  Owns its slots only.
 */
#ifndef MODEL_SUBLIST_TABLE_H
#define MODEL_SUBLIST_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define TABLE_ADDRESS_BITS 44
#define TABLE_DISTANCE_SHIFT 44
#define TABLE_DISTANCE_MAX 255U
#define TABLE_DISTANCE_ONE ((uint64_t)1 << TABLE_DISTANCE_SHIFT)
#define TABLE_TAG_SHIFT 52

struct sublist_slots {
	uint64_t *slots; /* NULL: none */
	uint32_t mask;
	uint32_t count;
};

struct sublist_table {
	struct sublist_slots now;
	struct sublist_slots old; /* being emptied into now */
	uint32_t cursor;          /* slots of old below it are empty */
};

/* Equality of an object (whose hash is equal) and the key sought. */
typedef bool (*sublist_table_same)(const void *object, const void *key);

/* false: no memory, nothing changed.  The object must not be in it. */
bool sublist_table_insert(struct sublist_table *table, void *object);

/* The object must be in it. */
void sublist_table_remove(struct sublist_table *table, void *object);

/* The same, but no slot moves from old to now and none is given up: for walks that remove (see sublist_table_walk). */
void sublist_table_remove_still(struct sublist_table *table, void *object);

/* Frees the slots, not the objects. */
void sublist_table_free(struct sublist_table *table);

size_t sublist_table_bytes(const struct sublist_table *table);

static inline uint32_t
sublist_table_count(const struct sublist_table *table)
{
	return table->now.count + table->old.count;
}

static inline void *
sublist_table_object(uint64_t slot)
{
	return (void *)(uintptr_t)((slot & (((uint64_t)1 << TABLE_ADDRESS_BITS) - 1)) << 3);
}

static inline __attribute__((always_inline)) void *
sublist_slots_find(const struct sublist_slots *in, uint32_t hash, sublist_table_same same, const void *key)
{
	uint64_t tag = hash >> 20;

	for (uint32_t distance = 0;; distance++) {
		uint64_t slot = in->slots[(hash + distance) & in->mask];

		if (slot == 0 || ((slot >> TABLE_DISTANCE_SHIFT) & TABLE_DISTANCE_MAX) < distance)
			return NULL;
		if (slot >> TABLE_TAG_SHIFT == tag) {
			const void *object = sublist_table_object(slot);

			if (*(const uint32_t *)object == hash && same(object, key))
				return sublist_table_object(slot);
		}
	}
}

/* The object with this hash that is the same as key, or NULL. */
static inline __attribute__((always_inline)) void *
sublist_table_find(const struct sublist_table *table, uint32_t hash, sublist_table_same same, const void *key)
{
	void *object = NULL;

	if (table->now.slots != NULL)
		object = sublist_slots_find(&table->now, hash, same, key);
	if (object == NULL && __builtin_expect(table->old.slots != NULL, 0))
		object = sublist_slots_find(&table->old, hash, same, key);
	return object;
}

/*
 * Walks over all objects in no order: struct sublist_walk walk = { 0 }; while ((object = sublist_table_walk(table, &walk)) !=
 * NULL). The last object may be taken out by sublist_table_remove_still() if walk.at is then set back by one; no other change.
 */
struct sublist_walk {
	uint64_t at;
	bool old;
};

void *sublist_table_walk(const struct sublist_table *table, struct sublist_walk *walk);

/* After a walk with removals: give up slots no longer needed. */
void sublist_table_settle(struct sublist_table *table);

#endif
