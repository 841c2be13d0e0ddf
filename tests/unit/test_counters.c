/*
 * counters.c: pages, the table, gauges of a dead process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>

#include <string.h>
#include <unistd.h>

#include "ipc/counters.h"

static void
test_pages(void **state)
{
	struct counters *own;
	const struct counters *other;
	int writable, read_only;

	(void)state;
	assert_true(counters_create(&writable, &read_only));
	own = counters_map(writable, true);
	other = counters_map(read_only, false);
	assert_non_null(own);
	assert_non_null(other);
	assert_null(counters_map(read_only, true));
	COUNTERS_ADD(own, in_messages, 3);
	COUNTERS_ADD(own, in_messages, 4);
	COUNTERS_SUB(own, in_messages, 1);
	assert_int_equal(COUNTERS_GET(other, in_messages), 6);
	COUNTERS_SET(own, connections, 12);
	assert_int_equal(COUNTERS_GET(other, connections), 12);
	counters_reset_gauges(own);
	assert_int_equal(COUNTERS_GET(other, connections), 0);
	assert_int_equal(COUNTERS_GET(other, in_messages), 6);
	counters_sample(own);
	assert_true(COUNTERS_GET(other, resident_bytes) > 100000);
	munmap(own, COUNTERS_SIZE);
	munmap((void *)(uintptr_t)other, COUNTERS_SIZE);
	close(writable);
	close(read_only);
}

static void
test_table(void **state)
{
	static struct counters page;
	const struct counters_row *rows;
	size_t count;
	uint64_t expected = 0;

	(void)state;
	rows = counters_table(&count);
	assert_true(count > 30);
	for (size_t i = 0; i < count; i++) {
		assert_true(rows[i].name[0] != '\0' && rows[i].text[0] != '\0');
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(rows[i].name, rows[k].name);
		((_Atomic uint64_t *)&page)[i] = i * i;
	}
	for (size_t i = 0; i < count; i++, expected++)
		assert_int_equal(counters_value(&page, i), expected * expected);
	assert_string_equal(rows[0].name, "connections");
	assert_true(rows[0].gauge);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
