/*
 * snapshot_fill.c: what workers are told about addresses and switches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "ipc/snapshot_fill.h"
#include "model/options.h"

static const char *const addresses[] = { "10.0.0.1", "2001:db8::1" };
static const struct snapshot_facts facts = { .server_id = "N",
	.server_name = "n",
	.xkey = "X",
	.version = "v",
	.build = "b",
	.client_port = 4222,
	.http_host = "h",
	.http_port = 8222,
	.pid = 7,
	.workers = 3,
	.global_addresses = { 2, addresses } };

static char *
writable(const char *constant)
{
	return (char *)(uintptr_t)constant;
}

static const struct {
	const char *host, *advertise;
	const char *advertised_host;
	int64_t advertised_port;
	const char *urls[3];
} cases[] = {
	{ "127.0.0.1", NULL, "", 0, { "127.0.0.1:4222" } },
	{ "localhost", "", "", 0, { "localhost:4222" } },
	{ "::1", NULL, "", 0, { "[::1]:4222" } },
	{ "0.0.0.0", NULL, "", 0, { "10.0.0.1:4222", "[2001:db8::1]:4222" } },
	{ "::", NULL, "", 0, { "10.0.0.1:4222", "[2001:db8::1]:4222" } },
	{ "0.0.0.0", "me.example", "me.example", 4222, { "me.example:4222" } },
	{ "0.0.0.0", "me.example:1", "me.example", 1, { "me.example:1" } },
	{ "127.0.0.1", "[::2]:5", "::2", 5, { "[::2]:5" } },
};

static void
test_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct options *options = options_create();
		struct worker_config *config;
		uint32_t count = 0;

		assert_non_null(options);
		options->client.host = writable(cases[i].host);
		options->client_advertise = writable(cases[i].advertise);
		config = snapshot_worker_fill(options, &facts);
		assert_non_null(config);
		assert_string_equal(config->advertise_host, cases[i].advertised_host);
		assert_true(config->advertise_port == cases[i].advertised_port);
		while (count < 3 && cases[i].urls[count] != NULL) {
			assert_string_equal(config->connect_urls.items[count], cases[i].urls[count]);
			count++;
		}
		assert_int_equal(config->connect_urls.count, count);
		assert_string_equal(config->host, cases[i].host);
		assert_true(config->port == 4222 && config->http_port == 8222 && config->workers == 3 && config->pid == 7);
		snapshot_worker_free(config);
		options_free(options);
	}
}

static void
test_switches(void **state)
{
	struct options *options = options_create();
	struct options_pair pairs[] = { { writable("a"), writable("1") }, { writable("b"), writable("2") } };
	struct worker_config *config;

	(void)state;
	options->client.host = writable("127.0.0.1");
	config = snapshot_worker_fill(options, &facts);
	assert_true(config->headers && !config->auth_required && !config->debug);
	assert_string_equal(config->system_account, "$SYS");
	snapshot_worker_free(config);
	options->no_header_support = options->debug = options->no_system_account = true;
	options->username = writable("u");
	options->auth_timeout = 0.5;
	options->server_metadata = (struct options_pairs){ pairs, 2 };
	config = snapshot_worker_fill(options, &facts);
	assert_true(!config->headers && config->auth_required && config->debug);
	assert_string_equal(config->system_account, "");
	assert_true(config->auth_timeout == 500000000);
	assert_int_equal(config->metadata.count, 2);
	assert_string_equal(config->metadata.items[1].value, "2");
	snapshot_worker_free(config);
	options->server_metadata = (struct options_pairs){ NULL, 0 };
	options_free(options);
}

static void
test_plain_passwords(void **state)
{
	struct options_user plain = { .name = writable("u"), .password = writable("p") },
			    hashed = { .name = writable("v"), .password = writable("$2a$04$x") }, key = { .nkey = writable("U") };
	struct options_user *users[] = { &hashed, &key, &plain };
	struct options options = { .users = users, .users_length = 3 };

	(void)state;
	assert_true(passwords_are_plain(&options));
	options.users_length = 2;
	assert_false(passwords_are_plain(&options));
	options.password = writable("x");
	assert_true(passwords_are_plain(&options));
	options.password = writable("$2b$10$");
	assert_false(passwords_are_plain(&options));
	options.authorization = writable("token");
	assert_false(passwords_are_plain(&options));
}

static void
test_join(void **state)
{
	char text[64];

	(void)state;
	assert_string_equal(join_host_port("a", 1, text, sizeof(text)), "a:1");
	assert_string_equal(join_host_port("::", 65535, text, sizeof(text)), "[::]:65535");
	assert_string_equal(join_host_port("abcdef", 1, text, 4), "abc");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_plain_passwords),
		cmocka_unit_test(test_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
