/*
 * Unit tests of shared/model/conf_lex.c: items and places of the odd corners that a reader would not guess. The bulk of the
 * language is compared with nats-server in tests/config.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "model/conf_lex.h"

static const char *const names[] = { "error", "eof", "key", "comment", "string", "bool", "integer", "float", "time", "[", "]", "{",
	"}", "variable", "include" };

/* All items of a text as "type:text@line:column", joined by blanks. */
static void
items(const char *text, size_t length, char *out, size_t size)
{
	struct arena *arena = arena_create(1 << 20);
	struct conf_lexer lexer;
	struct conf_item item;
	size_t at = 0;

	conf_lex_init(&lexer, arena, text, length);
	do {
		item = conf_lex_next(&lexer);
		at += (size_t)snprintf(out + at, size - at, "%s%s:%.*s@%d:%d", at > 0 ? " " : "", names[item.type],
		    (int)item.length, item.text, item.line, item.column);
		assert_true(at < size);
	} while (item.type != CONF_ITEM_EOF && item.type != CONF_ITEM_ERROR);
	arena_free(arena);
}

static void
test_items(void **state)
{
	static const struct {
		const char *text, *items;
	} rows[] = {
		{ "", "eof:@1:0" },
		{ "a = 1", "key:a@1:0 integer:1@1:4 eof:@1:5" },
		{ "a 1 # c\nb: 2k", "key:a@1:0 integer:1@1:2 comment: c@1:5 key:b@2:1 integer:2k@2:4 eof:@2:6" },
		{ "a: \"x\\ty\"", "key:a@1:0 string:x\ty@1:5 eof:@1:9" },
		{ "a: 'x\\ty'", "key:a@1:0 string:x\\ty@1:4 eof:@1:9" },
		{ "a { b: $c }", "key:a@1:0 {:@1:3 key:b@1:4 variable:c@1:8 }:@1:11 eof:@1:11" },
		{ "a: [1 , x]", "key:a@1:0 [:@1:4 integer:1@1:4 string:x@1:8 ]:@1:10 eof:@1:10" },
		{ "a{b 1}", "key:a{b@1:0 integer:1@1:4 eof:@1:6" },
		{ "a: 4222#c", "key:a@1:0 string:4222#c@1:3 eof:@1:9" },
		{ "include \"f\"", "include:f@1:9 eof:@1:11" },
		{ "include = f",
		    "include:=@1:8 error:Expected a top-level value to end with a new line, comment or EOF, "
		    "but got 'f' instead.@1:11" },
		{ "a: 1.2.3.4:5", "key:a@1:0 string:1.2.3.4:5@1:3 eof:@1:12" },
		{ "a: -5.5", "key:a@1:0 float:-5.5@1:3 eof:@1:7" },
		{ "a: YES", "key:a@1:0 bool:YES@1:3 eof:@1:6" },
		{ "a: (\nb\n)\n", "key:a@1:0 string:\nb\n@3:4 eof:@4:1" },
		{ "a: (\nb\n)", "key:a@1:0 string:\nb\n)@3:4 eof:@3:2" },
		{ "a: 2006-01-02T15:04:05Z", "key:a@1:0 time:2006-01-02T15:04:05Z@1:3 eof:@1:23" },
		{ "a: 12-3", "key:a@1:0 error:All ISO8601 dates must be in full Zulu form.@1:6" },
		{ "a: \"\\q\"",
		    "key:a@1:0 error:Invalid escape character 'q'. Only the following escape characters are allowed: "
		    "\\xXX, \\t, \\n, \\r, \\\", \\\\.@1:6" },
		{ "{ a: 1",
		    "key:a@1:2 integer:1@1:5 error:Expected a block-level value to end with a new line, comment or EOF, but got "
		    "'EOF' instead.@1:6" },
		{ "a { b: 1",
		    "key:a@1:0 {:@1:3 key:b@1:4 integer:1@1:7 error:Expected a map value terminator \",\" or a map terminator "
		    "\"}\", but got 'EOF' instead.@1:8" },
	};
	char found[1024];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		items(rows[i].text, strlen(rows[i].text), found, sizeof(found));
		if (strcmp(found, rows[i].items) != 0)
			print_message("%s\n", rows[i].text);
		assert_string_equal(found, rows[i].items);
	}
}

static void
test_bytes(void **state)
{
	char found[256];

	(void)state;
	/* A NUL ends a value as the end of the input does; a wrong byte is a character. */
	items("a: b\0c: d", 9, found, sizeof(found));
	assert_string_equal(found, "key:a@1:0 string:b@1:3 key:c@1:5 string:d@1:8 eof:@1:9");
	items("\xff: \xc3\xbc", 5, found, sizeof(found));
	assert_string_equal(found, "key:\xff@1:0 string:\xc3\xbc@1:3 eof:@1:5");
}

static void
test_digits_and_spaces(void **state)
{
	(void)state;
	assert_true(conf_lex_digit('7') && conf_lex_digit(0x0663) && conf_lex_digit(0x1d7ff));
	assert_false(conf_lex_digit('a') || conf_lex_digit(0xb2) || conf_lex_digit(0x1d800));
	assert_true(conf_lex_space(' ') && conf_lex_space('\v') && conf_lex_space(0x85) && conf_lex_space(0x3000));
	assert_false(conf_lex_space('a') || conf_lex_space(0) || conf_lex_space(0x200b));
}

static void
test_depth(void **state)
{
	char text[4096], found[8192];

	(void)state;
	memset(text, '{', sizeof(text));
	items(text, sizeof(text), found, sizeof(found));
	assert_non_null(strstr(found, "nested too deeply"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_digits_and_spaces),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
