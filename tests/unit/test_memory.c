/*
 * The door to malloc: counts are right after every kind of call, and impossible sizes are refused and counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static struct memory_stats
stats(void)
{
	struct memory_stats now;

	memory_get_stats(&now);
	return now;
}

static void
test_counts(void **state)
{
	struct memory_stats before = stats();
	uint8_t *zero = memory_zalloc(100);
	char *text = memory_string("abcdef", 3);
	void *block = memory_alloc(0);

	(void)state;
	assert_non_null(zero);
	assert_non_null(block);
	assert_string_equal(text, "abc");
	for (int i = 0; i < 100; i++)
		assert_int_equal(zero[i], 0);
	assert_int_equal(stats().blocks, before.blocks + 3);
	assert_true(stats().bytes >= before.bytes + 100 + 4 + 1);
	memset(zero, 7, 100);
	zero = memory_realloc(zero, 100000);
	assert_non_null(zero);
	assert_int_equal(zero[99], 7);
	assert_int_equal(stats().blocks, before.blocks + 3);
	assert_true(stats().bytes >= before.bytes + 100000);
	memory_wipe(zero, 100);
	assert_int_equal(zero[99], 0);
	memory_wipe(NULL, 0);
	memory_free(zero);
	memory_free(text);
	memory_free(block);
	memory_free(NULL);
	assert_int_equal(stats().blocks, before.blocks);
	assert_int_equal(stats().bytes, before.bytes);
	assert_int_equal(stats().failures, before.failures);
}

static void
test_realloc_of_nothing(void **state)
{
	struct memory_stats before = stats();
	void *block = memory_realloc(NULL, 10);

	(void)state;
	assert_non_null(block);
	assert_int_equal(stats().blocks, before.blocks + 1);
	memory_free(block);
	assert_int_equal(stats().blocks, before.blocks);
}

static void
test_refusals(void **state)
{
	struct memory_stats before = stats();
	/* volatile: the compiler must not see the size. */
	volatile size_t huge = SIZE_MAX / 2;
	uint64_t *array = memory_array(3, sizeof(*array));

	(void)state;
	assert_non_null(array);
	assert_int_equal(array[2], 0);
	assert_null(memory_array(huge, 3));
	assert_null(memory_string("", SIZE_MAX));
	assert_int_equal(stats().failures, before.failures + 2);
	assert_int_equal(stats().blocks, before.blocks + 1);
	memory_free(array);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_realloc_of_nothing),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
