/*
 * CONNECT as Go's json.Unmarshal reads it, the trace without secrets, INFO in Go's order and with its omissions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "wire/connect.h"

static struct arena *arena;
static struct nats_connect options;
static char error[128];

static int
setup(void **state)
{
	(void)state;
	arena = arena_create(1 << 20);
	nats_connect_init(&options);
	return arena == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static bool
parse(const char *json)
{
	error[0] = '\0';
	return nats_connect_parse(arena, json, strlen(json), &options, error, sizeof(error));
}

static void
test_all_fields(void **state)
{
	(void)state;
	assert_true(options.echo && options.verbose && options.pedantic);
	assert_true(
	    parse("{\"echo\":false,\"verbose\":false,\"pedantic\":false,\"tls_required\":true,\"nkey\":\"NK\",\"jwt\":\"J\","
		  "\"sig\":\"S\",\"auth_token\":\"T\",\"user\":\"U\",\"pass\":\"P\",\"name\":\"N\",\"lang\":\"c\","
		  "\"version\":\"1\",\"protocol\":1,\"account\":\"A\",\"new_account\":true,\"headers\":true,"
		  "\"no_responders\":true,\"import\":{\"allow\":[\"a\",null],\"deny\":null},\"export\":null,"
		  "\"remote_account\":\"R\",\"proxy_sig\":\"PS\",\"unknown\":{\"x\":[1]}}"));
	assert_false(options.echo || options.verbose || options.pedantic);
	assert_true(options.tls_required && options.new_account && options.headers && options.no_responders);
	assert_int_equal(options.protocol, 1);
	assert_string_equal(options.nkey.at, "NK");
	assert_string_equal(options.jwt.at, "J");
	assert_string_equal(options.sig.at, "S");
	assert_string_equal(options.auth_token.at, "T");
	assert_string_equal(options.user.at, "U");
	assert_string_equal(options.pass.at, "P");
	assert_string_equal(options.name.at, "N");
	assert_string_equal(options.lang.at, "c");
	assert_string_equal(options.version.at, "1");
	assert_string_equal(options.account.at, "A");
	assert_string_equal(options.remote_account.at, "R");
	assert_string_equal(options.proxy_sig.at, "PS");
	assert_int_equal(options.proxy_sig.length, 2);
}

static void
test_second_document_keeps(void **state)
{
	(void)state;
	assert_true(parse("{\"user\":\"u\",\"verbose\":false}"));
	assert_true(parse("null"));
	assert_true(parse("{\"user\":null,\"verbose\":null,\"name\":\"n\"}"));
	assert_string_equal(options.user.at, "u");
	assert_string_equal(options.name.at, "n");
	assert_false(options.verbose);
	assert_null(options.pass.at);
}

static void
test_names_fold_and_last_wins(void **state)
{
	(void)state;
	assert_true(parse("{\"verbose\":true,\"verbo\xc5\xbf"
			  "e\":false,\"USER\":\"a\",\"user\":\"b\",\"User\":\"c\"}"));
	assert_false(options.verbose);
	assert_string_equal(options.user.at, "c");
}

static void
test_refused_changes_nothing(void **state)
{
	static const char *const documents[] = { "", "{", "[]", "1", "\"x\"", "true", "{}x", "{\"verbose\":1}", "{\"user\":1}",
		"{\"user\":true}", "{\"protocol\":1.0}", "{\"protocol\":1e0}", "{\"protocol\":\"1\"}",
		"{\"protocol\":9223372036854775808}", "{\"import\":[]}", "{\"import\":{\"allow\":\"a\"}}",
		"{\"import\":{\"deny\":[1]}}", "{\"verbose\":false,\"echo\":\"x\"}", "{\"verbose\":false,}" };
	struct nats_connect before = options;

	(void)state;
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		assert_false(parse(documents[i]));
		assert_true(error[0] != '\0');
		assert_memory_equal(&before, &options, sizeof(before));
	}
	/* The caller judges the number. */
	assert_true(parse("{\"protocol\":-7}"));
	assert_int_equal(options.protocol, -7);
}

static void
test_move(void **state)
{
	size_t size;
	char *block;

	(void)state;
	assert_int_equal(nats_connect_text_size(&options), 0);
	assert_true(parse("{\"user\":\"user\",\"pass\":\"\",\"name\":\"a\\u0000b\"}"));
	size = nats_connect_text_size(&options);
	assert_int_equal(size, 5 + 1 + 4);
	block = malloc(size);
	assert_non_null(block);
	nats_connect_move(&options, block, size);
	arena_reset(arena);
	assert_string_equal(options.user.at, "user");
	assert_string_equal(options.pass.at, "");
	assert_int_equal(options.name.length, 3);
	assert_memory_equal(options.name.at, "a\0b", 4);
	free(block);
}

static void
expect_redacted(const char *json, const char *expected)
{
	char out[256];
	size_t n = nats_connect_redact(json, strlen(json), out, sizeof(out));

	assert_int_equal(n, strlen(expected));
	assert_memory_equal(out, expected, n);
	for (size_t size = 0; size < strlen(expected); size++) {
		assert_int_equal(nats_connect_redact(json, strlen(json), out, size), size);
		assert_memory_equal(out, expected, size);
	}
}

static void
test_redact(void **state)
{
	(void)state;
	expect_redacted("{}", "{}");
	expect_redacted("", "");
	expect_redacted(
	    "{\"user\":\"u\",\"pass\":\"s3cr3t\",\"name\":\"n\"}", "{\"user\":\"u\",\"pass\":\"[REDACTED]\",\"name\":\"n\"}");
	expect_redacted("{\"auth_token\" : \"abc\"}", "{\"auth_token\" : \"[REDACTED]\"}");
	expect_redacted("{\"password\":\"x\",\"sig\":\"y\",\"nkey\":\"z\",\"proxy_sig\":\"p\",\"jwt\":\"j\"}",
	    "{\"password\":\"[REDACTED]\",\"sig\":\"[REDACTED]\",\"nkey\":\"[REDACTED]\",\"proxy_sig\":\"[REDACTED]\","
	    "\"jwt\":\"[REDACTED]\"}");
	expect_redacted("{\"design\":\"y\"}", "{\"design\":\"y\"}");
	expect_redacted("{\"PASS\":\"a\\\"b\"}", "{\"PASS\":\"[REDACTED]\"}");
	expect_redacted("{pass: s3cr3t, x:1}", "{pass: [REDACTED], x:1}");
	expect_redacted("{\"pass\":\"unended", "{\"pass\":\"[REDACTED]");
	expect_redacted("{\"p\\u0061ss\":\"s3cr3t\"}", "[REDACTED]");
	expect_redacted("{\"pa\xc5\xbfs\":\"s3cr3t\"}", "[REDACTED]");
	expect_redacted("{\"pass\"", "{\"pass\"");
}

static void
test_info_order(void **state)
{
	static const char *const urls[] = { "127.0.0.1:4222", "[::1]:4222" };
	static const char full[] =
	    "INFO {\"server_id\":\"ID\",\"server_name\":\"NAME\",\"version\":\"2.15.2\",\"proto\":1,\"git_commit\":\"g\","
	    "\"go\":\"natsd\",\"host\":\"0.0.0.0\",\"port\":4222,\"headers\":true,\"auth_required\":true,"
	    "\"tls_required\":true,\"tls_verify\":true,\"tls_available\":true,\"max_payload\":1048576,"
	    "\"jetstream\":true,\"ip\":\"i\",\"client_id\":5,\"client_ip\":\"127.0.0.1\",\"nonce\":\"n\","
	    "\"cluster\":\"c\",\"cluster_dynamic\":true,\"domain\":\"d\",\"connect_urls\":[\"127.0.0.1:4222\","
	    "\"[::1]:4222\"],\"ws_connect_urls\":[\"127.0.0.1:4222\"],\"ldm\":true,\"compression\":\"s2\","
	    "\"connect_info\":true,\"remote_account\":\"$G\",\"acc_is_sys\":true,\"api_lvl\":5,\"xkey\":\"X\"} \r\n";
	const struct nats_info info = { "ID", "NAME", "2.15.2", 1, "g", "natsd", "0.0.0.0", 4222, true, true, true, true, true,
		1048576, true, "i", 5, "127.0.0.1", "n", "c", true, "d", urls, 2, urls, 1, true, "s2", true, "$G", true, 5, "X" };
	char out[2048];

	(void)state;
	assert_int_equal(nats_info_write(&info, out, sizeof(out)), sizeof(full) - 1);
	assert_memory_equal(out, full, sizeof(full) - 1);
	assert_int_equal(nats_info_write(&info, out, sizeof(full) - 1), sizeof(full) - 1);
	for (size_t size = 0; size < sizeof(full) - 1; size++)
		assert_int_equal(nats_info_write(&info, out, size), 0);
	/* A client that sends it back is not refused. */
	assert_true(nats_info_valid(arena, full + 5, sizeof(full) - 1 - 5 - 3));
}

static void
test_info_omissions(void **state)
{
	static const char least[] =
	    "INFO {\"server_id\":\"\",\"server_name\":\"\",\"version\":\"\",\"proto\":0,\"go\":\"\",\"host\":\"\",\"port\":0,"
	    "\"headers\":false,\"max_payload\":0} \r\n";
	const struct nats_info info = { 0 };
	char out[512];

	(void)state;
	assert_int_equal(nats_info_write(&info, out, sizeof(out)), sizeof(least) - 1);
	assert_memory_equal(out, least, sizeof(least) - 1);
}

static void
test_info_from_clients(void **state)
{
	static const struct {
		const char *json;
		bool valid;
	} rows[] = { { "{}", true }, { "null", true }, { "\r", false }, { "[]", false }, { "{\"port\":\"x\"}", false },
		{ "{\"port\":1}", true }, { "{\"max_payload\":2147483647}", true }, { "{\"max_payload\":2147483648}", false },
		{ "{\"gossip_mode\":255}", true }, { "{\"gossip_mode\":256}", false }, { "{\"gossip_mode\":-1}", false },
		{ "{\"client_id\":18446744073709551615}", true }, { "{\"client_id\":-1}", false },
		{ "{\"connect_urls\":[\"a\",null]}", true }, { "{\"connect_urls\":[1]}", false },
		{ "{\"import\":{\"allow\":[]}}", true }, { "{\"import\":1}", false }, { "{\"whatever\":[]}", true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(nats_info_valid(arena, rows[i].json, strlen(rows[i].json)), rows[i].valid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_document_keeps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_fold_and_last_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_move, setup, teardown),
		cmocka_unit_test(test_redact),
		cmocka_unit_test_setup_teardown(test_info_order, setup, teardown),
		cmocka_unit_test(test_info_omissions),
		cmocka_unit_test_setup_teardown(test_info_from_clients, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
