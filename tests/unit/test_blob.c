/*
 * Blobs: references, size classes, the free lists and their limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/memory.h"

/* Nothing is held and nothing kept: each test begins and ends so. */
static int
nothing_left(void **state)
{
	struct memory_stats stats;

	(void)state;
	blob_trim(0);
	memory_get_stats(&stats);
	return blob_used_bytes() == 0 && blob_idle_bytes() == 0 && stats.blocks == 0 ? 0 : -1;
}

static void
test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 495, 496, 497, 1007, 1008, 1009, 4096, 65519, 65520, 65521, 1 << 20,
		(2 << 20) - 17, (2 << 20) - 16, (2 << 20) - 15, 5 << 20 };
	struct blob *blob;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		blob = blob_create(sizes[i]);
		assert_non_null(blob);
		assert_true(blob->capacity >= sizes[i]);
		assert_int_equal((uintptr_t)blob->data % 16, 0);
		assert_int_equal(blob_used_bytes(), blob->capacity + sizeof(*blob));
		/* A power of two with its head, but for the largest. */
		if (sizes[i] + sizeof(*blob) <= 2 << 20)
			assert_int_equal((blob->capacity + sizeof(*blob)) & (blob->capacity + sizeof(*blob) - 1), 0);
		else
			assert_int_equal(blob->capacity, sizes[i]);
		memset(blob->data, 0x5a, blob->capacity);
		blob_release(blob);
		assert_int_equal(blob_used_bytes(), 0);
	}
}

static void
test_absurd_sizes(void **state)
{
	(void)state;
	assert_null(blob_create(SIZE_MAX));
	assert_null(blob_create(SIZE_MAX - sizeof(struct blob)));
	assert_null(blob_create((size_t)1 << 30));
	assert_int_equal(blob_used_bytes(), 0);
}

static void
test_references(void **state)
{
	struct blob *blob = blob_create(100), *again;
	unsigned i;

	(void)state;
	memcpy(blob->data, "kept", 5);
	for (i = 0; i < 1000; i++)
		assert_ptr_equal(blob_hold(blob), blob);
	for (i = 0; i < 1000; i++) {
		blob_release(blob);
		assert_string_equal((char *)blob->data, "kept");
		assert_true(blob_used_bytes() > 0);
		assert_int_equal(blob_idle_bytes(), 0);
	}
	blob_release(blob);
	assert_int_equal(blob_used_bytes(), 0);
	assert_int_equal(blob_idle_bytes(), 512);
	blob_release(NULL);
	/* The next one of its class is the same memory, with one reference again. */
	again = blob_create(400);
	assert_ptr_equal(again, blob);
	assert_int_equal(again->references, 1);
	assert_int_equal(blob_idle_bytes(), 0);
	blob_release(again);
}

static void
test_classes_do_not_mix(void **state)
{
	struct blob *small = blob_create(100), *large = blob_create(10000), *middle;

	(void)state;
	blob_release(small);
	blob_release(large);
	middle = blob_create(1000);
	assert_ptr_not_equal(middle, small);
	assert_ptr_not_equal(middle, large);
	blob_release(middle);
	assert_int_equal(blob_idle_bytes(), 512 + 16384 + 1024);
}

static void
test_largest_go_back_at_once(void **state)
{
	struct blob *blob = blob_create(3 << 20);

	(void)state;
	blob_release(blob);
	assert_int_equal(blob_idle_bytes(), 0);
}

static void
test_idle_limit(void **state)
{
	struct blob *blobs[20];
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++)
		blobs[i] = blob_create(1000000);
	for (i = 0; i < 20; i++)
		blob_release(blobs[i]);
	assert_int_equal(blob_idle_bytes(), 16 << 20);
}

static void
test_trim(void **state)
{
	struct blob *blobs[64];
	unsigned i;

	(void)state;
	for (i = 0; i < 64; i++)
		blobs[i] = blob_create(i % 2 == 0 ? 100 : 60000);
	for (i = 0; i < 64; i++)
		blob_release(blobs[i]);
	assert_int_equal(blob_idle_bytes(), 32 * (512 + 65536));
	/* The large ones go first. */
	blob_trim(32 * 512 + 2 * 65536);
	assert_int_equal(blob_idle_bytes(), 32 * 512 + 2 * 65536);
	blob_trim(32 * 512);
	assert_int_equal(blob_idle_bytes(), 32 * 512);
	blob_trim(SIZE_MAX);
	assert_int_equal(blob_idle_bytes(), 32 * 512);
	blob_trim(0);
	assert_int_equal(blob_idle_bytes(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sizes, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_absurd_sizes, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_references, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_classes_do_not_mix, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_largest_go_back_at_once, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_idle_limit, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_trim, nothing_left, nothing_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
