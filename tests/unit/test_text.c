/*
 * Text as Go prints it. Expected values come from Go 1.26: strconv.Quote, encoding/json, strconv.IsPrint.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void
expect_quote(const char *text, size_t n, const char *expected)
{
	char out[128];

	assert_int_equal(text_quote(out, sizeof(out), text, n), strlen(expected));
	assert_string_equal(out, expected);
	/* Cut at every size. */
	for (size_t size = 0; size <= strlen(expected); size++) {
		char *part = malloc(size + 1);

		assert_non_null(part);
		part[size] = 'X';
		assert_int_equal(text_quote(part, size, text, n), strlen(expected));
		assert_int_equal(part[size], 'X');
		if (size > 0) {
			assert_int_equal(strlen(part), size - 1);
			assert_memory_equal(part, expected, size - 1);
		}
		free(part);
	}
}

#define EXPECT_QUOTE(text, expected) expect_quote(text, sizeof(text) - 1, expected)

static void
test_quote(void **state)
{
	char out[8];

	(void)state;
	EXPECT_QUOTE("", "\"\"");
	EXPECT_QUOTE("plain.subject", "\"plain.subject\"");
	EXPECT_QUOTE("a\"b\\c", "\"a\\\"b\\\\c\"");
	EXPECT_QUOTE("\a\b\f\n\r\t\v", "\"\\a\\b\\f\\n\\r\\t\\v\"");
	EXPECT_QUOTE("\x01\x1f\x7f\0", "\"\\x01\\x1f\\x7f\\x00\"");
	EXPECT_QUOTE("\xc2\xa0", "\"\\u00a0\"");
	EXPECT_QUOTE("\xff\xc3", "\"\\xff\\xc3\"");
	EXPECT_QUOTE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	EXPECT_QUOTE("\xed\xa0\x80", "\"\\xed\\xa0\\x80\"");                   /* a surrogate */
	EXPECT_QUOTE("\xc0\x80\xe0\x80\x80", "\"\\xc0\\x80\\xe0\\x80\\x80\""); /* too long forms */
	EXPECT_QUOTE("\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\"");          /* beyond Unicode */
	EXPECT_QUOTE("\xef\xbf\xbd", "\"\xef\xbf\xbd\"");                      /* U+FFFD itself */
	EXPECT_QUOTE("\xe2\x80\xa8\xef\xbb\xbf", "\"\\u2028\\ufeff\"");
	EXPECT_QUOTE("\xf3\xa0\x80\x81", "\"\\U000e0001\"");
	assert_int_equal(text_escape(out, sizeof(out), "a\n", 2), 3);
	assert_string_equal(out, "a\\n");
}

static void
test_runes(void **state)
{
	(void)state;
	for (uint32_t rune = 0; rune <= 0x10ffff; rune += rune < 0x3000 ? 1 : 97) {
		char bytes[4];
		uint32_t back;
		size_t n = text_put_rune(bytes, rune);

		assert_int_equal(text_rune(bytes, n, &back), n);
		assert_int_equal(back, rune >= 0xd800 && rune < 0xe000 ? 0xfffd : rune);
		for (size_t cut = 1; cut < n; cut++) {
			assert_int_equal(text_rune(bytes, cut, &back), 1);
			assert_int_equal(back, 0xfffd);
		}
	}
	assert_true(text_rune_printable(' '));
	assert_true(text_rune_printable('~'));
	assert_false(text_rune_printable(0x1f));
	assert_false(text_rune_printable(0x7f));
	assert_false(text_rune_printable(0xa0));
	assert_true(text_rune_printable(0xa1));
	assert_false(text_rune_printable(0xad));
	assert_true(text_rune_printable(0xe01ef));
	assert_false(text_rune_printable(0xe01f0));
	assert_false(text_rune_printable(0x10ffff));
}

static void
test_integers(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = { { 0, "0" }, { 9, "9" }, { 10, "10" }, { 99, "99" }, { 100, "100" }, { 12345, "12345" },
		{ UINT32_MAX, "4294967295" }, { UINT64_MAX, "18446744073709551615" } };
	char out[24];
	uint64_t back;
	int64_t number;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = text_u64(out, rows[i].value);

		assert_int_equal(n, strlen(rows[i].text));
		assert_memory_equal(out, rows[i].text, n);
		assert_true(text_parse_u64(out, n, &back));
		assert_true(back == rows[i].value);
	}
	assert_int_equal(text_i64(out, INT64_MIN), 20);
	assert_memory_equal(out, "-9223372036854775808", 20);
	assert_true(text_parse_i64(out, 20, &number));
	assert_true(number == INT64_MIN);
	assert_true(text_parse_i64("+7", 2, &number));
	assert_int_equal(number, 7);
	assert_false(text_parse_i64("9223372036854775808", 19, &number));
	assert_false(text_parse_i64("-9223372036854775809", 20, &number));
	assert_false(text_parse_i64("-", 1, &number));
	assert_false(text_parse_u64("", 0, &back));
	assert_false(text_parse_u64("1 ", 2, &back));
	assert_false(text_parse_u64("-1", 2, &back));
	assert_false(text_parse_u64("18446744073709551616", 20, &back));
}

static void
test_fold(void **state)
{
	(void)state;
	assert_true(text_equal_fold("PuB", 3, "pUb", 3));
	assert_true(text_equal_fold("", 0, "", 0));
	assert_false(text_equal_fold("a", 1, "ab", 2));
	assert_false(text_equal_fold("@", 1, "`", 1)); /* differ by the case bit, but are no letters */
	assert_false(text_equal_fold("[", 1, "{", 1));
	assert_false(text_equal_fold("\xc3\x89", 2, "\xc3\xa9", 2));
}

static void
test_doubles(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = { { 0, "0" }, { -0.0, "-0" }, { 1, "1" }, { 0.1, "0.1" }, { -2.5, "-2.5" }, { 100, "100" },
		{ 1234.5678, "1234.5678" }, { 1e20, "100000000000000000000" }, { 1e21, "1e+21" }, { 0.000001, "0.000001" },
		{ 9.5e-7, "9.5e-7" }, { 1e-9, "1e-9" }, { 1.5e300, "1.5e+300" }, { 0.3333333333333333, "0.3333333333333333" },
		{ 5e-324, "5e-324" }, { 1.7976931348623157e308, "1.7976931348623157e+308" }, { NAN, "" }, { INFINITY, "" } };
	char out[40];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(text_double(out, sizeof(out), rows[i].value), strlen(rows[i].text));
		assert_string_equal(out, rows[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_runes),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_doubles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
