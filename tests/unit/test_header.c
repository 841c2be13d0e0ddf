/*
 * Header blocks: found in exact case and only at the start of a line, as nats-server's getHeader; taken out, added, and the 503.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/header.h"

#define BLOCK "NATS/1.0\r\nA: 1\r\nAB:two\r\nC:   x y \r\nX-A: no\r\nA: 2\r\nE:\r\n\r\n"

static void
expect(const char *block, const char *key, const char *expected)
{
	const uint8_t *value = NULL;
	size_t length = 0;
	size_t n = strlen(block);
	uint8_t *copy = malloc(n > 0 ? n : 1);
	bool found;

	assert_non_null(copy);
	memcpy(copy, block, n);
	found = nats_header_find(copy, n, key, &value, &length);
	assert_int_equal(found, expected != NULL);
	if (found) {
		assert_int_equal(length, strlen(expected));
		assert_memory_equal(value, expected, length);
	}
	free(copy);
}

static void
test_find(void **state)
{
	(void)state;
	expect(BLOCK, "A", "1");
	expect(BLOCK, "AB", "two");
	expect(BLOCK, "C", "x y ");
	expect(BLOCK, "E", "");
	expect(BLOCK, "a", NULL);
	expect(BLOCK, "B", NULL);
	expect(BLOCK, "NATS/1.0", NULL);
	expect(BLOCK, "Missing", NULL);
	expect("", "A", NULL);
	expect("A: 1\r\n", "A", NULL);           /* the first line is none */
	expect("NATS/1.0\nA: 1\r\n", "A", NULL); /* only CRLF ends a line */
	expect("NATS/1.0\r\nA: un\rended\n", "A", "un\rended\n");
	expect("NATS/1.0\r\nA:", "A", "");
	expect("NATS/1.0\r\nA", "A", NULL);
	expect("NATS/1.0\r\nA x: 1\r\n\r\n", "A", NULL);
	expect("NATS/1.0\r\nX: Nats-A\r\nNats-A: 1\r\n\r\n", "Nats-A", "1");
}

static void
test_no_responders(void **state)
{
	static const char expected[] = "NATS/1.0 503\r\nNats-Subject: a.b\r\n\r\n";
	uint8_t out[64];

	(void)state;
	assert_int_equal(nats_header_no_responders_size(3), sizeof(expected) - 1);
	assert_int_equal(nats_header_no_responders_size(0), 32); /* Go's constant */
	assert_int_equal(nats_header_no_responders(out, sizeof(expected) - 1, "a.b", 3), sizeof(expected) - 1);
	assert_memory_equal(out, expected, sizeof(expected) - 1);
	assert_int_equal(nats_header_no_responders(out, sizeof(expected) - 2, "a.b", 3), 0);
}

static void
test_remove(void **state)
{
	uint8_t block[128];
	static const char without[] = "NATS/1.0\r\nAB:two\r\nC:   x y \r\nX-A: no\r\nE:\r\n\r\n";
	static const char single[] = "NATS/1.0\r\nA: 1\r\n\r\n";
	static const char unended[] = "NATS/1.0\r\nA: 1";

	(void)state;
	memcpy(block, BLOCK, sizeof(BLOCK) - 1);
	assert_int_equal(nats_header_remove(block, sizeof(BLOCK) - 1, "A"), sizeof(without) - 1);
	assert_memory_equal(block, without, sizeof(without) - 1);
	assert_int_equal(nats_header_remove(block, sizeof(without) - 1, "A"), sizeof(without) - 1);
	memcpy(block, single, sizeof(single) - 1);
	assert_int_equal(nats_header_remove(block, sizeof(single) - 1, "A"), 0);
	memcpy(block, unended, sizeof(unended) - 1);
	assert_int_equal(nats_header_remove(block, sizeof(unended) - 1, "A"), sizeof(unended) - 1);
}

static void
test_append(void **state)
{
	static const char old[] = "NATS/1.0\r\nA: 1\r\n\r\n";
	static const char longer[] = "NATS/1.0\r\nA: 1\r\nB: xyz\r\n\r\n";
	static const char fresh[] = "NATS/1.0\r\nB: xyz\r\n\r\n";
	uint8_t out[64];

	(void)state;
	assert_int_equal(
	    nats_header_append((const uint8_t *)old, sizeof(old) - 1, "B", "xyz", 3, out, sizeof(out)), sizeof(longer) - 1);
	assert_memory_equal(out, longer, sizeof(longer) - 1);
	assert_int_equal(nats_header_append(NULL, 0, "B", "xyz", 3, out, sizeof(out)), sizeof(fresh) - 1);
	assert_memory_equal(out, fresh, sizeof(fresh) - 1);
	assert_int_equal(nats_header_append(NULL, 0, "B", "xyz", 3, out, sizeof(fresh) - 2), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_no_responders),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_append),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
