/*
 * Hash maps against a plain array as the model, through growing and shrinking; SipHash-1-3 against known values; no slow key sets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/loop.h"
#include "base/map.h"
#include "base/memory.h"

#define MODEL 20000U

struct entry {
	char key[16];
	size_t n;
	bool in;
};

static struct entry entries[MODEL];

static const void *
entry_key(const void *value, size_t *n)
{
	const struct entry *entry = value;

	*n = entry->n;
	return entry->key;
}

static int
make_entries(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MODEL; i++) {
		int n = snprintf(entries[i].key, sizeof(entries[i].key), "sub.%u", i);

		entries[i].n = i == 0 ? 0 : (size_t)n; /* one empty key */
		entries[i].in = false;
	}
	random_fast_seed(1);
	return 0;
}

static void
check_all(struct map *map)
{
	size_t count = 0;
	size_t at = 0;
	size_t seen = 0;
	struct entry *entry;

	for (uint32_t i = 0; i < MODEL; i++) {
		assert_ptr_equal(map_get(map, entries[i].key, entries[i].n), entries[i].in ? &entries[i] : NULL);
		count += entries[i].in ? 1 : 0;
	}
	assert_int_equal(map_count(map), count);
	while ((entry = map_next(map, &at)) != NULL) {
		assert_true(entry->in);
		seen++;
	}
	assert_int_equal(seen, count);
}

static void
toggle(struct map *map, struct entry *entry)
{
	if (entry->in)
		assert_ptr_equal(map_remove(map, entry->key, entry->n), entry);
	else
		assert_true(map_put(map, entry));
	entry->in = !entry->in;
	assert_ptr_equal(map_get(map, entry->key, entry->n), entry->in ? entry : NULL);
}

static void
test_random_against_model(void **state)
{
	struct map map;

	(void)state;
	map_init(&map, entry_key);
	assert_null(map_get(&map, "x", 1));
	assert_null(map_remove(&map, "x", 1));
	assert_null(map_any(&map));
	for (int round = 0; round < 20; round++) {
		/* The range moves, so that it grows and shrinks. */
		uint32_t range = (round & 3) == 3 ? 10 : 1 + random_fast_below(MODEL);

		for (int i = 0; i < 20000; i++)
			toggle(&map, &entries[random_fast_below(range)]);
		check_all(&map);
	}
	for (struct entry *entry; (entry = map_any(&map)) != NULL;)
		toggle(&map, entry);
	check_all(&map);
	assert_int_equal(map_memory(&map), 0);
	map_free(&map);
}

static void
test_fill_and_empty(void **state)
{
	struct map map;
	size_t full;

	(void)state;
	map_init(&map, entry_key);
	for (uint32_t i = 0; i < MODEL; i++)
		toggle(&map, &entries[i]);
	full = map_memory(&map);
	assert_true(full <= MODEL * 12 * 4);
	check_all(&map);
	for (uint32_t i = 0; i < MODEL - 10; i++)
		toggle(&map, &entries[i]);
	check_all(&map);
	assert_true(map_memory(&map) < full / 100);
	map_free(&map);
}

static void
forget(void *value, void *arg)
{
	struct entry *entry = value;

	entry->in = false;
	(*(size_t *)arg)++;
}

static void
test_clear(void **state)
{
	size_t cleared = 0;
	struct map map;

	(void)state;
	map_init(&map, entry_key);
	for (uint32_t i = 0; i < 1000; i++)
		toggle(&map, &entries[i]);
	map_clear(&map, forget, &cleared);
	assert_int_equal(cleared, 1000);
	assert_int_equal(map_count(&map), 0);
	toggle(&map, &entries[5]);
	check_all(&map);
	map_free(&map);
}

static void
test_numbers(void **state)
{
	struct map map;

	(void)state;
	map_init_u64(&map);
	for (uint64_t i = 0; i < MODEL; i++)
		assert_true(map_put_u64(&map, i << 40, &entries[i]));
	for (uint64_t i = 0; i < MODEL; i++) {
		assert_ptr_equal(map_get_u64(&map, i << 40), &entries[i]);
		assert_null(map_get_u64(&map, (i << 40) + 1));
	}
	for (uint64_t i = 0; i < MODEL; i += 2)
		assert_ptr_equal(map_remove_u64(&map, i << 40), &entries[i]);
	for (uint64_t i = 0; i < MODEL; i++)
		assert_ptr_equal(map_get_u64(&map, i << 40), i % 2 == 0 ? NULL : &entries[i]);
	assert_null(map_remove_u64(&map, 0));
	map_free(&map);
}

/* No put may move more than a few entries: a hundred thousand puts, none of which takes as long as a full move would. */
static void
test_growing_is_spread(void **state)
{
	struct map map;
	size_t slots_before = 0;
	int changes = 0;

	(void)state;
	map_init_u64(&map);
	for (uint64_t i = 0; i < 100000; i++) {
		size_t left = map.old.count;

		assert_true(map_put_u64(&map, i, &entries[0]));
		if (map.old.hashes != NULL && left > 0)
			assert_true(left - map.old.count <= 16);
		changes += map_memory(&map) != slots_before ? 1 : 0;
		slots_before = map_memory(&map);
	}
	assert_true(changes > 10);
	map_free(&map);
}

/* Values of a SipHash written down anew from the paper, which gave its test vector with 2 and 4 rounds. */
static void
test_hash(void **state)
{
	static const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
	uint8_t data[64];
	uint64_t seen[64];

	(void)state;
	for (uint8_t i = 0; i < 64; i++) {
		data[i] = i;
		seen[i] = map_hash_bytes(key, data, i);
		for (uint8_t k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
	}
	assert_true(seen[0] == UINT64_C(0xabac0158050fc4dc));
	assert_true(seen[1] == UINT64_C(0xc9f49bf37d57ca93));
	assert_true(seen[8] == UINT64_C(0x369095118d299a8e));
	assert_true(seen[15] == UINT64_C(0xd320d86d2a519956));
	assert_int_not_equal(map_hash("a", 1), 0);
	assert_int_equal(map_hash("a", 1), map_hash("a", 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random_against_model, make_entries),
		cmocka_unit_test_setup(test_fill_and_empty, make_entries),
		cmocka_unit_test_setup(test_clear, make_entries),
		cmocka_unit_test_setup(test_numbers, make_entries),
		cmocka_unit_test(test_growing_is_spread),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
