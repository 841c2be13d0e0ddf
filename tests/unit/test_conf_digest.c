/*
 * Unit tests of shared/model/conf_digest.c: digests that nats-server 2.15.2 -t gave for the same text, and trees without one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "options_helper.h"

static bool
digest(const char *text, char out[CONF_DIGEST_SIZE])
{
	struct arena *arena = arena_create(256 << 20);
	char error[CONF_ERROR_MAX];
	struct conf_value *tree = conf_parse_text(arena, &helper_source.conf, text, strlen(text), error, sizeof(error));
	bool good;

	assert_non_null(tree);
	good = conf_digest(tree, out);
	arena_free(arena);
	return good;
}

static void
test_digests(void **state)
{
	static const struct {
		const char *text, *digest;
	} rows[] = {
		{ "a: 1\n", "sha256:e346432021b04179518d9614f3560ccd71354a4ee101ddcb893d6959a9d6301c" },
		{ "port: 4222\nhost: \"<a>&b\"\n", "sha256:b5e0c79d8499dae532269810bb64dceeb7e5067a2aba17426c3435af285bcd87" },
		{ "x { b: [ 1.5, true, 2006-01-02T15:04:05Z ], a: \"\\xff\\x01\" }\n",
		    "sha256:75aaf0ecdef759242ae3089260b2498b3cd85b05efc0f3271ae885c79f4b52c8" },
		{ "a: \"\\xe2\\x80\\xa8\"\nb: -1k\n", "sha256:90d8761c8a28199b5eef49aa6f2b43537ef83dd649d62bb153a418a74cf20436" },
		{ "\"\303\274\": []\nz: {}\n", "sha256:227f8527e1b8acf8ba2d179e3d0cfb304f585402cd6451bb82051bb956c16fe7" },
	};
	char found[CONF_DIGEST_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(digest(rows[i].text, found));
		assert_string_equal(found, rows[i].digest);
	}
}

/* Variables that multiply each other are stopped, soon. */
static void
test_no_digest(void **state)
{
	char text[4096], found[CONF_DIGEST_SIZE];
	size_t at;
	int i;

	(void)state;
	at = (size_t)snprintf(text, sizeof(text), "v0: [x, x, x, x, x, x, x, x ]\n");
	for (i = 1; i < 12; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "v%d: [$v%d, $v%d, $v%d, $v%d, $v%d, $v%d, $v%d, $v%d ]\n", i,
		    i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	assert_false(digest(text, found));
	/* So is a tree that variables made too deep. */
	at = (size_t)snprintf(text, sizeof(text), "v0 { a: 1 }\n");
	for (i = 1; i < 80; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "v%d { a: $v%d }\n", i, i - 1);
	assert_false(digest(text, found));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_no_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
