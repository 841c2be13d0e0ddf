/*
 * Open addressing with linear probing.  Each table keeps a 32-bit hash per slot (0 = free) apart from the values, so that a search
 * mostly touches one line of hashes.  A change of size makes a second table, and each later call moves a few entries over; they are
 * taken out of the old table by shifting back, so both tables are right at any time.  All new entries go to the new one.
 */
#include "base/map.h"

#include <limits.h>
#include <string.h>

#include "base/check.h"
#include "base/loop.h"
#include "base/memory.h"

#define MAP_MAGIC 0x4d415031U
#define MAP_FIRST 8U         /* slots */
#define MAP_MOVES 16U        /* slots of the old table handled per put */
#define MAP_MOVES_SPARSE 64U /* per removal: there is little in them when a table shrinks */
#define MAP_NONE SIZE_MAX

/* ---- SipHash-1-3 ---- */

#define SIP_ROTATE(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))
#define SIP_ROUND(a, b, c, d) \
	do { \
		a += b; \
		b = SIP_ROTATE(b, 13) ^ a; \
		a = SIP_ROTATE(a, 32); \
		c += d; \
		d = SIP_ROTATE(d, 16) ^ c; \
		a += d; \
		d = SIP_ROTATE(d, 21) ^ a; \
		c += b; \
		b = SIP_ROTATE(b, 17) ^ c; \
		c = SIP_ROTATE(c, 32); \
	} while (0)

/* Up to 8 bytes as a little endian number. */
static uint64_t
map_word(const uint8_t *at, size_t n)
{
	uint64_t word = 0;

	if (n == 8) {
		memcpy(&word, at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		word = __builtin_bswap64(word);
#endif
		return word;
	}
	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)at[i] << (8 * i);
	return word;
}

uint64_t
map_hash_bytes(const uint64_t key[2], const void *data, size_t n)
{
	const uint8_t *at = data;
	uint64_t a = key[0] ^ 0x736f6d6570736575U;
	uint64_t b = key[1] ^ 0x646f72616e646f6dU;
	uint64_t c = key[0] ^ 0x6c7967656e657261U;
	uint64_t d = key[1] ^ 0x7465646279746573U;
	uint64_t word;
	size_t left = n;

	for (; left >= 8; left -= 8, at += 8) {
		word = map_word(at, 8);
		d ^= word;
		SIP_ROUND(a, b, c, d);
		a ^= word;
	}
	word = (left > 0 ? map_word(at, left) : 0) | (uint64_t)n << 56;
	d ^= word;
	SIP_ROUND(a, b, c, d);
	a ^= word;
	c ^= 0xff;
	SIP_ROUND(a, b, c, d);
	SIP_ROUND(a, b, c, d);
	SIP_ROUND(a, b, c, d);
	return a ^ b ^ c ^ d;
}

static uint64_t map_key[2];
static bool map_key_made;

const uint64_t *
map_hash_key(void)
{
	if (__builtin_expect(!map_key_made, 0)) {
		random_bytes(map_key, sizeof(map_key));
		map_key_made = true;
	}
	return map_key;
}

/* A hash for a slot is never 0. */
static uint32_t
map_fold(uint64_t hash)
{
	uint32_t folded = (uint32_t)(hash ^ hash >> 32);

	return folded != 0 ? folded : 1;
}

uint32_t
map_hash(const void *key, size_t n)
{
	return map_fold(map_hash_bytes(map_hash_key(), key, n));
}

static uint32_t
map_hash_number(uint64_t number)
{
	return map_hash(&number, sizeof(number));
}

/* ---- one table ---- */

static size_t
map_slots(const struct map_table *table)
{
	return table->hashes != NULL ? table->mask + 1 : 0;
}

static bool
map_table_create(struct map_table *table, size_t slots, bool numbers)
{
	size_t each = sizeof(void *) + sizeof(uint32_t) + (numbers ? sizeof(uint64_t) : 0);
	uint8_t *block;

	CHECK(slots >= MAP_FIRST && (slots & (slots - 1)) == 0);
	block = memory_array(slots, each);
	if (block == NULL)
		return false;
	table->values = (void **)(void *)block;
	block += slots * sizeof(void *);
	table->numbers = numbers ? (uint64_t *)(void *)block : NULL;
	block += numbers ? slots * sizeof(uint64_t) : 0;
	table->hashes = (uint32_t *)(void *)block;
	table->mask = slots - 1;
	table->count = 0;
	return true;
}

static void
map_table_free(struct map_table *table)
{
	memory_free(table->values);
	memset(table, 0, sizeof(*table));
}

static void
map_table_insert(struct map_table *table, uint32_t hash, uint64_t number, void *value)
{
	size_t at = hash & table->mask;

	CHECK(table->count < table->mask);
	while (table->hashes[at] != 0)
		at = (at + 1) & table->mask;
	table->hashes[at] = hash;
	table->values[at] = value;
	if (table->numbers != NULL)
		table->numbers[at] = number;
	table->count++;
}

/* Empties a slot and moves later entries of the run back, so that every entry stays reachable from its home. */
static void
map_table_remove(struct map_table *table, size_t hole)
{
	size_t at = hole;

	CHECK(table->hashes[hole] != 0 && table->count > 0);
	for (;;) {
		size_t home;

		at = (at + 1) & table->mask;
		if (table->hashes[at] == 0)
			break;
		home = table->hashes[at] & table->mask;
		/* It may move if the hole lies between its home and itself, going round. */
		if (((at - home) & table->mask) < ((at - hole) & table->mask))
			continue;
		table->hashes[hole] = table->hashes[at];
		table->values[hole] = table->values[at];
		if (table->numbers != NULL)
			table->numbers[hole] = table->numbers[at];
		hole = at;
	}
	table->hashes[hole] = 0;
	table->values[hole] = NULL;
	table->count--;
}

static size_t
map_table_find(const struct map_table *table, map_key_function key_of, uint32_t hash, const void *key, size_t n)
{
	size_t at = hash & table->mask;

	if (table->count == 0)
		return MAP_NONE;
	for (; table->hashes[at] != 0; at = (at + 1) & table->mask) {
		const void *other;
		size_t length;

		if (table->hashes[at] != hash)
			continue;
		other = key_of(table->values[at], &length);
		if (length == n && (n == 0 || memcmp(other, key, n) == 0))
			return at;
	}
	return MAP_NONE;
}

static size_t
map_table_find_number(const struct map_table *table, uint32_t hash, uint64_t number)
{
	size_t at = hash & table->mask;

	if (table->count == 0)
		return MAP_NONE;
	for (; table->hashes[at] != 0; at = (at + 1) & table->mask)
		if (table->hashes[at] == hash && table->numbers[at] == number)
			return at;
	return MAP_NONE;
}

/* ---- change of size ---- */

/* Handles up to `slots` slots of the old table; an entry taken out may be followed by another in the same slot. */
static void
map_move(struct map *map, size_t slots)
{
	struct map_table *old = &map->old;

	while (slots-- > 0 && old->count > 0) {
		size_t at = map->cursor;

		CHECK(at <= old->mask);
		if (old->hashes[at] == 0) {
			map->cursor++;
			continue;
		}
		map_table_insert(&map->now, old->hashes[at], old->numbers != NULL ? old->numbers[at] : 0, old->values[at]);
		map_table_remove(old, at);
	}
	if (old->count == 0 && old->hashes != NULL)
		map_table_free(old);
}

/* Starts moving to a table of `slots`. An unfinished earlier move is finished first. False when memory is short. */
static bool
map_resize(struct map *map, size_t slots)
{
	struct map_table fresh = { 0 };

	if (slots < MAP_FIRST || slots > SIZE_MAX / 64)
		return false;
	if (map->old.hashes != NULL)
		map_move(map, SIZE_MAX);
	if (!map_table_create(&fresh, slots, map->key_of == NULL))
		return false;
	map->old = map->now;
	map->now = fresh;
	map->cursor = 0;
	map_move(map, MAP_MOVES);
	return true;
}

static bool
map_make_room(struct map *map)
{
	size_t slots = map_slots(&map->now);
	size_t entries = map->now.count + map->old.count;

	if (map->old.hashes != NULL)
		map_move(map, MAP_MOVES);
	if (slots == 0)
		return map_table_create(&map->now, MAP_FIRST, map->key_of == NULL);
	if (entries < slots / 4 * 3)
		return true;
	if (map_resize(map, slots * 2))
		return true;
	/* Short of memory: go on while the table is not quite full. */
	return entries < slots - slots / 16 - 1;
}

static void
map_give_back(struct map *map)
{
	size_t slots = map_slots(&map->now);

	if (map->old.hashes != NULL)
		map_move(map, MAP_MOVES_SPARSE);
	if (map->old.hashes != NULL)
		return;
	if (map->now.count == 0)
		map_table_free(&map->now);
	else if (slots > MAP_FIRST && map->now.count < slots / 8)
		(void)map_resize(map, slots / 4 >= MAP_FIRST ? slots / 4 : MAP_FIRST);
}

/* ---- doors ---- */

void
map_init(struct map *map, map_key_function key_of)
{
	CHECK(key_of != NULL);
	*map = (struct map){ .magic = MAP_MAGIC, .key_of = key_of };
}

void
map_init_u64(struct map *map)
{
	*map = (struct map){ .magic = MAP_MAGIC };
}

void
map_free(struct map *map)
{
	CHECK_OBJ(map, MAP_MAGIC);
	map_table_free(&map->now);
	map_table_free(&map->old);
	map->cursor = 0;
}

void
map_clear(struct map *map, void (*each)(void *value, void *arg), void *arg)
{
	size_t at = 0;
	void *value;

	CHECK_OBJ(map, MAP_MAGIC);
	while ((value = map_next(map, &at)) != NULL)
		each(value, arg);
	map_free(map);
}

size_t
map_count(const struct map *map)
{
	CHECK_OBJ(map, MAP_MAGIC);
	return map->now.count + map->old.count;
}

size_t
map_memory(const struct map *map)
{
	size_t each = sizeof(void *) + sizeof(uint32_t);

	CHECK_OBJ(map, MAP_MAGIC);
	each += map->key_of == NULL ? sizeof(uint64_t) : 0;
	return (map_slots(&map->now) + map_slots(&map->old)) * each;
}

void *
map_get_hashed(struct map *map, uint32_t hash, const void *key, size_t n)
{
	size_t at;

	CHECK_OBJ(map, MAP_MAGIC);
	CHECK(map->key_of != NULL && (key != NULL || n == 0));
	at = map_table_find(&map->now, map->key_of, hash, key, n);
	if (at != MAP_NONE)
		return map->now.values[at];
	at = map_table_find(&map->old, map->key_of, hash, key, n);
	return at != MAP_NONE ? map->old.values[at] : NULL;
}

void *
map_get(struct map *map, const void *key, size_t n)
{
	return map_get_hashed(map, map_hash(key, n), key, n);
}

void *
map_get_u64(struct map *map, uint64_t key)
{
	uint32_t hash = map_hash_number(key);
	size_t at;

	CHECK_OBJ(map, MAP_MAGIC);
	CHECK(map->key_of == NULL);
	at = map_table_find_number(&map->now, hash, key);
	if (at != MAP_NONE)
		return map->now.values[at];
	at = map_table_find_number(&map->old, hash, key);
	return at != MAP_NONE ? map->old.values[at] : NULL;
}

bool
map_put(struct map *map, void *value)
{
	const void *key;
	size_t n;

	CHECK_OBJ(map, MAP_MAGIC);
	CHECK(map->key_of != NULL && value != NULL);
	if (!map_make_room(map))
		return false;
	key = map->key_of(value, &n);
	map_table_insert(&map->now, map_hash(key, n), 0, value);
	return true;
}

bool
map_put_u64(struct map *map, uint64_t key, void *value)
{
	CHECK_OBJ(map, MAP_MAGIC);
	CHECK(map->key_of == NULL && value != NULL);
	if (!map_make_room(map))
		return false;
	map_table_insert(&map->now, map_hash_number(key), key, value);
	return true;
}

static void *
map_take(struct map *map, struct map_table *table, size_t at)
{
	void *value = table->values[at];

	map_table_remove(table, at);
	map_give_back(map);
	return value;
}

void *
map_remove(struct map *map, const void *key, size_t n)
{
	uint32_t hash = map_hash(key, n);
	size_t at;

	CHECK_OBJ(map, MAP_MAGIC);
	CHECK(map->key_of != NULL && (key != NULL || n == 0));
	at = map_table_find(&map->now, map->key_of, hash, key, n);
	if (at != MAP_NONE)
		return map_take(map, &map->now, at);
	at = map_table_find(&map->old, map->key_of, hash, key, n);
	return at != MAP_NONE ? map_take(map, &map->old, at) : NULL;
}

void *
map_remove_u64(struct map *map, uint64_t key)
{
	uint32_t hash = map_hash_number(key);
	size_t at;

	CHECK_OBJ(map, MAP_MAGIC);
	CHECK(map->key_of == NULL);
	at = map_table_find_number(&map->now, hash, key);
	if (at != MAP_NONE)
		return map_take(map, &map->now, at);
	at = map_table_find_number(&map->old, hash, key);
	return at != MAP_NONE ? map_take(map, &map->old, at) : NULL;
}

void *
map_next(const struct map *map, size_t *at)
{
	size_t now;
	size_t all;

	CHECK_OBJ(map, MAP_MAGIC);
	now = map_slots(&map->now);
	all = now + map_slots(&map->old);
	while (*at < all) {
		size_t slot = (*at)++;
		const struct map_table *table = slot < now ? &map->now : &map->old;

		slot -= slot < now ? 0 : now;
		if (table->hashes[slot] != 0)
			return table->values[slot];
	}
	return NULL;
}

/* Where entries are dense: behind the cursor of an old table, else from a random slot (at least about 1/8 of all are in use). */
void *
map_any(const struct map *map)
{
	const struct map_table *table;
	size_t at;

	CHECK_OBJ(map, MAP_MAGIC);
	table = map->old.count > 0 ? &map->old : &map->now;
	at = map->cursor;
	if (table->count == 0)
		return NULL;
	if (table == &map->now)
		at = random_fast();
	while (table->hashes[at & table->mask] == 0)
		at++;
	return table->values[at & table->mask];
}
