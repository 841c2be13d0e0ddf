/*
 * Durations. Expected values and error texts come from Go 1.26's time.ParseDuration and Duration.String.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static const struct {
	const char *text;
	int64_t ns;
	const char *printed;
} good[] = {
	{ "0", 0, "0s" },
	{ "-0", 0, "0s" },
	{ "1ns", 1, "1ns" },
	{ "1.5us", 1500, "1.5\xc2\xb5s" },
	{ "2\xc2\xb5s", 2000, "2\xc2\xb5s" },
	{ "2\xce\xbcs", 2000, "2\xc2\xb5s" },
	{ "100ms", 100000000, "100ms" },
	{ "1.5s", 1500000000, "1.5s" },
	{ "2m", INT64_C(120000000000), "2m0s" },
	{ "+1h", INT64_C(3600000000000), "1h0m0s" },
	{ "1h2m3.5s", INT64_C(3723500000000), "1h2m3.5s" },
	{ "-1.5h", INT64_C(-5400000000000), "-1h30m0s" },
	{ ".5s", 500000000, "500ms" },
	{ "1.s", 1000000000, "1s" },
	{ "1s1s", 2000000000, "2s" },
	{ "0.100000000000000000000h", INT64_C(360000000000), "6m0s" },
	{ "0.3333333333333333333h", INT64_C(1200000000000), "20m0s" },
	{ "9223372036854775807ns", INT64_MAX, "2562047h47m16.854775807s" },
	{ "-9223372036854775808ns", INT64_MIN, "-2562047h47m16.854775808s" },
};

static const struct {
	const char *text;
	const char *error;
} bad[] = {
	{ "", "invalid duration \"\"" },
	{ "-", "invalid duration \"-\"" },
	{ "3", "missing unit in duration \"3\"" },
	{ "1.", "missing unit in duration \"1.\"" },
	{ ".s", "invalid duration \".s\"" },
	{ "s", "invalid duration \"s\"" },
	{ "1d", "unknown unit \"d\" in duration \"1d\"" },
	{ "1s 2s", "unknown unit \"s \" in duration \"1s 2s\"" },
	{ "1\xc3\xa9", "unknown unit \"\\xc3\\xa9\" in duration \"1\\xc3\\xa9\"" },
	{ "1\"", "unknown unit \"\\\"\" in duration \"1\\\"\"" },
	{ "9223372036854775808ns", "invalid duration \"9223372036854775808ns\"" },
	{ "99999999999999999999s", "invalid duration \"99999999999999999999s\"" },
	{ "2562048h", "invalid duration \"2562048h\"" },
	{ "2562047h2562047h", "invalid duration \"2562047h2562047h\"" },
};

static void
test_good(void **state)
{
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t ns = 42;

		assert_true(text_duration_parse(good[i].text, strlen(good[i].text), &ns, NULL, 0));
		assert_true(ns == good[i].ns);
		assert_int_equal(text_duration_format(out, sizeof(out), ns), strlen(good[i].printed));
		assert_string_equal(out, good[i].printed);
		assert_int_equal(text_duration_format(out, 2, ns), strlen(good[i].printed));
		assert_int_equal(strlen(out), 1);
	}
}

static void
test_bad(void **state)
{
	char error[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ns = 42;

		assert_false(text_duration_parse(bad[i].text, strlen(bad[i].text), &ns, error, sizeof(error)));
		assert_string_equal(error, bad[i].error);
		assert_false(text_duration_parse(bad[i].text, strlen(bad[i].text), &ns, NULL, 0));
		assert_int_equal(ns, 42);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
