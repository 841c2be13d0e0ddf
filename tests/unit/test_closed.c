/*
 * Reasons for closing: the names that nats-server gives, in its order, and what is flushed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/closed.h"

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(closed_text(CLOSED_CLIENT_CLOSED), "Client Closed");
	assert_string_equal(closed_text(CLOSED_AUTHENTICATION_VIOLATION), "Authentication Failure");
	assert_string_equal(closed_text(CLOSED_SLOW_CONSUMER_PENDING_BYTES), "Slow Consumer (Pending Bytes)");
	assert_string_equal(closed_text(CLOSED_SLOW_CONSUMER_WRITE_DEADLINE), "Slow Consumer (Write Deadline)");
	assert_string_equal(closed_text(CLOSED_PROXY_REQUIRED), "Proxy Required");
}

static void
test_each_has_its_own(void **state)
{
	int a, b;

	(void)state;
	for (a = CLOSED_NONE + 1; a < CLOSED_REASONS; a++) {
		assert_true(strlen(closed_text((enum closed_reason)a)) > 0);
		assert_string_not_equal(closed_text((enum closed_reason)a), "Unknown State");
		for (b = CLOSED_NONE + 1; b < a; b++)
			assert_string_not_equal(closed_text((enum closed_reason)a), closed_text((enum closed_reason)b));
	}
}

static void
test_flush(void **state)
{
	static const enum closed_reason lost[] = { CLOSED_SLOW_CONSUMER_PENDING_BYTES, CLOSED_SLOW_CONSUMER_WRITE_DEADLINE,
		CLOSED_WRITE_ERROR, CLOSED_READ_ERROR, CLOSED_TLS_HANDSHAKE_ERROR };
	size_t i;
	int reason;

	(void)state;
	for (reason = CLOSED_NONE; reason < CLOSED_REASONS; reason++) {
		for (i = 0; i < sizeof(lost) / sizeof(lost[0]) && lost[i] != (enum closed_reason)reason; i++)
			continue;
		assert_int_equal(closed_flushes((enum closed_reason)reason), i == sizeof(lost) / sizeof(lost[0]));
	}
}

static void
test_numbers_that_are_none(void **state)
{
	(void)state;
	assert_string_equal(closed_text(CLOSED_NONE), "Unknown State");
	assert_string_equal(closed_text(CLOSED_REASONS), "Unknown State");
	assert_string_equal(closed_text((enum closed_reason)255), "Unknown State");
	assert_true(closed_flushes(CLOSED_REASONS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_each_has_its_own),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_numbers_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
