/*
 * Changes of the sublist's hash table, see sublist_table.h.  A change of size makes the new slots and then moves a few entries with
 * each insert or remove; look-ups ask both meanwhile.
 */
#include "model/sublist_table.h"

#include "base/memory.h"

#define SLOTS_MIN 16U
#define SLOTS_MAX (1U << 30)
#define MOVES 8U /* per change: enough to finish long before the next change of size */

static uint32_t
slots_limit(const struct sublist_slots *in)
{
	return in->slots == NULL ? 0 : (uint32_t)(((uint64_t)in->mask + 1) * 7 / 8);
}

static bool
slots_create(struct sublist_slots *in, uint32_t size)
{
	CHECK(size >= SLOTS_MIN && (size & (size - 1)) == 0);
	in->slots = memory_array(size, sizeof(in->slots[0]));
	in->mask = size - 1;
	in->count = 0;
	return in->slots != NULL;
}

static void
slots_free(struct sublist_slots *in)
{
	memory_free(in->slots);
	in->slots = NULL;
	in->mask = in->count = 0;
}

static uint64_t
slot_make(const void *object)
{
	uint64_t address = (uint64_t)(uintptr_t)object;
	uint64_t hash = *(const uint32_t *)object;

	CHECK((address & 7) == 0 && address >> 3 != 0 && address >> 3 < (uint64_t)1 << TABLE_ADDRESS_BITS);
	return address >> 3 | (hash >> 20) << TABLE_TAG_SHIFT;
}

static uint32_t
slot_distance(uint64_t slot)
{
	return (uint32_t)(slot >> TABLE_DISTANCE_SHIFT) & TABLE_DISTANCE_MAX;
}

/* Where Robin Hood would place it: false when somebody would sit too far from home. */
static bool
slots_can_insert(const struct sublist_slots *in, uint32_t home)
{
	uint32_t distance = 0;

	if (in->count >= in->mask)
		return false;
	for (uint32_t at = home;; at++, distance++) {
		uint64_t slot = in->slots[at & in->mask];

		if (distance > TABLE_DISTANCE_MAX)
			return false;
		if (slot == 0)
			return true;
		if (slot_distance(slot) < distance)
			distance = slot_distance(slot);
	}
}

static bool
slots_insert(struct sublist_slots *in, void *object)
{
	uint32_t at = *(const uint32_t *)object;
	uint64_t carried = slot_make(object);

	if (!slots_can_insert(in, at))
		return false;
	for (;; at++, carried += TABLE_DISTANCE_ONE) {
		uint64_t *slot = &in->slots[at & in->mask];

		if (*slot == 0) {
			*slot = carried;
			in->count++;
			return true;
		}
		if (slot_distance(*slot) < slot_distance(carried)) {
			uint64_t other = *slot;

			*slot = carried;
			carried = other;
		}
	}
}

/* Empties the slot; those behind it that are not at home move one back. */
static void
slots_remove_at(struct sublist_slots *in, uint32_t at)
{
	CHECK(in->count > 0);
	for (;;) {
		uint64_t next = in->slots[(at + 1) & in->mask];

		if (slot_distance(next) == 0)
			break;
		in->slots[at & in->mask] = next - TABLE_DISTANCE_ONE;
		at++;
	}
	in->slots[at & in->mask] = 0;
	in->count--;
}

static bool
slots_remove(struct sublist_slots *in, const void *object)
{
	uint32_t home = *(const uint32_t *)object;

	if (in->slots == NULL)
		return false;
	for (uint32_t distance = 0; distance <= in->mask; distance++) {
		uint64_t slot = in->slots[(home + distance) & in->mask];

		if (slot == 0 || slot_distance(slot) < distance)
			return false;
		if (sublist_table_object(slot) == object) {
			slots_remove_at(in, home + distance);
			return true;
		}
	}
	return false;
}

/* Moves up to "moves" entries from old to now. */
static void
table_move(struct sublist_table *table, uint32_t moves)
{
	struct sublist_slots *old = &table->old;

	if (old->slots == NULL)
		return;
	while (old->count > 0 && moves-- > 0) {
		uint32_t skipped = 0;
		uint64_t slot;

		while ((slot = old->slots[table->cursor & old->mask]) == 0) {
			table->cursor++;
			if (++skipped > 64)
				return;
		}
		__builtin_prefetch(sublist_table_object(old->slots[(table->cursor + 4) & old->mask]));
		if (!slots_insert(&table->now, sublist_table_object(slot)))
			return;
		slots_remove_at(old, table->cursor & old->mask);
	}
	if (old->count == 0)
		slots_free(old);
}

/* Starts a change of size; one that is under way must end first. */
static bool
table_resize(struct sublist_table *table, uint32_t size)
{
	struct sublist_slots fresh;

	while (table->old.slots != NULL) {
		uint32_t before = table->old.count;
		uint32_t cursor = table->cursor;

		table_move(table, table->old.mask + 1);
		if (table->old.slots != NULL && table->old.count == before && table->cursor == cursor)
			return false;
	}
	if (!slots_create(&fresh, size))
		return false;
	table->old = table->now;
	table->now = fresh;
	table->cursor = 0;
	if (table->old.slots != NULL && table->old.count == 0)
		slots_free(&table->old);
	return true;
}

static bool
table_grow(struct sublist_table *table)
{
	uint64_t size = table->now.slots == NULL ? SLOTS_MIN : ((uint64_t)table->now.mask + 1) * 2;

	return size <= SLOTS_MAX && table_resize(table, (uint32_t)size);
}

bool
sublist_table_insert(struct sublist_table *table, void *object)
{
	table_move(table, MOVES);
	/* The check for room counts those still in old: they come too. */
	if (sublist_table_count(table) >= slots_limit(&table->now) && !table_grow(table) &&
	    table->now.count >= slots_limit(&table->now))
		return false;
	/* Too long a run of neighbours: with a keyed hash, only chance makes one; more room ends it. */
	while (!slots_insert(&table->now, object))
		if (!table_grow(table))
			return false;
	return true;
}

void
sublist_table_remove_still(struct sublist_table *table, void *object)
{
	bool found = slots_remove(&table->now, object) || slots_remove(&table->old, object);

	CHECK(found);
}

void
sublist_table_settle(struct sublist_table *table)
{
	uint32_t count = sublist_table_count(table);

	if (count == 0) {
		sublist_table_free(table);
	} else if (table->old.slots == NULL && table->now.mask >= 2 * SLOTS_MIN && count < (table->now.mask + 1) / 8) {
		(void)table_resize(table, (table->now.mask + 1) / 2);
	} else {
		table_move(table, MOVES);
	}
}

void
sublist_table_remove(struct sublist_table *table, void *object)
{
	sublist_table_remove_still(table, object);
	sublist_table_settle(table);
}

void
sublist_table_free(struct sublist_table *table)
{
	slots_free(&table->now);
	slots_free(&table->old);
	table->cursor = 0;
}

size_t
sublist_table_bytes(const struct sublist_table *table)
{
	size_t bytes = 0;

	if (table->now.slots != NULL)
		bytes += ((size_t)table->now.mask + 1) * sizeof(table->now.slots[0]);
	if (table->old.slots != NULL)
		bytes += ((size_t)table->old.mask + 1) * sizeof(table->old.slots[0]);
	return bytes;
}

void *
sublist_table_walk(const struct sublist_table *table, struct sublist_walk *walk)
{
	for (;;) {
		const struct sublist_slots *in = walk->old ? &table->old : &table->now;

		while (in->slots != NULL && walk->at <= in->mask) {
			uint64_t slot = in->slots[walk->at++];

			if (slot != 0)
				return sublist_table_object(slot);
		}
		if (walk->old)
			return NULL;
		walk->old = true;
		walk->at = 0;
	}
}
