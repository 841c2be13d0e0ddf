/*
 * Reading JSON: what Go's encoding/json accepts and how it decodes, and the limits that are ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/json.h"

static struct arena *arena;
static char error[128];

static int
open_arena(void **state)
{
	(void)state;
	arena = arena_create(1 << 20);
	return arena == NULL;
}

static int
close_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static const struct json *
parse_n(const char *text, size_t n)
{
	/* On the heap and without NUL, so that a sanitizer sees a byte too far. */
	char *copy = malloc(n + 1);
	struct json *value = NULL;

	assert_non_null(copy);
	memcpy(copy, text, n);
	copy = realloc(copy, n > 0 ? n : 1);
	error[0] = '\0';
	if (!json_parse(arena, copy, n, 8, &value, error, sizeof(error))) {
		assert_true(error[0] != '\0');
		value = NULL;
	}
	free(copy);
	return value;
}

static const struct json *
parse(const char *text)
{
	return parse_n(text, strlen(text));
}

static void
test_tree(void **state)
{
	const struct json *value = parse(" {\"a\" : [1, -2.5e3, true,false ,null,\"x\"], \"b\":{}, \"a\":7}\r\n");
	const struct json *array;

	(void)state;
	assert_non_null(value);
	assert_int_equal(value->kind, JSON_OBJECT);
	assert_int_equal(value->count, 3);
	array = value->first;
	assert_string_equal(array->key, "a");
	assert_int_equal(array->kind, JSON_ARRAY);
	assert_int_equal(array->count, 6);
	assert_string_equal(array->first->text, "1");
	assert_null(array->first->key);
	assert_string_equal(array->first->next->text, "-2.5e3");
	assert_int_equal(array->first->next->next->kind, JSON_TRUE);
	assert_int_equal(array->first->next->next->next->kind, JSON_FALSE);
	assert_int_equal(array->first->next->next->next->next->kind, JSON_NULL);
	assert_string_equal(json_member(value, "a")->text, "7"); /* the last one */
	assert_int_equal(json_member(value, "b")->kind, JSON_OBJECT);
	assert_null(json_member(value, "A"));
	assert_null(json_member(array, "a"));
	assert_null(json_member(NULL, "a"));
}

static void
expect_text(const char *raw, size_t n, const char *expected, size_t length)
{
	const struct json *value = parse_n(raw, n);

	assert_non_null(value);
	assert_int_equal(value->kind, JSON_STRING);
	assert_int_equal(value->length, length);
	assert_memory_equal(value->text, expected, length);
	assert_int_equal(value->text[length], '\0');
}

#define EXPECT_TEXT(raw, expected) expect_text(raw, sizeof(raw) - 1, expected, sizeof(expected) - 1)

static void
test_strings(void **state)
{
	(void)state;
	EXPECT_TEXT("\"\"", "");
	EXPECT_TEXT("\"abc\"", "abc");
	EXPECT_TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
	EXPECT_TEXT("\"\\\\\\\"\\\\\"", "\\\"\\");
	EXPECT_TEXT("\"\\u0041\\u00e9\\u20AC\\u0000x\"", "A\xc3\xa9\xe2\x82\xac\0x");
	EXPECT_TEXT("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80");
	EXPECT_TEXT("\"\\ud83d\"", "\xef\xbf\xbd");
	EXPECT_TEXT("\"\\ude00x\"", "\xef\xbf\xbdx");
	EXPECT_TEXT("\"\\ud83d\\u0041\"",
	    "\xef\xbf\xbd"
	    "A");
	EXPECT_TEXT("\"a\xff\xc3\"", "a\xef\xbf\xbd\xef\xbf\xbd");
	EXPECT_TEXT("\"\xe2\x82\xac\"", "\xe2\x82\xac");
}

static void
test_refused(void **state)
{
	static const char *const texts[] = { "", " ", "{", "}", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "01", "1.", ".5", "+1",
		"-", "1e", "tru", "nul", "\"", "\"\n\"", "\"\\x\"", "\"\\u12g4\"", "1 2", "{} {}", "\"a\" \"", "{}\"", "[1]x",
		"'a'", "// x", "/**/1", "\v1", "1\f", "NaN", "\xef\xbb\xbf{}", "[[[[[[[[[1]]]]]]]]]" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_null(parse(texts[i]));
	assert_null(parse_n("1\0", 2));
	assert_non_null(parse("[[[[[[[[1]]]]]]]]"));
}

static void
test_arena_is_the_limit(void **state)
{
	struct arena *small = arena_create(1000);
	struct json *value;

	(void)state;
	assert_true(json_parse(small, "[1,2,3]", 7, 4, &value, error, sizeof(error)));
	assert_false(json_parse(small, "[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0]", 41, 4, &value, error, sizeof(error)));
	assert_string_equal(error, "JSON: too large");
	arena_free(small);
}

static void
test_fold(void **state)
{
	const struct json *value = parse("{\"VERBOSE\":1,\"verbo\xc5\xbf"
					 "e\":2,\"verbos\":3,\"verbosee\":4,\"\xe2\x84\xaa"
					 "ey\":5}");

	(void)state;
	assert_non_null(value);
	assert_string_equal(json_member_fold(value, "verbose")->text, "2");
	assert_string_equal(json_member_fold(value, "key")->text, "5");
	assert_null(json_member_fold(value, "verbosi"));
	assert_null(json_member_fold(value->first, "verbose"));
	assert_true(json_key_fold(value->first, "verbose"));
	assert_false(json_key_fold(value->first->next->next, "verbose"));
	assert_false(json_key_fold(value->first->next->next->next, "verbose"));
}

static void
test_values(void **state)
{
	const struct json *value =
	    parse("{\"t\":true,\"i\":-5,\"u\":18446744073709551615,\"d\":1.5,\"s\":\"x\",\"n\":null,\"e\":1e999}");
	bool flag = false;
	int64_t i = 1;
	uint64_t u = 1;
	double d = 1;
	const char *text = NULL;
	size_t n = 0;

	(void)state;
	assert_true(json_get_bool(json_member(value, "t"), &flag) && flag);
	assert_true(json_get_i64(json_member(value, "i"), &i) && i == -5);
	assert_true(json_get_u64(json_member(value, "u"), &u) && u == UINT64_MAX);
	assert_true(json_get_double(json_member(value, "d"), &d) && d > 1.4 && d < 1.6);
	assert_true(json_get_text(json_member(value, "s"), &text, &n) && n == 1 && text[0] == 'x');
	/* null and absent leave what was there. */
	assert_true(json_get_bool(json_member(value, "n"), &flag) && flag);
	assert_true(json_get_i64(json_member(value, "absent"), &i) && i == -5);
	assert_true(json_get_text(json_member(value, "n"), &text, &n) && n == 1);
	assert_false(json_get_bool(json_member(value, "i"), &flag));
	assert_false(json_get_i64(json_member(value, "d"), &i));
	assert_false(json_get_i64(json_member(value, "u"), &i));
	assert_false(json_get_u64(json_member(value, "i"), &u));
	assert_false(json_get_double(json_member(value, "e"), &d));
	assert_false(json_get_text(json_member(value, "t"), &text, &n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tree, open_arena, close_arena),
		cmocka_unit_test_setup_teardown(test_strings, open_arena, close_arena),
		cmocka_unit_test_setup_teardown(test_refused, open_arena, close_arena),
		cmocka_unit_test(test_arena_is_the_limit),
		cmocka_unit_test_setup_teardown(test_fold, open_arena, close_arena),
		cmocka_unit_test_setup_teardown(test_values, open_arena, close_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
