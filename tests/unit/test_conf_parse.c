/*
 * Unit tests of shared/model/conf_parse.c: trees, places, variables and includes, with files and variables that are tables; limits
 * and errors that nats-server does not have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "options_helper.h"

static struct arena *arena;

static int
setup(void **state)
{
	(void)state;
	arena = arena_create(64 << 20);
	helper_files = helper_variables = NULL;
	return arena != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct conf_value *
parse(const char *text, char error[CONF_ERROR_MAX])
{
	return conf_parse_text(arena, &helper_source.conf, text, strlen(text), error, CONF_ERROR_MAX);
}

static void
test_values(void **state)
{
	char error[CONF_ERROR_MAX];
	struct conf_value *tree, *value;

	(void)state;
	tree = parse("a: 1k\nb: [x, 2.5 ]\nc { d: yes }\na: 2Ki\n", error);
	assert_non_null(tree);
	assert_int_equal(tree->length, 3);
	value = conf_member(tree, "a");
	assert_int_equal(value->type, CONF_INTEGER);
	assert_int_equal(value->integer, 2048);
	assert_int_equal(value->at.line, 4);
	assert_int_equal(value->at.column, 1);
	value = conf_member(tree, "b");
	assert_int_equal(value->type, CONF_ARRAY);
	assert_int_equal(value->length, 2);
	assert_string_equal(value->entries[0].value->string, "x");
	assert_true(value->entries[1].value->number > 2.4 && value->entries[1].value->number < 2.6);
	value = conf_member(conf_member(tree, "c"), "d");
	assert_true(value->type == CONF_BOOL && value->boolean);
	assert_null(conf_member(tree, "d"));
}

/* A map of many keys has an index. */
static void
test_many_keys(void **state)
{
	char text[20000], key[16], error[CONF_ERROR_MAX];
	struct conf_value *tree;
	size_t at = 0;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "key%d: %d\n", i, i);
	tree = parse(text, error);
	assert_non_null(tree);
	assert_int_equal(tree->length, 1000);
	for (i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(conf_member(tree, key)->integer, i);
	}
	assert_null(conf_member(tree, "key1000"));
}

static void
test_variables(void **state)
{
	static const struct helper_file variables[] = { { "TEXT", "word" }, { "NUMBER", "7" }, { "LIST", "[ a, $NUMBER ]" },
		{ "LOOP", "$LOOP" }, { NULL, NULL } };
	char error[CONF_ERROR_MAX];
	struct conf_value *tree, *value;

	(void)state;
	helper_variables = variables;
	tree = parse("a: 1\nb { a: 2, c: $a }\nd: $a\ne: $TEXT\nf: $NUMBER\ng: $LIST\nh: $2a$x\n", error);
	assert_non_null(tree);
	assert_int_equal(conf_member(conf_member(tree, "b"), "c")->integer, 2);
	assert_int_equal(conf_member(tree, "d")->integer, 1);
	assert_true(conf_member(tree, "a")->used);
	assert_false(conf_member(tree, "d")->used);
	assert_string_equal(conf_member(tree, "e")->string, "word");
	assert_int_equal(conf_member(tree, "f")->integer, 7);
	value = conf_member(tree, "g");
	assert_int_equal(value->entries[1].value->integer, 7);
	assert_int_equal(value->entries[1].value->at.line, 6);
	assert_string_equal(conf_member(tree, "h")->string, "$2a$x");
	assert_null(parse("a: $LOOP", error));
	assert_non_null(strstr(error, "variable reference cycle for 'LOOP'"));
	assert_null(parse("a: $NONE", error));
	assert_string_equal(error, ":1:4: variable reference for 'NONE' on line 1 can not be found");
}

static void
test_includes(void **state)
{
	static const struct helper_file files[] = { { "d/main.conf", "a: 1\ninclude 'sub/part.conf'\nc: 3\n" },
		{ "d/sub/part.conf", "b: 2\ninclude ../x.conf\n" }, { "d/x.conf", "x: y\n" }, { "loop.conf", "include loop.conf" },
		{ "one.conf", "include two.conf" }, { "two.conf", "include ./one.conf" }, { "bad.conf", "include x/worse.conf" },
		{ "x/worse.conf", "a: [" }, { NULL, NULL } };
	char error[CONF_ERROR_MAX];
	struct conf_value *tree;

	(void)state;
	helper_files = files;
	tree = conf_parse_file(arena, &helper_source.conf, "d/main.conf", error, sizeof(error));
	assert_non_null(tree);
	assert_int_equal(tree->length, 4);
	assert_string_equal(conf_member(tree, "b")->at.file, "d/sub/part.conf");
	assert_string_equal(conf_member(tree, "x")->at.file, "d/x.conf");
	assert_string_equal(conf_member(tree, "c")->at.file, "d/main.conf");
	assert_null(conf_parse_file(arena, &helper_source.conf, "loop.conf", error, sizeof(error)));
	assert_non_null(strstr(error, "file loop.conf includes itself"));
	assert_null(conf_parse_file(arena, &helper_source.conf, "one.conf", error, sizeof(error)));
	assert_non_null(strstr(error, "file one.conf includes itself"));
	assert_null(conf_parse_file(arena, &helper_source.conf, "bad.conf", error, sizeof(error)));
	assert_non_null(strstr(error, "bad.conf:1:8: error parsing include file 'x/worse.conf', x/worse.conf:1:"));
	assert_null(conf_parse_file(arena, &helper_source.conf, "none.conf", error, sizeof(error)));
	assert_string_equal(error, "open none.conf: no such file or directory");
}

static void
test_limits(void **state)
{
	char error[CONF_ERROR_MAX];
	struct conf_value *tree;

	(void)state;
	assert_null(parse("a: 8EiB", error));
	assert_string_equal(error, ":1:3: integer '8EiB' is out of the range");
	assert_null(parse("a: 9223372036854775808", error));
	assert_null(parse("a: -9223372036854775809", error));
	assert_non_null(parse("a: -9223372036854775808", error));
	/* An unknown suffix drops the value, as in nats-server, and its key waits for the next one. */
	tree = parse("a: 1kbb\nb: 2", error);
	assert_non_null(tree);
	assert_int_equal(tree->length, 1);
	assert_int_equal(conf_member(tree, "b")->integer, 2);
}

static void
test_depth(void **state)
{
	char text[4096], error[CONF_ERROR_MAX];
	int depth;
	size_t at;

	(void)state;
	for (depth = CONF_DEPTH_MAX; depth <= CONF_DEPTH_MAX + 1; depth++) {
		at = 0;
		for (int i = 0; i < depth; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "a { ");
		for (int i = 0; i < depth; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "}");
		if (depth == CONF_DEPTH_MAX) {
			assert_non_null(parse(text, error));
		} else {
			assert_null(parse(text, error));
			assert_non_null(strstr(error, "blocks are nested more than"));
		}
	}
}

static void
test_out_of_memory(void **state)
{
	struct arena *small = arena_create(20000);
	char error[CONF_ERROR_MAX], text[8192];

	(void)state;
	memset(text, ' ', sizeof(text));
	for (size_t i = 0; i + 8 < sizeof(text); i += 8)
		memcpy(text + i, "a: [x]\n", 7);
	assert_null(conf_parse_text(small, &helper_source.conf, text, sizeof(text), error, sizeof(error)));
	assert_non_null(strstr(error, "configuration is too large"));
	arena_free(small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_variables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_includes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_of_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
