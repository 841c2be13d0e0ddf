/*
 * overflow.c: first in, first out, over any sizes; what was reserved is there; memory goes back.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "ipc/overflow.h"

static uint64_t
blocks_used(void)
{
	struct memory_stats stats;

	memory_get_stats(&stats);
	return stats.blocks;
}

static void
put(struct overflow *queue, uint64_t sequence, size_t total)
{
	uint8_t *at = overflow_put(queue, sequence, total);

	assert_non_null(at);
	assert_int_equal((uintptr_t)at % 8, 0);
	memset(at, (int)(sequence & 0xff), total);
}

static void
take(struct overflow *queue, uint64_t sequence, size_t total)
{
	uint64_t found;
	size_t size;
	const uint8_t *at = overflow_first(queue, &size, &found);

	assert_non_null(at);
	assert_int_equal(size, total);
	assert_int_equal(found, sequence);
	assert_int_equal(at[0], (uint8_t)sequence);
	assert_int_equal(at[total - 1], (uint8_t)sequence);
	overflow_pop(queue);
}

/* The size of the n-th record: mostly small, now and then larger than a block. */
static size_t
size_of(uint64_t n)
{
	return n % 97 == 0 ? 200000 : 8 + n * 40503 % 500 / 8 * 8;
}

static void
first_in_first_out(void **state)
{
	struct overflow queue = { 0 };
	uint64_t before = blocks_used(), in = 0, out = 0;
	size_t bytes = 0;

	(void)state;
	srandom(7);
	assert_null(overflow_first(&queue, &(size_t){ 0 }, &(uint64_t){ 0 }));
	while (out < 100000) {
		for (long burst = random() % 300; burst > 0 && in < 100000; burst--, in++) {
			put(&queue, in, size_of(in));
			bytes += size_of(in);
		}
		for (long burst = random() % 310; burst > 0 && out < in; burst--, out++) {
			take(&queue, out, size_of(out));
			bytes -= size_of(out);
		}
		assert_int_equal(queue.bytes, bytes);
	}
	assert_true(blocks_used() <= before + 1);
	overflow_trim(&queue);
	assert_int_equal(blocks_used(), before);
}

static void
reserved(void **state)
{
	struct overflow queue = { 0 };
	uint64_t before = blocks_used(), after;

	(void)state;
	put(&queue, 0, 8);
	assert_true(overflow_reserve(&queue, 1000 * 1000, 1000));
	after = blocks_used();
	for (uint64_t n = 1; n <= 1000; n++)
		put(&queue, n, 1000);
	assert_int_equal(blocks_used(), after);
	take(&queue, 0, 8);
	for (uint64_t n = 1; n <= 1000; n++)
		take(&queue, n, 1000);
	assert_false(overflow_reserve(&queue, SIZE_MAX, 1));
	assert_false(overflow_reserve(&queue, SIZE_MAX - 8, 1));
	assert_false(overflow_reserve(&queue, 8, SIZE_MAX));
	put(&queue, 5, 16);
	overflow_clear(&queue);
	assert_int_equal(queue.bytes, 0);
	overflow_trim(&queue);
	assert_int_equal(blocks_used(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_in_first_out),
		cmocka_unit_test(reserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
