/*
 * Byte cursors: what is written is read back, every cut of it fails, and a failure sticks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static size_t
write_all(uint8_t *buffer, size_t size, bool *failed)
{
	struct bytes_writer w;

	bytes_writer_init(&w, buffer, size);
	bytes_put_u8(&w, 0xfe);
	bytes_put_bool(&w, true);
	bytes_put_u16(&w, 0x1234);
	bytes_put_u32(&w, 0x89abcdef);
	bytes_put_u64(&w, UINT64_C(0xf123456789abcdef));
	bytes_put_i32(&w, -2);
	bytes_put_i64(&w, INT64_MIN);
	bytes_put_string(&w, "name");
	bytes_put_string(&w, NULL);
	bytes_put_view(&w, "a\0b", 3);
	bytes_put_view32(&w, "xyz", 3);
	bytes_put_data(&w, "tail", 4);
	*failed = w.failed;
	return bytes_written(&w);
}

/* Reads what write_all wrote; returns bytes_done. */
static bool
read_all(const uint8_t *data, size_t n, bool compare)
{
	struct bytes_reader r;
	const char *view = NULL;
	const uint8_t *view32 = NULL;
	const uint8_t *tail;
	char name[5] = "?";
	char empty[1] = "";
	size_t length = 0, length32 = 0;
	uint64_t numbers[7];

	bytes_reader_init(&r, data, n);
	numbers[0] = bytes_u8(&r);
	numbers[1] = bytes_bool(&r);
	numbers[2] = bytes_u16(&r);
	numbers[3] = bytes_u32(&r);
	numbers[4] = bytes_u64(&r);
	numbers[5] = (uint64_t)bytes_i32(&r);
	numbers[6] = (uint64_t)bytes_i64(&r);
	bytes_string(&r, name, sizeof(name));
	bytes_string(&r, empty, sizeof(empty));
	bytes_view(&r, &view, &length);
	bytes_view32(&r, &view32, &length32);
	tail = bytes_data(&r, 4);
	if (compare) {
		assert_int_equal(numbers[0], 0xfe);
		assert_int_equal(numbers[1], 1);
		assert_int_equal(numbers[2], 0x1234);
		assert_int_equal(numbers[3], 0x89abcdef);
		assert_true(numbers[4] == UINT64_C(0xf123456789abcdef));
		assert_true((int64_t)numbers[5] == -2);
		assert_true((int64_t)numbers[6] == INT64_MIN);
		assert_string_equal(name, "name");
		assert_string_equal(empty, "");
		assert_int_equal(length, 3);
		assert_memory_equal(view, "a\0b", 3);
		assert_int_equal(length32, 3);
		assert_memory_equal(view32, "xyz", 3);
		assert_memory_equal(tail, "tail", 4);
	}
	if (r.failed) {
		assert_null(tail);
		assert_int_equal(bytes_u64(&r), 0);
	}
	return bytes_done(&r);
}

static void
test_round_trip(void **state)
{
	uint8_t buffer[128];
	bool failed;
	size_t n = write_all(buffer, sizeof(buffer), &failed);

	(void)state;
	assert_false(failed);
	assert_int_equal(buffer[2], 0x34); /* little endian */
	assert_true(read_all(buffer, n, true));
	assert_false(read_all(buffer, n + 1, true)); /* something is left */
}

static void
test_every_cut(void **state)
{
	uint8_t buffer[128];
	bool failed;
	size_t n = write_all(buffer, sizeof(buffer), &failed);

	(void)state;
	for (size_t cut = 0; cut < n; cut++) {
		/* On the heap, so that a sanitizer sees a byte too far. */
		uint8_t *part = malloc(cut + 1);

		assert_non_null(part);
		memcpy(part, buffer, cut);
		assert_false(read_all(part, cut, false));
		assert_true(write_all(part, cut, &failed) <= cut);
		assert_true(failed);
		free(part);
	}
}

static void
test_bad_texts(void **state)
{
	static const uint8_t with_nul[] = { 3, 0, 'a', 0, 'b' };
	static const uint8_t too_long[] = { 4, 0, 'a', 'b', 'c', 'd' };
	static const uint8_t bad_bool[] = { 2 };
	struct bytes_reader r;
	char to[4];

	(void)state;
	bytes_reader_init(&r, with_nul, sizeof(with_nul));
	assert_false(bytes_string(&r, to, sizeof(to)));
	assert_string_equal(to, "");
	assert_true(r.failed);
	bytes_reader_init(&r, too_long, sizeof(too_long));
	assert_false(bytes_string(&r, to, sizeof(to)));
	assert_true(r.failed);
	bytes_reader_init(&r, bad_bool, sizeof(bad_bool));
	assert_false(bytes_bool(&r));
	assert_true(r.failed);
	bytes_reader_init(&r, NULL, 0);
	assert_true(bytes_done(&r));
	assert_int_equal(bytes_left(&r), 0);
}

static void
test_limits(void **state)
{
	static uint8_t text[70000];
	static uint8_t buffer[80000];
	struct bytes_writer w;
	size_t out;

	(void)state;
	bytes_writer_init(&w, buffer, sizeof(buffer));
	bytes_put_view(&w, text, UINT16_MAX);
	assert_false(w.failed);
	bytes_writer_init(&w, buffer, sizeof(buffer));
	bytes_put_view(&w, text, UINT16_MAX + 1);
	assert_true(w.failed);
	bytes_put_u8(&w, 1);
	assert_int_equal(bytes_written(&w), 0);
	assert_true(bytes_add(1, 2, &out));
	assert_int_equal(out, 3);
	assert_false(bytes_add(SIZE_MAX, 1, &out));
	assert_true(bytes_mul(3, 4, &out));
	assert_int_equal(out, 12);
	assert_false(bytes_mul(SIZE_MAX, 2, &out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_bad_texts),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
