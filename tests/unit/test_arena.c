/*
 * Arenas: aligned zero memory, a ceiling that holds, everything given back at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/memory.h"

static uint64_t
blocks(void)
{
	struct memory_stats now;

	memory_get_stats(&now);
	return now.blocks;
}

static void
test_blocks(void **state)
{
	uint64_t before = blocks();
	struct arena *arena = arena_create(1 << 20);
	uint8_t *all[500];

	(void)state;
	assert_non_null(arena);
	for (size_t i = 0; i < 500; i++) {
		all[i] = arena_alloc(arena, i);
		assert_non_null(all[i]);
		assert_int_equal((uintptr_t)all[i] % 16, 0);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(all[i][k], 0);
		memset(all[i], (int)(i & 0xff), i);
	}
	for (size_t i = 0; i < 500; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_equal(all[i][k], i & 0xff);
	assert_string_equal(arena_strdup(arena, "subject.more", 7), "subject");
	assert_false(arena_failed(arena));
	arena_free(arena);
	arena_free(NULL);
	assert_int_equal(blocks(), before);
}

static void
test_ceiling(void **state)
{
	struct arena *arena = arena_create(10000);
	size_t got = 0;

	(void)state;
	while (arena_alloc(arena, 64) != NULL)
		got += 64;
	assert_true(arena_failed(arena));
	assert_true(got > 8000 && got < 10000);
	assert_true(arena_size(arena) <= 10000);
	assert_null(arena_alloc(arena, SIZE_MAX));
	assert_null(arena_array(arena, SIZE_MAX / 2, 4));
	arena_reset(arena);
	assert_false(arena_failed(arena));
	assert_non_null(arena_array(arena, 10, 8));
	arena_free(arena);
	arena = arena_create(8);
	assert_null(arena_alloc(arena, 1));
	arena_free(arena);
}

static void
test_reset_zeroes(void **state)
{
	struct arena *arena = arena_create(100000);
	uint8_t *block = arena_alloc(arena, 100);

	(void)state;
	memset(block, 0xff, 100);
	assert_non_null(arena_alloc(arena, 50000));
	arena_reset(arena);
	assert_ptr_equal(arena_alloc(arena, 100), block);
	for (int i = 0; i < 100; i++)
		assert_int_equal(block[i], 0);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_reset_zeroes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
